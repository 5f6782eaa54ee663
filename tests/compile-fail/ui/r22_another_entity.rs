//! The rows are shown by the rules of the entity that the query states.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Access, Db, Dto, Entity, Read, Result};
use clearance_compile_fail::{Member, Profile, User};

#[derive(Entity)]
#[entity(table = "teams", viewer = Member, rows = open, reason = "names are printed on the door")]
struct Team {
    #[entity(key)]
    id: i64,
    name: String,
}

async fn users_as_teams(db: &Db, access: &Access<Read<Member>>) -> Result<Vec<Profile>> {
    db.reader(access)
        .unguarded_sql::<Team>("a report", "SELECT * FROM users")
        .project()
        .await
}

fn main() {}
