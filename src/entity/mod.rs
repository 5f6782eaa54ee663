//! Entities: rows as they are stored, with table, columns, key and row rules. An entity never leaves its
//! repository; DTOs of it do.

mod column;
mod filter;
pub(crate) mod mask;
pub(crate) mod relation;
mod scalar;
mod secret;
mod table;

pub use column::{Assignable, Column, Filterable, Filtered, Lookup, Plain, PrimaryKey, Searchable};
pub use filter::ColumnFilter;
pub use relation::{Cardinality, Many, One, Related, Relation, Side};
pub use scalar::{Scalar, Storable, TextEnum};
pub use secret::Secret;
pub use table::{ColumnSpec, Operation, RowAction, RowRules, Schema, Table};

use crate::error::Result;
use crate::policy::Cell;
use crate::sql::Cells;
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
    fn __from_cells(cells: &mut Cells<'_>) -> Result<Self>;
}
