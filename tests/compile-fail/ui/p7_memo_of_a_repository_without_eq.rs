//! A repository under whose name something is kept can be told from another.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, repository};
use clearance_compile_fail::Member;

struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    #[memo]
    pub async fn count(&self) -> Result<u64> {
        Ok(1)
    }
}

struct Borrowing<'a> {
    db: &'a Db,
}

#[repository(viewer = Member)]
impl<'a> Borrowing<'a> {
    #[authenticated(access)]
    #[memo]
    pub async fn count(&self) -> Result<u64> {
        Ok(1)
    }
}

fn main() {}
