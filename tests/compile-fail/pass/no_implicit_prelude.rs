#![no_implicit_prelude]
#![deny(missing_docs, unused, warnings, clippy::pedantic)]
//! Generated code needs no prelude, and passes the strictest lints of a user.
use ::clearance::{Db, Dto, Entity, Field, Release, Result, Roles, Secret, TextEnum, Viewer, repository, rule};
use ::clearance::policy::Context;
use ::std::string::String;
use ::std::vec::Vec;
use ::std::option::Option;
use ::std::clone::Clone;
use ::std::marker::Copy;
use ::std::fmt::Debug;
use ::std::cmp::{PartialEq, Eq};

/// Role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub enum Role {
    /// Low.
    Viewer,
    /// High.
    Admin,
}

/// Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
pub enum Status {
    /// Draft.
    Draft,
    /// In review.
    #[text_enum(name = "review")]
    InReview,
}

/// Member.
#[derive(Debug, Viewer)]
pub struct Member {
    /// Id.
    pub id: i64,
    /// Role.
    pub role: Option<Role>,
    /// Team.
    pub team: Option<String>,
    /// Limit.
    pub limit: i64,
}

/// User.
#[derive(Entity)]
#[entity(table = "users", viewer = Member, read_if(!row.suspended || viewer.role >= Role::Admin), read_unless(row.status == Status::Draft && row.limit > 3))]
#[entity(create_if(true), update_if(viewer.id == row.id), delete_if(rule = can_see_phone))]
pub struct User {
    /// Id.
    #[entity(key)]
    pub id: i64,
    /// Slug.
    #[entity(lookup, column = "slug_text")]
    pub slug: String,
    /// Phone.
    pub phone: Option<String>,
    /// Email.
    pub email: String,
    /// Team.
    pub team: Option<String>,
    /// Suspended.
    pub suspended: bool,
    /// Limit.
    pub limit: i64,
    /// Status.
    pub status: Status,
    /// Type.
    pub r#type: String,
    /// Hash.
    pub hash: Secret<String>,
}

/// A rule.
#[rule]
pub fn can_see_phone(viewer: &Member, row: &User) -> bool {
    viewer.role >= Role::Admin || same(viewer.team, row.team)
}

fn holiday(_: &Member, _: &User, _: &Context) -> bool {
    true
}

fn blur(value: String) -> String {
    value
}

/// Profile.
#[derive(Dto)]
#[dto(entity = User, default = visible)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Id.
    pub id: i64,
    /// Phone.
    #[visible_if(rule = can_see_phone)]
    #[hidden_if(row.suspended || context.address.is_none())]
    pub phone: Field<Option<String>>,
}

/// Other.
#[derive(Dto)]
#[dto(entity = User)]
#[serde(rename_all = "camelCase")]
pub struct Other {
    /// Id.
    #[visible]
    pub id: i64,
    /// Phone.
    #[visible_if(rule = can_see_phone)]
    #[hidden_if(row.suspended || context.address.is_none())]
    pub phone: Field<Option<String>>,
    /// Email.
    #[visible_if(row.limit <= viewer.limit && [1, 2].contains(&row.limit) && row.team.is_some())]
    #[dto(mask = domain)]
    pub email: String,
    /// Slug.
    #[visible_if(opaque(holiday) && (viewer.limit > 3 || row.r#type != "x"))]
    #[dto(mask_in_process = blur)]
    pub slug: String,
    /// Type.
    #[serde(rename = "kind")]
    #[visible_if(viewer.limit > 3)]
    #[dto(hidden = error)]
    pub r#type: String,
    /// Team.
    #[visible_if(viewer.limit > 3 || context.address.is_some())]
    pub team: Option<String>,
    /// Limit.
    #[visible_if(false)]
    #[dto(hidden = omit)]
    pub limit: Option<i64>,
}

/// Both.
#[derive(Release)]
pub struct Both {
    /// One.
    pub one: Vec<Other>,
}

/// Users.
#[derive(Debug)]
pub struct Users {
    db: Db,
}

#[repository(viewer = Member)]
impl Users {
    /// Profile.
    ///
    /// # Errors
    /// Some.
    #[authenticated(access)]
    pub async fn profile(&self, slug: &str) -> Result<Other> {
        self.db.reader(&access).one(Other::select().lookup(User::SLUG, slug)).await
    }

    /// All.
    ///
    /// # Errors
    /// Some.
    #[authorize(access: Write, if viewer.limit > limit && context.address.is_none())]
    pub async fn all(&self, limit: i64) -> Result<Vec<Other>> {
        self.db.writer(&access).all(Other::select().limit(3)).await
    }

    /// Public.
    ///
    /// # Errors
    /// Some.
    #[public(access, reason = "names")]
    pub async fn some(&self) -> Result<Both> {
        ::std::result::Result::Ok(Both { one: self.db.reader(&access).all(Other::select()).await? })
    }
}

fn main() {}
