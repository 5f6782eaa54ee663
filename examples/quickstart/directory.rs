//! The application: who its viewers are, what its table holds, and who may see what of it.
//!
//! This file is what a user of the library writes. The others build a demonstration around it.

use clearance::{
    Access, Db, Dto, Entity, Field, Result, Roles, Secret, SourceError, Subject, Viewer,
    ViewerSource, async_trait, repository, rule,
};
use serde::Serialize;
use uuid::Uuid;

/// The roles of the company, from the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Staff,
    Lead,
    Admin,
}

/// Who asks.
#[derive(Viewer)]
pub(crate) struct Member {
    pub(crate) id: Uuid,
    pub(crate) role: Role,
    pub(crate) team: Option<String>,
}

/// A row of `users`, as stored. It never leaves the repository.
#[derive(Entity)]
#[entity(
    table = "users",
    viewer = Member,
    read_if(!row.suspended || viewer.role >= Role::Admin),
    update_if(viewer.role >= Role::Admin || same(viewer.team, row.team))
)]
pub(crate) struct User {
    #[entity(key)]
    pub(crate) id: Uuid,
    #[entity(lookup)]
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) team: Option<String>,
    pub(crate) email: String,
    pub(crate) phone: Option<String>,
    pub(crate) birthday: Option<String>,
    pub(crate) salary: i64,
    pub(crate) notes: Option<String>,
    pub(crate) suspended: bool,
    pub(crate) password_hash: Secret<String>,
}

/// Who may see what concerns a person's work: their own team, and admins.
#[rule]
pub(crate) fn colleague(viewer: &Member, row: &User) -> bool {
    viewer.role >= Role::Admin || same(viewer.team, row.team)
}

/// A person, as others see them.
#[derive(Dto)]
#[dto(entity = User)]
pub(crate) struct Profile {
    #[visible]
    pub(crate) id: Uuid,
    #[visible]
    pub(crate) name: String,
    #[visible]
    pub(crate) team: Option<String>,
    #[visible_if(rule = colleague)]
    #[dto(mask = domain)]
    pub(crate) email: String,
    #[visible_if(rule = colleague)]
    pub(crate) phone: Field<Option<String>>,
    #[visible_if(rule = colleague)]
    pub(crate) birthday: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub(crate) salary: Field<i64>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub(crate) notes: Field<Option<String>>,
}

/// The one thing that signing in has to know.
#[derive(Dto)]
#[dto(entity = User, default = visible)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
}

/// What a [`Member`] is made of.
#[derive(Dto)]
#[dto(entity = User, default = visible)]
pub(crate) struct Membership {
    pub(crate) id: Uuid,
    pub(crate) role: Role,
    pub(crate) team: Option<String>,
    pub(crate) suspended: bool,
}

/// The only way to the table of users.
#[derive(Clone)]
pub(crate) struct Users {
    pub(crate) db: Db,
}

#[repository(viewer = Member)]
impl Users {
    /// The person called `slug`.
    #[authenticated(access)]
    pub(crate) async fn profile(&self, slug: &str) -> Result<Profile> {
        let profile = Profile::select().lookup(User::SLUG, slug);
        self.db.reader(&access).one(profile).await
    }

    /// Everybody, by name.
    #[authenticated(access)]
    pub(crate) async fn everybody(&self) -> Result<Vec<Profile>> {
        let profiles = Profile::select().order(Profile::NAME.asc());
        self.db.reader(&access).all(profiles).await
    }

    /// Gives a person another name. Whose, is decided by `update_if` of the row.
    #[authorize(access: Write, if viewer.role >= Role::Lead)]
    pub(crate) async fn rename(&self, slug: &str, name: &str) -> Result<Profile> {
        let users = self.db.writer(&access);
        let found = users
            .one(Profile::select().lookup(User::SLUG, slug))
            .await?;
        let renamed = users.update::<User>(found.id).set(User::NAME, name);
        // That the row exists is no secret: it was just shown.
        renamed.forbidden_if_denied().execute().await?;
        users
            .one(Profile::select().lookup(User::ID, found.id))
            .await
    }

    /// Whose account `slug` is.
    #[public(access, reason = "nobody is signed in yet when somebody signs in")]
    pub(crate) async fn account(&self, slug: &str) -> Result<Account> {
        let account = Account::select().lookup(User::SLUG, slug);
        self.db.reader(&access).one(account).await
    }
}

/// Loads the viewer of a session, from the same table.
pub(crate) struct Members {
    pub(crate) db: Db,
}

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        let Ok(id) = subject.parse::<Uuid>() else {
            return Ok(None);
        };
        let access = Access::system("the viewer of a session is loaded before there is one")?;
        let member = Membership::select().lookup(User::ID, id);
        let found = self.db.reader(&access).optional(member).await?;
        Ok(found.filter(|found| !found.suspended).map(|found| Member {
            id: found.id,
            role: found.role,
            team: found.team,
        }))
    }
}

clearance::app! {
    /// What `db.check` compares with the database when the program starts.
    pub(crate) static APP = {
        viewer: Member,
        dtos: [Profile, Account, Membership],
        repositories: [Users],
    };
}
