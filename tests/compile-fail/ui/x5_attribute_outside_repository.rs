//! A policy attribute that nothing reads is an error, not a comment.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, authenticated, authorize, public};
use clearance_compile_fail::{Profile, Role};

struct Users {
    db: Db,
}

impl Users {
    #[authenticated(access)]
    pub async fn all(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }

    #[authorize(access, if viewer.role >= Role::Admin)]
    pub async fn some(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }

    #[public(access, reason = "names")]
    pub async fn names(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }
}

fn main() {}
