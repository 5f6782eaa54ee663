//! A column of a type that no database can hold is refused once, with the types that there are.

use std::collections::HashMap;

use clearance::Entity;
use clearance_compile_fail::Member;

enum Stage {
    Draft,
    Final,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, rows = open, reason = "a test")]
struct Note {
    #[entity(key)]
    id: i64,
    tags: Vec<String>,
    size: u64,
    stage: Stage,
    extra: Option<HashMap<String, String>>,
}

#[derive(Entity)]
#[entity(table = "files", viewer = Member, rows = open, reason = "a test")]
struct File {
    #[entity(key)]
    id: u64,
    name: String,
}

fn main() {}
