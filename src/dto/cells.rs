//! Rows as a query returns them, read field by field into DTOs.

use super::{Field, Hideable, Maskable, Nested};
use crate::entity::Column;
use crate::error::Result;
use crate::schema::{Cell, Kind, Scalar, Storable};

/// A row that a DTO is read from, with the visibility of its fields.
#[doc(hidden)]
pub trait ReadFields {
    /// Returns whether a field is visible.
    fn is_shown(&self, field: usize) -> Result<bool>;

    /// Returns the stored value of a field, whether it is visible or not.
    fn cell(&self, field: usize, kind: Kind) -> Result<Cell<'_>>;

    /// Marks a field as one with a stored value that it cannot have.
    fn mark(&self, field: usize);

    /// Reads a field that is never hidden.
    fn shown<C: Storable>(&mut self, field: usize) -> Result<C>;

    /// Reads a field that can represent a hidden value.
    fn hideable<E, C: Scalar, U, D: Hideable<C>>(
        &mut self,
        field: usize,
        column: Column<E, C, U>,
    ) -> Result<D>;

    /// Reads a `Field`, whose type tells that of its column.
    fn in_field<C: Scalar>(&mut self, field: usize) -> Result<Field<C>>;

    /// Reads a field whose hidden value refuses the read.
    fn or_error<C: Storable>(&mut self, field: usize) -> Result<C>;

    /// Reads a field that the database masks where it is hidden.
    fn masked<C: Storable + Maskable>(&mut self, field: usize) -> Result<C>;

    /// Reads a field that `mask` masks where it is hidden.
    fn masked_in_process<C: Storable>(
        &mut self,
        field: usize,
        mask: impl FnOnce(C) -> C,
    ) -> Result<C>;

    /// Reads an input of a computed field.
    fn input<E, C: Scalar, U>(
        &self,
        field: usize,
        number: usize,
        column: Column<E, C, U>,
    ) -> Result<C>;

    /// Reads the related rows that a field shows.
    fn nested<N: Nested>(&mut self, field: usize) -> Result<N>;
}
