//! A method of a repository says who may call it.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, repository};
use clearance_compile_fail::{Member, Profile};

struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    pub async fn all(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }
}

fn main() {}
