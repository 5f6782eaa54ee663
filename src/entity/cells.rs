//! Rows as a query returns them, read column by column into entities.

use crate::error::Result;
use crate::schema::Storable;

/// A row that an entity is read from.
#[doc(hidden)]
pub trait ReadCells {
    /// Reads the column at this index of the entity's table.
    fn column<C: Storable>(&mut self, column: usize) -> Result<C>;
}
