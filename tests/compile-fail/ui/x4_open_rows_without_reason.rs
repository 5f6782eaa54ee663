//! Opening every row has a reason.

use clearance::Entity;
use clearance_compile_fail::Member;

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, rows = open)]
struct Note {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "tags", viewer = Member, rows = open, reason = " ")]
struct Tag {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "links", viewer = Member, rows = open, reason = "links are public", read_if(true))]
struct Link {
    #[entity(key)]
    id: i64,
}

fn main() {}
