//! The derives are for plain structs.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Dto, Entity, Roles, Viewer};
use clearance_compile_fail::{Member, User};

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, read_if(true))]
struct Note<'a, T> {
    #[entity(key)]
    id: i64,
    text: &'a T,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Profile(i64);

#[derive(Viewer)]
enum Someone {
    Known,
}

#[derive(Viewer)]
struct Guest {
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Roles)]
enum Role {
    Reader,
    Admin { level: u8 },
}

fn main() {}
