//! A row as rules read it, whole or in part.

use super::Cell;
use crate::entity::Entity;

/// What is known of a row of `E`: all of it, or the columns that a query happened to give.
pub(crate) trait Facts<E> {
    /// Whether the column is there. Missing is not null: nothing is known of it, so that every
    /// condition that names it is unknown, a null test too.
    fn knows(&self, column: usize) -> bool;

    /// What the column holds. To be asked only where it is known; apart from that question,
    /// because an option around each cell costs whole rows a measurable time.
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
