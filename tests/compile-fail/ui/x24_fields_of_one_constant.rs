//! Two fields that would become one constant are told apart by another name.

#![allow(non_snake_case, reason = "that is how two names become one")]

use clearance::{Dto, Entity, Input};
use clearance_compile_fail::{Member, User};

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, read_if(true))]
struct Post {
    #[entity(key)]
    id: i64,
    title: String,
    #[entity(column = "shown")]
    Title: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct View {
    name: String,
    NAME: String,
}

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable]
    name: String,
    #[writable]
    Name: String,
}

fn main() {}
