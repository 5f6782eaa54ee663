//! Names of columns as typed constants.

use std::fmt;
use std::marker::PhantomData;

use super::Entity;

/// The name of a column of entity `E` whose values are `T`, as a constant of the entity:
/// `User::SLUG`.
///
/// The third parameter says what the column may be used for: [`Key`] and [`Lookup`] columns can
/// be looked up by equality though no DTO shows them, a [`Filtered`] one can be filtered by where
/// its rule allows it, a [`Plain`] one can only be written.
pub struct Column<E, T, U = Plain> {
    field: &'static str,
    marker: Marker<E, T, U>,
}

/// Ties a name to its types without holding any of them.
type Marker<E, T, U> = PhantomData<fn() -> (E, T, U)>;

/// The key of its entity.
#[derive(Debug)]
#[non_exhaustive]
pub struct Key;

/// A column that its entity declares `lookup`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lookup;

/// A column that its entity declares with `filter_if`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Filtered;

/// A column that is none of these.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plain;

/// What a column must be to be looked up by.
#[diagnostic::on_unimplemented(
    message = "this column cannot be looked up by",
    note = "filter by a field of the DTO, or declare the column with `#[entity(lookup)]` if looking it up by equality may tell that it exists"
)]
pub trait Searchable: sealed::Sealed {}

impl Searchable for Key {}
impl Searchable for Lookup {}

/// What a column must be to be assigned in an update.
#[diagnostic::on_unimplemented(
    message = "the key of a row cannot be assigned",
    note = "a row keeps its key; delete it and insert another"
)]
pub trait Assignable: sealed::Sealed {}

/// What a column must be to be filtered by although its DTO does not show it.
#[diagnostic::on_unimplemented(
    message = "this column cannot be filtered by",
    note = "filter by a field of the DTO, look a key or lookup column up with `lookup`, or say who may filter by the column with `#[entity(filter_if(..))]`"
)]
pub trait Filterable: sealed::Sealed {}

impl Filterable for Filtered {}

impl Assignable for Filtered {}
impl Assignable for Lookup {}
impl Assignable for Plain {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Filtered {}
    impl Sealed for super::Key {}
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

    /// The name of the field in Rust.
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
