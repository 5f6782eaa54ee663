//! A relation names fields that are there and can be equal, and a rule names relations that are there.

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
    name: String,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = name))]
#[entity(read_if(exists(row.author, |author| author.nickname == "ada")))]
struct KeyOfAnotherKind {
    #[entity(key)]
    id: i64,
    name: String,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = author_id))]
#[entity(read_if(exists(row.writer, |writer| writer.id == viewer.id)))]
struct UnknownRelation {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, rows = open, reason = "a test")]
#[entity(has_many(notes: User, by = post_id))]
struct UnknownTheirField {
    #[entity(key)]
    id: i64,
}

fn main() {}
