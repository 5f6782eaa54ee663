//! SQL is written by whoever writes the program; values are bound.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Access, Db, Dto, Entity, Read, Result};
use clearance_compile_fail::{Member, Profile, User};

async fn injected(db: &Db, access: &Access<Read<Member>>, name: &str) -> Result<Vec<Profile>> {
    let sql = format!("SELECT * FROM users WHERE name = '{name}'");
    db.reader(access)
        .unguarded_sql::<User>("a report", &sql)
        .project()
        .await
}

async fn without_reason(db: &Db, access: &Access<Read<Member>>) -> Result<Vec<Profile>> {
    db.reader(access)
        .unguarded_sql::<User>("SELECT * FROM users")
        .project()
        .await
}

fn main() {}
