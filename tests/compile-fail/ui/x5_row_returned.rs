//! A row stays inside its repository.

use clearance::{Db, Release, Result, repository};
use clearance_compile_fail::{Member, User};

struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    pub async fn row(&self) -> Result<User> {
        let _ = (&self.db, access);
        unimplemented!()
    }

    #[authenticated(access)]
    pub async fn rows(&self) -> Result<Vec<User>> {
        let _ = (&self.db, access);
        unimplemented!()
    }

    #[authenticated(access)]
    pub async fn unguarded(&self) -> User {
        let _ = (&self.db, access);
        unimplemented!()
    }
}

#[derive(Release)]
struct Wrapped {
    user: User,
}

fn main() {}
