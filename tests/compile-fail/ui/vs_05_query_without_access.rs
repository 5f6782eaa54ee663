//! No query runs without an access, and an access cannot be made up.

use clearance::{Access, Db, Read, Result};
use clearance_compile_fail::{Member, Profile};

async fn nothing(db: &Db) -> Result<Vec<Profile>> {
    db.reader().all(Profile::select()).await
}

async fn made_up(db: &Db) -> Result<Vec<Profile>> {
    let access: Access<Read<Member>> = Access {};
    db.reader(&access).all(Profile::select()).await
}

fn main() {}
