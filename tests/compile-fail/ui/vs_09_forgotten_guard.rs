//! The guard cannot be forgotten: a viewer alone is no access, and reading is not writing.

use clearance::{Access, Db, Read, Result, Verified};
use clearance_compile_fail::{Member, Profile, User};

async fn viewer_alone(db: &Db, viewer: &Verified<Member>) -> Result<Vec<Profile>> {
    db.reader(viewer).all(Profile::select()).await
}

async fn reads_only(db: &Db, access: Access<Read<Member>>, user: User) -> Result<()> {
    db.writer(&access).insert(user).await
}

fn kept(access: &Access<Read<Member>>) -> Access<Read<Member>> {
    access.clone()
}

fn main() {}
