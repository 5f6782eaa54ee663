//! `filter` takes fields of the DTO; columns have a filter of their own.

use clearance::{Dto, Entity, Viewer};

#[derive(Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "users", viewer = Member, rows = open, reason = "a test")]
struct User {
    #[entity(key)]
    id: i64,
    #[entity(filter_if(viewer.id == row.id))]
    points: i64,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Profile {
    id: i64,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Other {
    id: i64,
}

fn main() {
    let _ = Profile::select().filter(User::POINTS.eq(1));
    let _ = Profile::select().filter(Other::ID.eq(1));
}
