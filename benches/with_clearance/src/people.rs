//! People, and what each viewer may read of them.

use clearance::{Db, Dto, Entity, Field, Result, Roles, Secret, Viewer, repository};
use serde::Serialize;
use uuid::Uuid;

use crate::password;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles, Serialize)]
pub(crate) enum Role {
    Staff,
    Admin,
}

/// The viewer of a request.
#[derive(Viewer)]
pub(crate) struct Member {
    id: Uuid,
    role: Role,
    team: Option<String>,
}

#[derive(Entity)]
#[entity(table = "users", viewer = Member, read_if(!row.suspended || viewer.role >= Role::Admin))]
pub(crate) struct User {
    #[entity(key)]
    id: Uuid,
    #[entity(lookup)]
    slug: String,
    name: String,
    role: Role,
    team: Option<String>,
    email: String,
    phone: Option<String>,
    salary: i64,
    suspended: bool,
}

/// A person, as a viewer may see them.
#[derive(Dto)]
#[dto(entity = User)]
pub(crate) struct Profile {
    #[visible]
    name: String,
    #[visible]
    team: Option<String>,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team) || row.id == viewer.id)]
    email: Field<String>,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    salary: Field<i64>,
}

/// The columns that a viewer is made of.
#[derive(Dto)]
#[dto(entity = User, default = visible)]
pub(crate) struct Membership {
    id: Uuid,
    role: Role,
    team: Option<String>,
    suspended: bool,
}

impl Membership {
    pub(crate) fn member(self) -> Option<Member> {
        let Self {
            id,
            role,
            team,
            suspended,
        } = self;
        (!suspended).then_some(Member { id, role, team })
    }
}

/// The same table, as far as signing in needs it.
#[derive(Entity)]
#[entity(table = "users", viewer = Member, read_if(!row.suspended))]
pub(crate) struct Credential {
    #[entity(key)]
    id: Uuid,
    #[entity(lookup)]
    slug: String,
    suspended: bool,
    password_hash: Secret<String>,
}

#[derive(Dto)]
#[dto(entity = Credential, default = visible)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
}

#[derive(Clone)]
pub(crate) struct People {
    db: Db,
}

impl People {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }
}

#[repository(viewer = Member)]
impl People {
    #[authenticated(access)]
    pub(crate) async fn profile(&self, slug: &str) -> Result<Profile> {
        let person = Profile::select().lookup(User::SLUG, slug);
        self.db.reader(&access).one(person).await
    }

    /// Returns the account of the person whose password this is.
    #[public(access, reason = "whoever signs in is nobody yet")]
    pub(crate) async fn account(&self, slug: &str, password: String) -> Result<Option<Account>> {
        let people = self.db.reader(&access);
        let hash = people
            .secret(Credential::PASSWORD_HASH, Credential::SLUG, slug)
            .await?;
        let hash = hash.map(|hash| hash.expose_secret().clone());
        if !password::is_right(hash, password).await {
            return Ok(None);
        }
        let account = Account::select().lookup(Credential::SLUG, slug);
        people.optional(account).await
    }
}

clearance::app! {
    pub(crate) static APP = {
        viewer: Member,
        dtos: [Profile, Membership, Account],
        repositories: [People],
    };
}
