//! Row locks: the rows that a statement locks, and the statements that wait for them.

use sea_query::{Expr, SelectStatement};

use super::Dialect;
#[cfg(feature = "mysql")]
use super::mysql;
#[cfg(feature = "postgres")]
use super::postgres;

impl Dialect {
    /// Returns whether the rows that a writing statement reads are locked only if it says so.
    pub(crate) const fn locks_on_demand(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => false,
        }
    }

    /// Returns whether an update waits for transactions that have only read its row in a writing statement.
    pub(crate) const fn waits_for_what_is_read(self) -> bool {
        match self {
            // Only one transaction at a time writes, whatever it has read.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => false,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }

    /// Returns whether a DELETE has ORDER BY and LIMIT, with which it locks no more rows than it removes.
    /// MySQL allows no LIMIT in a subquery of `IN`.
    pub(crate) const fn deletes_by_limit(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => false,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }

    /// Adds `conditions`, which are all that the select has, and locks the rows that it finds until its
    /// transaction ends: nobody removes them or changes their keys.
    pub(crate) fn keep(self, select: &mut SelectStatement, conditions: Expr) {
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

    /// Does the same, and locks the rows against a change of any column.
    pub(crate) fn keep_whole(self, select: &mut SelectStatement, conditions: Expr) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => self.keep(select, conditions),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::keep_whole(select.and_where(conditions)),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => self.keep(select, conditions),
        }
    }

    /// Does the same for the related rows that permit a change, if the engine locks them by itself at its
    /// default isolation level but not at others. PostgreSQL does so at none, and each lock would be one
    /// more write.
    pub(crate) fn keep_related(self, select: &mut SelectStatement, conditions: Expr) {
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
