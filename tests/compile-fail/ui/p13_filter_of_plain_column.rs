//! A column that no DTO shows is filtered by only where its entity says who may.

use clearance::{Dto, Entity, Secret, Viewer};

#[derive(Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "users", viewer = Member, rows = open, reason = "a test")]
struct User {
    #[entity(key)]
    id: i64,
    #[entity(lookup)]
    slug: String,
    email: String,
    #[entity(filter_if(viewer.id == row.id))]
    points: i64,
    #[entity(filter_if(viewer.id == row.id))]
    hash: Secret<String>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Profile {
    id: i64,
}

fn main() {
    let _ = Profile::select().filter_column(User::EMAIL.eq("ada@example.org"));
    let _ = Profile::select().filter_column(User::SLUG.starts_with("a"));
    let _ = Profile::select().filter_column(User::POINTS.eq("many"));
    let _ = Profile::select().filter_column(User::HASH.eq("x"));
}
