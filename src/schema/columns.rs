//! Rows, read cell by cell: all that rules need of one.

use super::{Cell, Schema};

/// A row, column by column.
pub trait Columns {
    /// Returns the description of the row's table.
    fn schema() -> &'static Schema
    where
        Self: Sized;

    /// Returns the value in the column at this index of its table.
    fn cell(&self, column: usize) -> Cell<'_>;
}
