//! A memoized method must borrow its repository and not change it.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, repository};
use clearance_compile_fail::Member;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
    calls: u64,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    #[memo]
    pub async fn count(&mut self) -> Result<u64> {
        self.calls += 1;
        Ok(self.calls)
    }

    #[authenticated(access)]
    #[memo]
    pub async fn free() -> Result<u64> {
        Ok(1)
    }
}

fn main() {}
