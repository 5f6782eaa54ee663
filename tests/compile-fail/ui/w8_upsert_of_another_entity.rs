//! Both halves of an upsert are of one entity.

use clearance::{Access, Db, Entity, Result, Write};
use clearance_compile_fail::{Member, User};

#[derive(Entity)]
#[entity(table = "tags", viewer = Member, rows = open, reason = "the case is about writes")]
struct Tag {
    #[entity(key)]
    id: i64,
}

async fn put(db: &Db, access: &Access<Write<Member>>) -> Result<bool> {
    let writer = db.writer(access);
    writer.update::<User>(1).or_create(writer.create(Tag { id: 1 })).await
}

fn main() {}
