//! The shapes that a guarded method cannot have.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Result, repository};
use clearance_compile_fail::{Member, Profile};

struct Users;

#[repository(viewer = Member)]
impl Users {
    pub fn new() -> Self {
        Self
    }

    #[authenticated(access)]
    pub async fn by_value(self) -> Result<()> {
        Ok(())
    }

    #[authenticated(access)]
    pub async fn returns_nothing(&self) {}

    #[authenticated(access)]
    pub async fn unnamed(&self) -> Result<impl Iterator<Item = Profile>> {
        Ok(std::iter::empty())
    }
}

#[repository(viewer = Member)]
struct Teams;

macro_rules! unguarded {
    () => {
        pub async fn all(&self) {}
    };
}

struct Groups;

#[repository(viewer = Member)]
impl Groups {
    unguarded!();
}

fn main() {}
