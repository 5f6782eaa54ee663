//! A row as a driver gives it, read cell by cell.

use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};

pub(crate) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
}

impl Row {
    /// The cell at `index`, read as a column of `kind`.
    pub(crate) fn cell(&self, index: usize, kind: Kind) -> Result<Cell<'_>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => sqlite_cell(row, index, kind).map_err(super::failure::classify),
        }
    }

    /// Whether the cell at `index` is null.
    pub(crate) fn is_null(&self, index: usize) -> Result<bool> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => {
                use sqlx::{Row as _, ValueRef as _};
                Ok(row
                    .try_get_raw(index)
                    .map_err(super::failure::classify)?
                    .is_null())
            }
        }
    }

    /// The truth of a flag column; a null is no.
    pub(crate) fn flag(&self, index: usize) -> Result<bool> {
        match self.cell(index, Kind::Bool)? {
            Cell::Bool(flag) => Ok(flag),
            Cell::Null => Ok(false),
            Cell::Int(_)
            | Cell::Float(_)
            | Cell::Text(_)
            | Cell::Bytes(_)
            | Cell::Uuid(_)
            | Cell::Timestamp(_) => Err(Error::internal("a flag column is not a boolean")),
        }
    }
}

#[cfg(feature = "sqlite")]
fn sqlite_cell(
    row: &sqlx::sqlite::SqliteRow,
    index: usize,
    kind: Kind,
) -> std::result::Result<Cell<'_>, sqlx::Error> {
    use sqlx::Row as _;

    Ok(match kind {
        Kind::Bool => row.try_get::<Option<bool>, _>(index)?.map(Cell::Bool),
        Kind::Int => row.try_get::<Option<i64>, _>(index)?.map(Cell::Int),
        Kind::Float => row.try_get::<Option<f64>, _>(index)?.map(Cell::Float),
        Kind::Text | Kind::Enum(_) => row.try_get::<Option<&str>, _>(index)?.map(Cell::Text),
        Kind::Bytes => row.try_get::<Option<&[u8]>, _>(index)?.map(Cell::Bytes),
        Kind::Uuid => row.try_get::<Option<uuid::Uuid>, _>(index)?.map(Cell::Uuid),
        Kind::Timestamp => row.try_get::<Option<i64>, _>(index)?.map(Cell::Timestamp),
    }
    .unwrap_or(Cell::Null))
}
