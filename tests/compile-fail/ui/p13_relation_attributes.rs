//! What a relation must state, and what a condition on related rows may say.

use clearance::{Entity, Viewer};

#[derive(Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "users", viewer = Member, rows = open, reason = "a test")]
struct User {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, rows = open, reason = "a test")]
#[entity(belongs_to(author: User))]
struct WithoutJoin {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, rows = open, reason = "a test")]
#[entity(belongs_to(author: User, by = author_id), has_many(id: User, by = id))]
struct UnknownOwnFieldAndTakenName {
    #[entity(key)]
    id: i64,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = author_id))]
#[entity(read_if(exists(row.author, |author| author.id == row.id)))]
struct OuterRow {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = author_id))]
#[entity(read_if(exists(row.author)), update_if(all(row.author, |viewer| viewer.id == 1)))]
struct WithoutCondition {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

fn odd(_: &Member, _: &User, _: &clearance::policy::Context) -> bool {
    true
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = author_id))]
#[entity(read_if(exists(row.author, |author| opaque(odd))))]
struct OpaqueInside {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

fn main() {}
