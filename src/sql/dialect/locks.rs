//! Locks: the rows that a statement holds, and who waits for them.

use sea_query::{Expr, SelectStatement};

use super::Dialect;
#[cfg(feature = "mysql")]
use super::mysql;
#[cfg(feature = "postgres")]
use super::postgres;

impl Dialect {
    /// Tells whether what a statement that writes reads is locked only where it says so.
    pub(in crate::sql) const fn locks_on_demand(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => false,
        }
    }

    /// Tells whether an update waits for those that have only read a row in a statement that writes.
    pub(in crate::sql) const fn waits_for_what_is_read(self) -> bool {
        match self {
            // One transaction at a time writes, whatever it has read.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => false,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }

    /// Tells whether a DELETE has an order and a limit of its own, with which it locks no more rows than it removes.
    /// MySQL knows no limit in a subquery of `IN`.
    pub(in crate::sql) const fn deletes_by_limit(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => false,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }

    /// Makes a statement find what fulfils `conditions`, which are all that it has, and the rows that it finds
    /// stay as they are until its transaction ends.
    pub(in crate::sql) fn keep(self, select: &mut SelectStatement, conditions: Expr) {
        match self {
            // Nobody else writes meanwhile.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                select.and_where(conditions);
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::keep(select.and_where(conditions)),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => {
                select.and_where(mysql::kept(conditions));
            }
        }
    }

    /// The same of rows whose every column stays as it is.
    pub(in crate::sql) fn keep_whole(self, select: &mut SelectStatement, conditions: Expr) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => self.keep(select, conditions),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::keep_whole(select.and_where(conditions)),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => self.keep(select, conditions),
        }
    }

    /// The same of the related rows that let a change through, where the engine does so by itself at its
    /// own level of isolation and not at others. PostgreSQL does at none, and each lock would be one more
    /// write.
    pub(in crate::sql) fn keep_related(self, select: &mut SelectStatement, conditions: Expr) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => self.keep(select, conditions),
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                select.and_where(conditions);
            }
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => self.keep(select, conditions),
        }
    }
}
