//! The shapes of repositories: behind a trait, generic, and with every kind of argument.

use std::marker::PhantomData;

use clearance::repository::Rows;
use clearance::{Db, RequestContext, Result, async_trait, repository};
use clearance_compile_fail::{Member, Profile, Role, User};

#[async_trait]
trait Directory {
    async fn profile(&self, slug: &str) -> Result<Profile>;
}

struct Users {
    db: Db,
}

#[repository(viewer = Member)]
#[async_trait]
impl Directory for Users {
    #[authenticated(access)]
    async fn profile(&self, slug: &str) -> Result<Profile> {
        self.db
            .reader(&access)
            .one(Profile::select().lookup(User::SLUG, slug))
            .await
    }
}

#[repository(viewer = Member)]
impl Users {
    const LIMIT: u64 = 20;

    #[authorize(access: Write, if viewer.role >= Role::Editor && viewer.id != id)]
    pub async fn rename(&self, id: i64, (name, _): (String, u8)) -> Result<Option<Profile>, Failed> {
        let writer = self.db.writer(&access);
        writer.update::<User>(id).set(User::NAME, name).execute().await?;
        Ok(writer.optional(Profile::select().lookup(User::ID, id)).await?)
    }

    #[public(access, reason = "the front page lists names")]
    pub async fn names(&self, limit: impl Into<u64> + Send) -> Result<Rows<Profile>> {
        let limit = limit.into().min(Self::LIMIT);
        self.db.reader(&access).stream(Profile::select().limit(limit)).await
    }

    #[authenticated(access)]
    #[cfg(any())]
    pub async fn left_out(&self) -> Result<Missing> {
        missing
    }

    #[authenticated(access)]
    pub async fn map<T, F>(&self, map: F) -> Result<Vec<T>>
    where
        T: clearance::Release,
        F: Fn(Profile) -> T + Send,
    {
        let all = self.db.reader(&access).all(Profile::select()).await?;
        Ok(all.into_iter().map(map).collect())
    }

    #[authenticated(access)]
    async fn private(&self) -> Result<()> {
        drop(access);
        Ok(())
    }
}

#[derive(Debug)]
struct Failed;

impl From<clearance::Error> for Failed {
    fn from(_: clearance::Error) -> Self {
        Self
    }
}

struct Generic<T>(Db, PhantomData<T>);

#[repository(viewer = Member)]
impl<T: Send + Sync> Generic<T> {
    #[authenticated(access)]
    pub async fn all(&self) -> Result<Vec<Profile>> {
        self.0.reader(&access).all(Profile::select()).await
    }
}

async fn explicit(users: &Users, context: &RequestContext) -> Result<()> {
    let _ = users.with(context).names(3_u32).await?;
    let _ = users.with(context).rename(1, (String::new(), 1)).await;
    let _ = users.with(context).map(|profile| profile.id).await?;
    users.private().await
}

fn main() {
    let _ = explicit;
    fn send<T: Send>(_: T) {}
    let _ = |users: &'static Users, context: &'static RequestContext| {
        send(users.with(context).map(|profile| profile.id));
        send(users.profile("ada"));
    };
}
