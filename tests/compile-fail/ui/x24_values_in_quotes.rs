//! Paths and rules are written without quotes, and one mistake in parentheses is one error.

use clearance::{Dto, Entity};
use clearance_compile_fail::Member;

#[derive(Entity)]
#[entity(table = "notes", viewer = "Member", rows = open, reason = "a test")]
struct Note {
    #[entity(key)]
    id: i64,
}

#[derive(Dto)]
#[dto(entity = "User", default = visible)]
struct Profile {
    name: String,
}

#[derive(Entity)]
#[entity(table = "links", viewer = Member, read_if("row.id == viewer.id"))]
struct Link {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "tags", viewer = Member, read_if(viewer.role >= Role::Admin and row.id == 1))]
struct Tag {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "files", viewer = Member, rows = open, reason = "a test", belongs_to(owner, by = owner_id))]
struct File {
    #[entity(key)]
    id: i64,
    owner_id: i64,
}

fn main() {}
