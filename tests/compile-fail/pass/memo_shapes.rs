//! The shapes of methods that are remembered: behind a trait, generic, with every kind of argument.

use std::borrow::Cow;
use std::hash::Hash;
use std::marker::PhantomData;

use clearance::{Db, RequestContext, Result, async_trait, repository};
use clearance_compile_fail::{Member, Profile, Role, User};

#[async_trait]
trait Directory {
    async fn name(&self, slug: &str) -> Result<String>;
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
}

#[repository(viewer = Member)]
#[async_trait]
impl Directory for Users {
    #[authenticated(access)]
    #[memo]
    async fn name(&self, slug: &str) -> Result<String> {
        let query = Profile::select().lookup(User::SLUG, slug);
        if slug.is_empty() {
            return Ok(String::new());
        }
        Ok(self.db.reader(&access).one(query).await?.name)
    }
}

#[repository(viewer = Member)]
impl Users {
    const LIMIT: u64 = 20;

    #[authorize(access, if viewer.role >= Role::Editor && viewer.id != id)]
    #[memo]
    pub async fn moved(&self, id: i64, mut names: Vec<String>, by: &[u8]) -> Result<String, Failed> {
        drop(access);
        names.truncate(by.len());
        Self::checked(id)?;
        Ok(names.concat())
    }

    #[public(access, reason = "the front page counts")]
    #[clearance::memo]
    pub async fn count(
        &self,
        limit: impl Into<u64> + Copy + Eq + Hash + Send + Sync + 'static,
        prefix: Cow<'static, str>,
    ) -> Result<usize> {
        let query = Profile::select().limit(limit.into().min(Self::LIMIT));
        let all = self.db.reader(&access).all(query).await?;
        Ok(all.iter().filter(|profile| profile.name.starts_with(&*prefix)).count())
    }

    #[authenticated(access)]
    #[memo]
    #[cfg(any())]
    pub async fn left_out(&self) -> Result<Missing> {
        missing
    }

    #[authenticated(access)]
    #[memo]
    pub async fn sized<T: Default + 'static, const N: usize>(&self) -> Result<usize> {
        drop((access, T::default()));
        Ok(N)
    }
}

impl Users {
    fn checked(id: i64) -> std::result::Result<(), Failed> {
        if id > 0 { Ok(()) } else { Err(Failed) }
    }
}

#[derive(Debug)]
struct Failed;

impl From<clearance::Error> for Failed {
    fn from(_: clearance::Error) -> Self {
        Self
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Generic<T>(Db, PhantomData<T>);

#[repository(viewer = Member)]
impl<T: Clone + Eq + Hash + Send + Sync + 'static> Generic<T> {
    #[authenticated(access)]
    #[memo]
    pub async fn count(&self) -> Result<usize> {
        Ok(self.0.reader(&access).all(Profile::select()).await?.len())
    }
}

async fn explicit(users: &Users, context: &RequestContext) -> Result<()> {
    let _ = users.with(context).count(3_u32, "a".into()).await?;
    let _ = users.with(context).moved(1, Vec::new(), &[1]).await;
    let _ = users.with(context).sized::<u8, 3>().await?;
    Ok(())
}

fn main() {
    let _ = explicit;
    fn send<T: Send>(_: T) {}
    let _ = |users: &'static Users, other: &'static Generic<u8>| {
        send(users.name("ada"));
        send(users.moved(1, Vec::new(), &[]));
        send(other.count());
    };
}
