//! A table is named without its schema.

use clearance::Entity;
use clearance_compile_fail::Member;

#[derive(Entity)]
#[entity(table = "auth.users", viewer = Member, rows = open, reason = "a test")]
struct User {
    #[entity(key)]
    id: i64,
}

fn main() {}
