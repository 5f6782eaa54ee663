//! A rule for filters stands alone on its column, and the database must be able to ask it.

use clearance::policy::Context;
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
    #[entity(lookup, filter_if(viewer.id == row.id))]
    slug: String,
    #[entity(filter_if)]
    email: String,
    #[entity(filter_if(opaque(is_own)))]
    phone: String,
}

fn is_own(viewer: &Member, row: &User, _: &Context) -> bool {
    viewer.id == row.id
}

fn main() {}
