//! Capabilities and limits of the engines, on which the form of a statement depends.

use super::Dialect;

impl Dialect {
    /// Returns the maximum length of a list whose values are bound one by one; a longer one is bound as one
    /// value.
    pub(crate) const fn longest_list(self) -> usize {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => 256,
            #[cfg(feature = "postgres")]
            Self::Postgres => 256,
            // An update there, and a column of text, cannot use an index for a list that is bound as one
            // value.
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => 1_024,
        }
    }

    /// Returns whether a column of text compares by its own collation with a list that is bound as one
    /// value, so that its index serves.
    pub(crate) const fn finds_long_lists(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => true,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            // A text from JSON has a collation of its own, and the engine does not choose between that and
            // the column's.
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => false,
        }
    }

    /// Returns whether the key of every table is among its indexes.
    pub(crate) const fn keys_are_indexes(self) -> bool {
        match self {
            // An `INTEGER PRIMARY KEY` is the table itself.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }

    /// Returns the maximum number of values that the engine takes with one statement.
    pub(crate) const fn most_values(self) -> usize {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => 32_766,
            #[cfg(feature = "postgres")]
            Self::Postgres => 65_535,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => 65_535,
        }
    }

    /// Returns whether a writing statement can return the rows that it wrote (`RETURNING`).
    pub(crate) const fn returns_rows(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => true,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            // MariaDB can, for some statements; MySQL cannot.
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => false,
        }
    }

    /// Returns whether a server can drop a prepared statement that the driver still caches. SQLite prepares
    /// it anew by itself.
    pub(crate) const fn forgets_statements(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }

    /// Returns whether an order, with its nulls last, can be given by the place of an output column.
    pub(crate) const fn orders_by_place(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => true,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            // It has no `NULLS LAST`: the order is by an expression over the value.
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => false,
        }
    }

    /// Returns whether the table of a DELETE can have an alias.
    pub(crate) const fn deletes_by_alias(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => true,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            // MariaDB before 11.6 takes no alias for one table, and with its form for several no
            // subquery on the table that is deleted from.
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => false,
        }
    }

    /// Returns whether a write to a view reports the number of rows that it changed.
    pub(crate) const fn counts_views(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => true,
        }
    }
}
