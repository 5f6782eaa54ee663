//! A row as rules read it, whole or in part.

use super::Cell;
use crate::entity::Entity;

/// What is known of a row of `E`: all of it, or the columns that a query happened to give.
pub(crate) trait Facts<E> {
    /// Whether the column is there. Missing is not null: nothing is known of it, so that a null
    /// test is unknown too, as every other condition that names it.
    fn knows(&self, column: usize) -> bool;

    /// What the column holds, and null where it is not there, of which no comparison is true. It
    /// is no option, because one around each cell costs whole rows a measurable time.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// The row itself, where all of it is known, for functions that run over it.
    fn whole(&self) -> Option<&E>;
}

impl<E: Entity> Facts<E> for E {
    #[inline]
    fn knows(&self, _: usize) -> bool {
        true
    }

    #[inline]
    fn cell(&self, column: usize) -> Cell<'_> {
        self.__cell(column)
    }

    #[inline]
    fn whole(&self) -> Option<&E> {
        Some(self)
    }
}
