//! What is given more than once is cloned.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, repository};
use clearance_compile_fail::{Member, Profile, User};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    #[memo]
    pub async fn profile(&self, slug: &str) -> Result<Profile> {
        self.db
            .reader(&access)
            .one(Profile::select().lookup(User::SLUG, slug))
            .await
    }
}

fn main() {}
