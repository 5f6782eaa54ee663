//! An entity says which rows may be read.

use clearance::Entity;
use clearance_compile_fail::Member;

#[derive(Entity)]
#[entity(table = "notes", viewer = Member)]
struct Note {
    #[entity(key)]
    id: i64,
}

fn main() {}
