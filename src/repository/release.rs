//! The `Release` trait: types that a repository method may return.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Cursor, Group, Rows, Slice};
use crate::dto::{Field, Record};
use crate::policy::Value;

/// A type that a repository method may return: DTOs, collections of them, and plain values.
///
/// An entity is not among them, and cannot be made one. A struct that combines several DTOs is one with
/// `#[derive(Release)]`, which requires it of every field; there is no other way to implement the
/// trait.
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
    note = "a struct that combines DTOs may leave with `#[derive(Release)]`"
)]
pub trait Release: Checked {}

/// A type whose content was checked by a derive; implemented beside [`Release`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`Release` of `{Self}` is not written by a derive, so nothing checked its fields",
    label = "this may hold a row",
    note = "write `#[derive(Release)]`, which checks that every field may leave, or `#[derive(Dto)]` for a type that shows rows"
)]
pub trait Checked {}

macro_rules! may_leave {
    ($([$($parameters:tt)*] $type:ty;)*) => {$(
        impl<$($parameters)*> Checked for $type {}
        impl<$($parameters)*> Release for $type {}
    )*};
}
pub(super) use may_leave;

may_leave! {
    [] ();
    [] bool;
    [] i8;
    [] i16;
    [] i32;
    [] i64;
    [] u8;
    [] u16;
    [] u32;
    [] u64;
    [] usize;
    [] f64;
    [] String;
    [] Uuid;
    [] DateTime<Utc>;
    [] Value;
    [] Cursor;
    [T: Release] Vec<T>;
    [T: Release] Option<T>;
    [T: Release] Box<T>;
    [T: Release] Field<T>;
    [D: Release] Rows<D>;
    [D: Release] Slice<D>;
    [T: Release] Group<T>;
    [E] Record<E>;
    [A: Release, B: Release] (A, B);
    [A: Release, B: Release, C: Release] (A, B, C);
}

/// The return type of a repository method.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a repository method returns a `Result`, not `{Self}`",
    label = "this return type",
    note = "every guard can refuse: write `Result<T, E>` with any `E: From<clearance::Error>`"
)]
pub trait Returned {
    type Error;
}

impl<T: Release, E: From<crate::Error>> Returned for std::result::Result<T, E> {
    type Error = E;
}

/// The functions that generated code calls, so that the compiler refuses types that would let a row
/// out.
#[doc(hidden)]
pub(crate) mod generated {
    use std::marker::PhantomData;

    use super::{Release, Returned};
    use crate::entity::Entity;

    /// Checks a return type, and returns the probe for its error type.
    #[must_use]
    pub const fn returned<T: Returned>() -> Inside<T::Error> {
        inside()
    }

    /// Returns the probe for `T`.
    #[must_use]
    pub const fn inside<T: ?Sized>() -> Inside<T> {
        Inside(PhantomData)
    }

    /// A probe for a trait that `T` must not implement.
    ///
    /// Method resolution picks the inherent method below if its bound holds, which then requires a
    /// trait that nothing implements, and otherwise the method of [`Otherwise`].
    pub struct Inside<T: ?Sized>(PhantomData<fn(&T)>);

    impl<T: serde::Serialize> Inside<T> {
        pub fn check_unserialized(self)
        where
            T: Unserialized,
        {
        }
    }

    impl<T: Release> Inside<T> {
        pub fn check_unreleased(self)
        where
            T: Unreleased,
        {
        }
    }

    impl<T: Entity> Inside<T> {
        pub fn check_no_entity(self)
        where
            T: NoEntity,
        {
        }
    }

    /// The methods of all types for which no inherent method applies.
    pub trait Otherwise: Sized {
        fn check_unserialized(self) {}
        fn check_unreleased(self) {}
        fn check_no_entity(self) {}
    }

    impl<T: ?Sized> Otherwise for Inside<T> {}

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is an entity, and an entity is not serialised",
        label = "the row of a table",
        note = "remove `Serialize`: show the row by a `#[derive(Dto)]` type, field by field"
    )]
    pub trait Unserialized {}

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is an entity, and an entity does not leave its repository",
        label = "the row of a table",
        note = "remove `Release`: show the row by a `#[derive(Dto)]` type, field by field"
    )]
    pub trait Unreleased {}

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is an entity, and an entity does not leave its repository, not even in an error",
        label = "an error of this method is or holds a row",
        note = "put only data into the error that may be disclosed, such as the fields of a `#[derive(Dto)]` type"
    )]
    pub trait NoEntity {}
}
