//! What may leave a repository.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Cursor, Group, Rows, Slice};
use crate::dto::{Field, Record};
use crate::policy::Value;

/// A type that a repository method may return: DTOs, collections of them, and plain values.
///
/// An entity is not among them. A struct of one's own that puts several DTOs together is, with
/// `#[derive(Release)]`.
///
/// # Example
///
/// ```
/// use clearance::{Dto, Release};
/// # use clearance::{Entity, Viewer};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64 }
///
/// #[derive(Dto)]
/// #[dto(entity = User, default = visible)]
/// struct Profile { id: i64 }
///
/// #[derive(Release)]
/// struct Team { lead: Profile, members: Vec<Profile> }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` may not leave a repository",
    label = "this is not a DTO",
    note = "return a `#[derive(Dto)]` type; a row of a table stays inside",
    note = "a struct that puts DTOs together may leave with `#[derive(Release)]`"
)]
pub trait Release {}

macro_rules! plain {
    ($($plain:ty),*) => {$(
        impl Release for $plain {}
    )*};
}

plain!(
    (),
    bool,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
    usize,
    f64,
    String,
    Uuid,
    DateTime<Utc>
);

impl<T: Release> Release for Vec<T> {}
impl<T: Release> Release for Option<T> {}
impl<T: Release> Release for Box<T> {}
impl<T: Release> Release for Field<T> {}
impl<D: Release> Release for Rows<D> {}
impl<E> Release for Record<E> {}
impl<D: Release> Release for Slice<D> {}
impl Release for Cursor {}
impl<T: Release> Release for Group<T> {}
impl Release for Value {}
impl<A: Release, B: Release> Release for (A, B) {}
impl<A: Release, B: Release, C: Release> Release for (A, B, C) {}

/// The return type of a repository method.
#[diagnostic::on_unimplemented(
    message = "a repository method returns a `Result`, not `{Self}`",
    label = "this return type",
    note = "every guard can refuse: write `Result<T, E>` with any `E: From<clearance::Error>`"
)]
pub trait Returned {}

impl<T: Release, E: From<crate::Error>> Returned for std::result::Result<T, E> {}

/// Lets the compiler check a return type; called by generated code.
pub const fn returned<T: Returned>() {}
