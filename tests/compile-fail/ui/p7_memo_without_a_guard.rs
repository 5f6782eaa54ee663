//! What is remembered is guarded.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, memo, repository};
use clearance_compile_fail::Member;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[memo]
    pub async fn unguarded(&self) -> Result<u64> {
        Ok(1)
    }
}

impl Users {
    #[memo]
    pub async fn outside(&self) -> Result<u64> {
        Ok(1)
    }
}

fn main() {}
