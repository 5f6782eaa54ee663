//! A data access layer with authorization, for servers: a repository method runs only for a verified viewer,
//! and its result holds only the fields that this viewer may see.
//!
//! Both are decided next to the data. A rule is written once, on the row or the field it is about, and is
//! checked by the Rust compiler. The library evaluates it for the viewer; the residual becomes part of the
//! SQL, so that a hidden value does not leave the database.
//!
//! # Example
//!
//! A row, a DTO of it, and two viewers. Rows in memory are projected by the same rules as those of a query,
//! so this needs no database:
//!
//! ```
//! use clearance::testing::as_viewer;
//! use clearance::{Access, Dto, Entity, Field, Read, Result, Roles, Viewer};
//!
//! #[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
//! enum Role { Staff, Admin }
//!
//! #[derive(Viewer)]
//! struct Member { id: i64, role: Role, team: Option<String> }
//!
//! #[derive(Entity)]
//! #[entity(table = "users", viewer = Member, read_if(!row.suspended || viewer.role >= Role::Admin))]
//! struct User {
//!     #[entity(key)] id: i64,
//!     name: String,
//!     team: Option<String>,
//!     phone: Option<String>,
//!     suspended: bool,
//! }
//!
//! #[derive(Dto)]
//! #[dto(entity = User)]
//! struct Profile {
//!     #[visible] name: String,
//!     #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
//!     phone: Field<Option<String>>,
//! }
//!
//! async fn phone_as(viewer: Member) -> Result<Vec<Field<Option<String>>>> {
//!     let ada = User {
//!         id: 1,
//!         name: "Ada".into(),
//!         team: Some("Research".into()),
//!         phone: Some("555-0100".into()),
//!         suspended: false,
//!     };
//!     let request = as_viewer(viewer);
//!     let profiles = request.scope(async {
//!         let access = Access::<Read<Member>>::authenticated().await?;
//!         access.project::<Profile>([ada]).await
//!     });
//!     Ok(profiles.await?.into_iter().map(|profile| profile.phone).collect())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let colleague = Member { id: 2, role: Role::Staff, team: Some("Research".into()) };
//! assert_eq!(phone_as(colleague).await?, [Field::Visible(Some("555-0100".into()))]);
//!
//! // Two people without a team are not on the same one.
//! let stranger = Member { id: 3, role: Role::Staff, team: None };
//! assert_eq!(phone_as(stranger).await?, [Field::Hidden]);
//! # Ok(())
//! # }
//! ```
//!
//! `docs/guide/program.md` has a whole program, and `examples/quickstart` prints its SQL.
//!
//! # What a program consists of
//!
//! 1. A viewer type, with [`#[derive(Viewer)]`](macro@Viewer), and a [`ViewerSource`] that loads
//!    it. [`Roles`](macro@Roles) and [`TextEnum`](macro@TextEnum) are for enums in columns.
//! 2. For each table an entity, with [`#[derive(Entity)]`](macro@Entity): its columns, and who
//!    may read, create, update and delete its rows.
//! 3. For each answer a DTO, with [`#[derive(Dto)]`](macro@Dto): its fields, and who may see them.
//! 4. Repositories, with [`#[repository]`](macro@repository): methods that each say who may call
//!    them, and query through [`Db::reader`] and [`Db::writer`].
//! 5. [`Sessions`], built once from a [`Key`], a [session store](session::SessionStore) and the
//!    viewer source; and one [`SessionLayer`] around the router, or a [`RequestContext`] by hand.
//! 6. An [`app!`] that lists DTOs, inputs and repositories, for [`Db::check`] when the program starts.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | viewer | the authenticated user on whose behalf a request runs |
//! | subject | the id of a viewer inside a session, kept as text |
//! | session | the server's record that a subject signed in |
//! | optimistic, verified, current | three levels, three types: read from the cookie alone; checked against the store, or a cache of it no older than the bound; checked against the store in this very call |
//! | entity | a row as stored; it never leaves a repository |
//! | DTO | what may leave: a list of fields, each with its rule |
//! | rule, policy | an expression over viewer, row and context; it allows, denies or fails, and a failure is neither |
//! | access | the proof that a rule allowed this call, bound to its request |
//! | repository | the type whose methods are the only way to the database |
//! | request context | one for each request: credential, verified session, circumstances |
//!
//! # How a request flows
//!
//! ```text
//! request -> gates, which may answer -> handler
//! cookie -> RequestContext, one for each request
//!   repository method -> verify_session(): this request's cell -> cache -> store and viewer source
//!                     -> rule of the method -> Access
//!   query: fields and rules of the DTO -> filled in with the viewer -> SQL -> DTO
//! ```
//!
//! Each step can refuse: not signed in (401), not allowed (403), not there or not yours (404), a query that
//! is not valid (400), a body of another media type (415), fields that are not valid (422), conflict (409),
//! unavailable (503). [`Error`] has a predicate for each of them.
//!
//! # Features
//!
//! | feature | default | gives | leave it off |
//! |---|---|---|---|
//! | `sqlite` | yes | SQLite, bundled | when another engine is the only one in use |
//! | `postgres` | no | PostgreSQL 15 or later | when another engine is the only one in use |
//! | `mysql` | no | MySQL 8 and MariaDB 10.11 or later | when another engine is the only one in use |
//! | `redis` | no | sessions in Redis or Valkey | when sessions are kept elsewhere |
//! | `derive` | yes | the derives and attributes | to write guards and shapes by hand, without a proc-macro build |
//! | `tower` | no | the layers for hyper, and for whatever else is built on tower and http | with frameworks that are not |
//! | `axum`, `actix-web`, `rocket`, `poem`, `salvo`, `warp`, `tonic` | no | the layers, extractors and answers of that framework | with any other one |
//! | `gates` | no | rules of routes by path, and the addresses of clients behind proxies: [`RouteRules`](route::RouteRules) and [`TrustedProxies`](route::TrustedProxies); the other [gates](route) need no feature | where routers and repositories decide alone |
//! | `garde` | no | the validation of input types, by garde 0.23 | where values are checked by hand |
//! | `accounts` | no | the module `account`: tables of users, of their accounts at identity providers and of verification tokens | where the application has its own table of users |
//! | `testing` | no | the module [`testing`] | in every release build: it makes viewers out of nothing |
//!
//! No feature changes what a rule means or what a session accepts.
//!
//! # Where to look
//!
//! - [`policy`]: the rule language, and its evaluation.
//! - [`entity`]: column types, keys and lookups, secrets.
//! - [`dto`]: fields, hidden values, masks, filters and orders.
//! - [`repository`](mod@repository): accesses, reading, writing, what may leave.
//! - [`input`](mod@input): the bodies that clients send to be written.
//! - [`session`]: sessions, their limits, cookie and stores.
//! - [`token`]: signed and encrypted tokens.
//! - [`route`]: gates before handlers: rules of routes, guards, forged requests.
//! - [`adapter`]: the frameworks.
//! - [`testing`]: tools for an application's own tests.
//! - The crate `clearance-matrix`: who may do and see what, made from an [`App`] and kept under review.
//!
//! The library logs through `tracing`, with stable targets: `clearance::sql` and `clearance::explain`
//! (debug), `clearance::session`, `clearance::token`, `clearance::access` and `clearance::audit` (info),
//! `clearance::database` and `clearance::check` (warn) and `clearance::failure` (error). No event holds a
//! secret, a token or a row's value, except the key of a row that is written. [`Db::audited`] records each
//! decision on a write in a sink of your own.
#[cfg(target_family = "wasm")]
compile_error!(
    "`clearance` is for servers only: it verifies sessions and holds keys, which must never be part of what a browser downloads. Depend on it from the server's crate alone."
);

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!(
    "`clearance` needs a database engine: turn on the feature `sqlite`, `postgres` or `mysql`"
);

#[cfg(feature = "accounts")]
pub mod account;
#[cfg(any(
    feature = "tower",
    feature = "actix-web",
    feature = "rocket",
    feature = "poem",
    feature = "salvo"
))]
pub mod adapter;
mod answer;
pub mod audit;
mod bounded;
mod clock;
mod driver;
pub mod dto;
pub mod entity;
mod error;
mod events;
pub mod input;
pub mod limits;
pub mod policy;
pub mod registry;
pub mod repository;
mod request;
mod roles;
pub mod route;
mod schema;
mod scope;
pub mod session;
mod sql;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
mod viewer;

#[cfg(any(
    feature = "tower",
    feature = "actix-web",
    feature = "rocket",
    feature = "poem",
    feature = "salvo"
))]
pub use adapter::SessionLayer;
pub use async_trait::async_trait;
#[cfg(feature = "derive")]
pub use clearance_derive::{authenticated, authorize, memo, public};
pub use clock::{Clock, SystemClock};
pub use driver::{Db, Pool};
pub use dto::{Dto, Field, FieldName};
pub use entity::{Entity, Secret, TextEnum};
pub use error::{Error, FieldError, Result};
pub use input::{Incoming, Input, Patch};
pub use registry::App;
pub use repository::{
    Access, CanSee, CanSet, Permission, Public, Read, Release, System, Untrusted, Valid, Write,
};
pub use request::{RequestContext, in_current_scope, spawn, verify_session};
pub use roles::Roles;
pub use session::viewer_source::{SourceError, ViewerSource};
#[doc(inline)]
pub use session::{Current, Fresh, Key, Optimistic, SessionId, Sessions, Verified};
#[cfg(feature = "postgres")]
pub use tables::PostgresChannel;
pub use tables::SqlSessionStore;
pub use viewer::{Subject, Viewer};

#[cfg(feature = "derive")]
#[doc = include_str!("docs/dto.md")]
pub use clearance_derive::Dto;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/entity.md")]
pub use clearance_derive::Entity;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/input.md")]
pub use clearance_derive::Input;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/patch.md")]
pub use clearance_derive::Patch;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/release.md")]
pub use clearance_derive::Release;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/roles.md")]
pub use clearance_derive::Roles;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/text_enum.md")]
pub use clearance_derive::TextEnum;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/viewer.md")]
pub use clearance_derive::Viewer;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/repository.md")]
pub use clearance_derive::repository;
#[cfg(feature = "derive")]
#[doc = include_str!("docs/rule.md")]
pub use clearance_derive::rule;

/// The API for generated code. Not covered by semantic versioning.
#[doc(hidden)]
pub mod __private {
    pub use serde;

    pub use crate::dto::column_type::{ColumnType, NoColumnType};
    pub use crate::dto::nested::generated::*;
    pub use crate::dto::number::{AsItIs, Writing};
    pub use crate::dto::{FieldSpec, Mask, Output, ReadFields, Shape, Visibility, VisitNested};
    pub use crate::entity::relation::generated::*;
    pub use crate::entity::{
        ColumnSpec, Many, One, Operation, ReadCells, Related, RelationSpec, RowRules, Storable,
        Table,
    };
    pub use crate::input::generated::*;
    pub use crate::policy::generated::*;
    pub use crate::policy::rule::{Computed, RuleInput, named};
    pub use crate::policy::{Cell, Context, Expr, Op, Operand, Rule, Source};
    pub use crate::registry::{Repository, dto_info, entity_info, input_info, repository_info};
    pub use crate::repository::access::allowed;
    pub use crate::repository::memo::{MemoKey, recall, remember, run};
    pub use crate::repository::release::Checked;
    pub use crate::repository::release::generated::*;
    pub use crate::repository::select::select;
    pub use crate::viewer::subject;
}

/// The API for the crate `clearance-matrix`. Not covered by semantic versioning: the two are released in lock-step.
#[doc(hidden)]
#[path = "matrix.rs"]
pub mod __matrix;

/// The entry points of the fuzz targets, which are not part of the public API.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod __fuzzing {
    /// Parses `data` as the text of a cursor, and as the sealed contents of one.
    pub fn cursor(data: &[u8]) {
        crate::repository::fuzz_cursor(data);
    }

    /// Parses `data` as the body of a request.
    pub fn body(data: &[u8]) {
        crate::input::fuzz_body(data);
    }
}

/// Compiles the programs in the README and the guide.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/guide/program.md")]
    struct Program;

    #[doc = include_str!("../docs/guide/writing.md")]
    struct Writing;

    #[doc = include_str!("../docs/guide/audit.md")]
    struct Audit;

    #[doc = include_str!("../docs/guide/sessions.md")]
    struct Sessions;
}
