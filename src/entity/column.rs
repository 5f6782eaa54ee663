//! Names of columns as typed constants.

use std::fmt;
use std::marker::PhantomData;

use super::Entity;

/// A column of entity `E` whose values are `T`, by its name, as a constant of the entity: `User::SLUG`.
///
/// The third parameter says how queries may use the column: [`PrimaryKey`] and [`Lookup`] columns can be looked up
/// by equality although no DTO shows them, a [`Filtered`] one can be filtered by where its rule allows it,
/// and a [`Plain`] one can only be written.
pub struct Column<E, T, U = Plain> {
    field: &'static str,
    marker: Marker<E, T, U>,
}

/// A marker that ties a name to its types without holding any of them.
type Marker<E, T, U> = PhantomData<fn() -> (E, T, U)>;

/// The use of the column that is its entity's key.
#[derive(Debug)]
#[non_exhaustive]
pub struct PrimaryKey;

/// The use of a column that its entity declares `lookup`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lookup;

/// The use of a column that its entity declares with `filter_if`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Filtered;

/// The use of a column that is none of these.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plain;

/// The uses of a column that allow a lookup by equality: [`PrimaryKey`] and [`Lookup`].
#[diagnostic::on_unimplemented(
    message = "this column cannot be looked up by",
    note = "filter by a field of the DTO, or declare the column with `#[entity(lookup)]` if a lookup by equality may reveal that a value exists"
)]
pub trait Searchable: sealed::Sealed {}

impl Searchable for PrimaryKey {}
impl Searchable for Lookup {}

/// The uses of a column that allow an assignment in an update: every one but [`PrimaryKey`].
#[diagnostic::on_unimplemented(
    message = "the key of a row cannot be assigned",
    note = "a row keeps its key; delete it and insert another"
)]
pub trait Assignable: sealed::Sealed {}

/// The uses of a column that allow filters although its DTO does not show it: [`Filtered`].
#[diagnostic::on_unimplemented(
    message = "this column cannot be filtered by",
    note = "filter by a field of the DTO, find rows by a key or lookup column with `lookup`, or say who may filter by the column with `#[entity(filter_if(..))]`"
)]
pub trait Filterable: sealed::Sealed {}

impl Filterable for Filtered {}

impl Assignable for Filtered {}
impl Assignable for Lookup {}
impl Assignable for Plain {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Filtered {}
    impl Sealed for super::PrimaryKey {}
    impl Sealed for super::Lookup {}
    impl Sealed for super::Plain {}
}

impl<E: Entity, T, U> Column<E, T, U> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(field: &'static str) -> Self {
        Self {
            field,
            marker: PhantomData,
        }
    }

    /// Returns the name of the field in Rust.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl<E, T, U> Clone for Column<E, T, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, T, U> Copy for Column<E, T, U> {}

impl<E, T, U> fmt::Debug for Column<E, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Column").field(&self.field).finish()
    }
}
