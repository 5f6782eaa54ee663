//! Reads of columns by the types of fields, called by generated code.

use std::marker::PhantomData;

use super::{Field, Maskable, ReadFields};
use crate::entity::ReadCells;
use crate::error::{Error, Result};
use crate::schema::{Cell, Scalar, Storable};

/// A type of field. Its functions read a column of this type if there is one; else those of [`NoColumnType`]
/// take their place.
///
/// A field is read and written at several places. With bounds at all of them, a field whose type no column
/// has would be refused once for each; so the table of an entity refuses it, and the conversion of a row to
/// a DTO, and nothing else.
#[derive(Debug)]
pub struct ColumnType<T>(PhantomData<T>);

impl<T: Storable> ColumnType<T> {
    /// Returns the cell of a column.
    #[inline]
    pub fn cell(value: &T) -> Cell<'_> {
        value.cell()
    }

    /// Reads a column of an entity.
    #[inline]
    pub fn column(cells: &mut impl ReadCells, column: usize) -> Result<T> {
        cells.column(column)
    }

    /// Reads a field that is never hidden.
    #[inline]
    pub fn shown(cells: &mut impl ReadFields, field: usize) -> Result<T> {
        cells.shown(field)
    }

    /// Reads a field whose hidden value refuses the read.
    #[inline]
    pub fn or_error(cells: &mut impl ReadFields, field: usize) -> Result<T> {
        cells.or_error(field)
    }

    /// Reads a field that `mask` masks where it is hidden.
    #[inline]
    pub fn masked_in_process(
        cells: &mut impl ReadFields,
        field: usize,
        mask: impl FnOnce(T) -> T,
    ) -> Result<T> {
        cells.masked_in_process(field, mask)
    }
}

impl<T: Storable + Maskable> ColumnType<T> {
    /// Reads a field that the database masks where it is hidden.
    #[inline]
    pub fn masked(cells: &mut impl ReadFields, field: usize) -> Result<T> {
        cells.masked(field)
    }
}

impl<C: Scalar> ColumnType<Field<C>> {
    /// Reads a field that can be hidden.
    #[inline]
    pub fn in_field(cells: &mut impl ReadFields, field: usize) -> Result<Field<C>> {
        cells.in_field(field)
    }
}

/// The functions of a type that no column has. They never run, because such a program does not compile.
pub trait NoColumnType: Sized {
    /// The type.
    type Value;

    /// Takes the place of [`ColumnType::cell`].
    fn cell(_: &Self::Value) -> Cell<'_> {
        Cell::Null
    }

    /// Takes the place of [`ColumnType::column`].
    fn column(_: &mut impl ReadCells, _: usize) -> Result<Self::Value> {
        Err(no_column_type())
    }

    /// Takes the place of [`ColumnType::shown`].
    fn shown(_: &mut impl ReadFields, _: usize) -> Result<Self::Value> {
        Err(no_column_type())
    }

    /// Takes the place of [`ColumnType::or_error`].
    fn or_error(_: &mut impl ReadFields, _: usize) -> Result<Self::Value> {
        Err(no_column_type())
    }

    /// Takes the place of [`ColumnType::in_field`].
    fn in_field(_: &mut impl ReadFields, _: usize) -> Result<Self::Value> {
        Err(no_column_type())
    }

    /// Takes the place of [`ColumnType::masked`].
    fn masked(_: &mut impl ReadFields, _: usize) -> Result<Self::Value> {
        Err(no_column_type())
    }

    /// Takes the place of [`ColumnType::masked_in_process`].
    fn masked_in_process<M>(_: &mut impl ReadFields, _: usize, _: M) -> Result<Self::Value> {
        Err(no_column_type())
    }
}

impl<T> NoColumnType for ColumnType<T> {
    type Value = T;
}

fn no_column_type() -> Error {
    Error::internal("a field has a type that no column has")
}
