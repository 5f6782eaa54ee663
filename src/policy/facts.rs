//! Access of rules to the columns of a row, whole or partial.

use crate::schema::{Cell, Columns};

/// The known columns of a row of `R`: all of them, or those that a query happened to select.
pub(crate) trait Facts<R> {
    /// Returns whether the column is known. Missing is not null: a null test of a missing column is unknown
    /// too, like every other condition that names it.
    fn knows(&self, column: usize) -> bool;

    /// Returns the value of the column, or null if it is missing, of which no comparison is true. It is no
    /// option, because one around each cell costs whole rows a measurable time.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// Returns the row itself if all of it is known, for functions that run over it.
    fn whole(&self) -> Option<&R>;
}

impl<R: Columns> Facts<R> for R {
    #[inline]
    fn knows(&self, _: usize) -> bool {
        true
    }

    #[inline]
    fn cell(&self, column: usize) -> Cell<'_> {
        Columns::cell(self, column)
    }

    #[inline]
    fn whole(&self) -> Option<&R> {
        Some(self)
    }
}
