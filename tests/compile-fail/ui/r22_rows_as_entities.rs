//! The rows of one's own SQL are projected, and had in no other way.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Access, Db, Dto, Entity, Read, Result};
use clearance_compile_fail::{Member, Profile, User};

async fn entities(db: &Db, access: &Access<Read<Member>>) -> Result<()> {
    let query = db.reader(access).unguarded_sql::<User>("a report", "SELECT * FROM users");
    let users: Vec<User> = query.project().await?;
    Ok(())
}

async fn awaited(db: &Db, access: &Access<Read<Member>>) -> Result<()> {
    let query = db.reader(access).unguarded_sql::<User>("a report", "SELECT * FROM users");
    query.await;
    Ok(())
}

fn main() {}
