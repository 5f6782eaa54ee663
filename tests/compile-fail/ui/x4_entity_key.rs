//! An entity has one key, a table and a viewer.

use clearance::Entity;
use clearance_compile_fail::Member;

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, read_if(true))]
struct Note {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "tags", viewer = Member, read_if(true))]
struct Tag {
    #[entity(key)]
    id: i64,
    #[entity(key)]
    name: String,
}

#[derive(Entity)]
#[entity(read_if(true))]
struct Link {
    #[entity(key)]
    id: i64,
}

fn main() {}
