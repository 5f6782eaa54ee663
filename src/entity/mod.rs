//! Entities: rows as they are stored, with table, columns, key and row rules. An entity never leaves its
//! repository; DTOs of it do.

mod cells;
mod column;
mod filter;
pub(crate) mod mask;
pub(crate) mod relation;
mod secret;
mod table;

#[doc(hidden)]
pub use cells::ReadCells;
pub use column::{Assignable, Column, Filterable, Filtered, Lookup, Plain, PrimaryKey, Searchable};
pub use filter::ColumnFilter;
pub(crate) use filter::ColumnTest;
pub use relation::{Many, One, Related, RelationSpec};
pub use secret::Secret;
pub use table::{Operation, RowAction, RowRules, Table};

pub use crate::schema::{Cardinality, ColumnSpec, Relation, Scalar, Schema, Storable, TextEnum};

use crate::error::Result;
use crate::schema::{Cell, Columns};
use crate::viewer::Viewer;

/// A row as stored, written with `#[derive(Entity)]`.
///
/// It states which rows a viewer may read, create, update and delete. An operation without a statement is
/// denied.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    note = "add `#[derive(Entity)]` and `#[entity(table = \"..\", viewer = ..)]` to the struct of the row"
)]
pub trait Entity: Sized + Send + Sync + 'static {
    /// The type of viewer that its rules are written for.
    type Viewer: Viewer;
    /// The type of its key.
    type Key: Scalar;

    #[doc(hidden)]
    fn __table() -> &'static Table<Self>;

    #[doc(hidden)]
    fn __cell(&self, column: usize) -> Cell<'_>;

    #[doc(hidden)]
    fn __from_cells(cells: &mut impl ReadCells) -> Result<Self>;
}

impl<E: Entity> Columns for E {
    #[inline]
    fn schema() -> &'static Schema {
        E::__table()
    }

    #[inline]
    fn cell(&self, column: usize) -> Cell<'_> {
        self.__cell(column)
    }
}
