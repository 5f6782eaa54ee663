//! Data access layer.
#[cfg(target_family = "wasm")]
compile_error!(
    "`clearance` is for servers only: it verifies sessions and holds keys, which must never be part of what a browser downloads. Depend on it from the server's crate alone."
);

#[cfg(feature = "axum")]
mod adapter;
mod audit;
mod clock;
pub mod dto;
pub mod entity;
mod error;
pub mod policy;
mod registry;
pub mod repository;
mod request;
mod roles;
pub mod session;
mod sql;
#[cfg(feature = "testing")]
pub mod testing;
mod viewer;

#[cfg(feature = "axum")]
pub use adapter::{ScopedBody, ScopedFuture, SessionLayer, SessionService};
pub use async_trait::async_trait;
#[cfg(feature = "derive")]
pub use clearance_derive::{
    Dto, Entity, Release, Roles, TextEnum, Viewer, authenticated, authorize, public, repository,
    rule,
};
pub use clock::{Clock, SystemClock};
pub use dto::{Dto, Field, Token};
pub use entity::{Column, Entity, Scalar, Secret, TextEnum};
pub use error::{Error, Result};
pub use registry::{Action, App, DtoInfo, FieldInfo, Guard, MethodInfo, RepositoryInfo};
pub use repository::{Access, Public, Read, Release, Rows, System, Write};
pub use request::{RequestContext, in_current_scope, spawn, verify_session};
pub use roles::Roles;
pub use session::{Current, Key, Optimistic, SessionId, Sessions, Verified};
pub use sql::{Db, Pool, SqlSessionStore};
pub use viewer::{SourceError, Subject, Viewer, ViewerSource};

/// What generated code calls. Not covered by semantic versioning.
#[doc(hidden)]
pub mod __private {
    pub use serde;

    pub use crate::dto::{FieldSpec, Mask, Output, Shape, Visibility};
    pub use crate::entity::{ColumnSpec, Operation, RowRules, Storable, Table};
    pub use crate::policy::comparand::generated::*;
    pub use crate::policy::rule::{Computed, Input};
    pub use crate::policy::{Cell, Context, Expr, Op, Operand, Rule, Source};
    pub use crate::registry::{Repository, dto_info, repository_info};
    pub use crate::repository::release::returned;
    pub use crate::sql::Cells;

    /// The cell of a field, for `Entity::__cell`.
    pub fn cell<T: Storable>(field: &T) -> Cell<'_> {
        field.cell()
    }
}
