//! An entity says with one word, and without a value, that its rows stand behind viewers.

use clearance::Entity;
use clearance_compile_fail::Member;

#[derive(Entity)]
#[entity(table = "accounts", viewer = Member, viewers_of, read_if(true))]
struct Misspelt {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "accounts", viewer = Member, viewer_of = Member, read_if(true))]
struct WithValue {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "accounts", viewer = Member, read_if(true))]
struct OnField {
    #[entity(key, viewer_of)]
    id: i64,
}

fn main() {}
