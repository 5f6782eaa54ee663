//! A stream is read once.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::repository::Rows;
use clearance::{Db, Result, repository};
use clearance_compile_fail::{Member, Profile};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    #[memo]
    pub async fn feed(&self) -> Result<Rows<Profile>> {
        self.db.reader(&access).stream(Profile::select()).await
    }
}

fn main() {}
