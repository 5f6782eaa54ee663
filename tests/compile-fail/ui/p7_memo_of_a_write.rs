//! A method that writes cannot be memoized.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, repository};
use clearance_compile_fail::{Member, Profile, Role};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access: Write)]
    #[memo]
    pub async fn touch(&self) -> Result<()> {
        Ok(())
    }

    #[authorize(access: Write, if viewer.role >= Role::Admin)]
    #[memo]
    pub async fn clear(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
