//! A row stays inside: it is not serialised, is not made one of what may leave, and is no error.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Dto, Entity, Release, Result, repository};
use clearance_compile_fail::{Member, Profile, User};
use serde::Serialize;

#[derive(Entity, Serialize)]
#[entity(table = "notes", viewer = Member, read_if(true))]
struct Derived {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, read_if(true))]
struct Written {
    #[entity(key)]
    id: i64,
}

impl Serialize for Written {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.id)
    }
}

#[derive(Entity, Release)]
#[entity(table = "notes", viewer = Member, read_if(true))]
struct Released {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, read_if(true))]
struct ByHand {
    #[entity(key)]
    id: i64,
}

impl Release for ByHand {}

struct Wrapped(User);

impl Release for Wrapped {}

impl From<clearance::Error> for ByHand {
    fn from(_: clearance::Error) -> Self {
        Self { id: 1 }
    }
}

struct Failed<T>(Option<T>);

impl<T> From<clearance::Error> for Failed<T> {
    fn from(_: clearance::Error) -> Self {
        Self(None)
    }
}

type Aliased = Result<Profile, ByHand>;

struct Users;

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    pub async fn error(&self) -> Result<Profile, ByHand> {
        unimplemented!()
    }

    #[authenticated(access)]
    pub async fn aliased(&self) -> Aliased {
        unimplemented!()
    }

    #[authenticated(access)]
    pub async fn inside(&self) -> Result<Profile, Failed<Vec<User>>> {
        unimplemented!()
    }

    #[authenticated(access)]
    pub async fn without(&self) -> Result<Profile, Failed<Vec<Profile>>> {
        unimplemented!()
    }
}

fn main() {}
