//! What stands behind `lookup` is known, or refused.

use clearance::{Entity, Viewer};

#[derive(Viewer)]
struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(table = "users", viewer = Member, read_if(row.id == viewer.id))]
struct User {
    #[entity(key)]
    id: i64,
    #[entity(lookup(some))]
    team: String,
}

fn main() {}
