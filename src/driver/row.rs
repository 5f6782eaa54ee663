//! Rows of the drivers, read cell by cell.

use super::failure::of_cell;
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};

pub(crate) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    #[cfg(feature = "mysql")]
    Mysql(sqlx::mysql::MySqlRow),
}

impl Row {
    /// Reads the cell at `index` as a column of `kind`.
    pub(crate) fn cell(&self, index: usize, kind: Kind) -> Result<Cell<'_>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => sqlite_cell(row, index, kind).map_err(of_cell),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => postgres_cell(row, index, kind).map_err(of_cell),
            #[cfg(feature = "mysql")]
            Self::Mysql(row) => mysql_cell(row, index, kind).map_err(of_cell),
        }
    }

    /// Returns the number of its cells.
    pub(crate) fn len(&self) -> usize {
        use sqlx::Row as _;

        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.len(),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.len(),
            #[cfg(feature = "mysql")]
            Self::Mysql(row) => row.len(),
        }
    }

    /// Returns the names of its columns.
    pub(crate) fn column_names(&self) -> Vec<&str> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => column_names(row),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => column_names(row),
            #[cfg(feature = "mysql")]
            Self::Mysql(row) => column_names(row),
        }
    }

    /// Returns whether the cell at `index` is null.
    pub(crate) fn is_null(&self, index: usize) -> Result<bool> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => is_null(row, index),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => is_null(row, index),
            #[cfg(feature = "mysql")]
            Self::Mysql(row) => is_null(row, index),
        }
    }

    /// Returns the value of a flag column; a null is `false`.
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

fn column_names<R: sqlx::Row>(row: &R) -> Vec<&str> {
    use sqlx::Column as _;

    row.columns().iter().map(|column| column.name()).collect()
}

fn is_null<R: sqlx::Row>(row: &R, index: usize) -> Result<bool>
where
    usize: sqlx::ColumnIndex<R>,
{
    use sqlx::ValueRef as _;

    let value = row.try_get_raw(index).map_err(super::failure::classify)?;
    Ok(value.is_null())
}

/// Creates the error for a value that its field cannot hold.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn undecodable(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn wrong_type() -> sqlx::Error {
    sqlx::Error::Decode(super::failure::WrongType.into())
}

/// Decodes a value that is not null. It is passed in, and not looked up in the row once more, because that
/// is most of the cost of reading a cell.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn decoded<'r, DB: sqlx::Database, T>(
    value: DB::ValueRef<'r>,
) -> std::result::Result<T, sqlx::Error>
where
    T: sqlx::Decode<'r, DB> + sqlx::Type<DB>,
{
    use sqlx::ValueRef as _;

    if !T::compatible(&value.type_info()) {
        return Err(wrong_type());
    }
    decoded_unchecked::<DB, T>(value)
}

/// Decodes a value whose type the caller has checked.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn decoded_unchecked<'r, DB: sqlx::Database, T: sqlx::Decode<'r, DB>>(
    value: DB::ValueRef<'r>,
) -> std::result::Result<T, sqlx::Error> {
    T::decode(value).map_err(sqlx::Error::Decode)
}

#[cfg(feature = "postgres")]
fn postgres_cell(
    row: &sqlx::postgres::PgRow,
    index: usize,
    kind: Kind,
) -> std::result::Result<Cell<'_>, sqlx::Error> {
    use sqlx::{Postgres, Row as _, ValueRef as _};

    /// The numbers of types in the table `pg_type`, which are the same in every database.
    const INTEGERS: [u32; 3] = [20, 21, 23];
    const FLOAT4: u32 = 700;
    const TEXT: u32 = 25;

    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let number = value.type_info().oid().map_or(0, |oid| oid.0);
    Ok(match kind {
        Kind::Bool => Cell::Bool(decoded::<Postgres, _>(value)?),
        // The driver reads integers of every width as the widest.
        Kind::Int if INTEGERS.contains(&number) => {
            Cell::Int(decoded_unchecked::<Postgres, _>(value)?)
        }
        Kind::Int => Cell::Int(decoded::<Postgres, _>(value)?),
        Kind::Float if number == FLOAT4 => Cell::Float(decoded::<Postgres, f32>(value)?.into()),
        Kind::Float => Cell::Float(decoded::<Postgres, _>(value)?),
        Kind::Text | Kind::Enum(_) if number == TEXT => {
            Cell::Text(decoded_unchecked::<Postgres, _>(value)?)
        }
        Kind::Text | Kind::Enum(_) => Cell::Text(decoded::<Postgres, _>(value)?),
        Kind::Bytes => Cell::Bytes(decoded::<Postgres, _>(value)?),
        Kind::Uuid => Cell::Uuid(decoded::<Postgres, _>(value)?),
        Kind::Timestamp => Cell::Timestamp(postgres_micros(&value)?),
    })
}

/// Decodes an instant from its bytes: chrono, to which the driver passes them, panics at `infinity`.
#[cfg(feature = "postgres")]
fn postgres_micros(
    value: &sqlx::postgres::PgValueRef<'_>,
) -> std::result::Result<i64, sqlx::Error> {
    use sqlx::{TypeInfo as _, ValueRef as _};

    /// The microseconds from 1970 to 2000, the epoch of PostgreSQL.
    const EPOCH: i64 = 946_684_800_000_000;

    let binary = value.format() == sqlx::postgres::PgValueFormat::Binary;
    if value.type_info().name() != "TIMESTAMPTZ" || !binary {
        return Err(wrong_type());
    }
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    let since_2000: [u8; 8] = bytes
        .try_into()
        .map_err(|_| undecodable("not an instant"))?;
    match i64::from_be_bytes(since_2000) {
        i64::MAX | i64::MIN => Err(undecodable("an infinite instant")),
        micros => micros
            .checked_add(EPOCH)
            .ok_or_else(|| undecodable("an instant out of range")),
    }
}

#[cfg(feature = "mysql")]
fn mysql_cell(
    row: &sqlx::mysql::MySqlRow,
    index: usize,
    kind: Kind,
) -> std::result::Result<Cell<'_>, sqlx::Error> {
    use sqlx::{MySql, Row as _, TypeInfo as _, ValueRef as _};

    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let info = value.type_info().into_owned();
    let name = info.name();
    Ok(match kind {
        Kind::Bool => Cell::Bool(mysql_integer(value, name)? != 0),
        Kind::Int => Cell::Int(mysql_integer(value, name)?),
        Kind::Float => Cell::Float(match name {
            "FLOAT" => decoded::<MySql, f32>(value)?.into(),
            _ => decoded::<MySql, _>(value)?,
        }),
        Kind::Text | Kind::Enum(_) => {
            // Text is compared as bytes, and such an expression has the type of bytes.
            let text = ["CHAR", "TEXT", "BLOB", "BINARY", "ENUM"];
            if !text.iter().any(|part| name.contains(part)) {
                return Err(wrong_type());
            }
            Cell::Text(decoded_unchecked::<MySql, _>(value)?)
        }
        Kind::Bytes => Cell::Bytes(decoded::<MySql, _>(value)?),
        Kind::Uuid => Cell::Uuid(decoded::<MySql, _>(value)?),
        Kind::Timestamp => {
            if !["DATETIME", "TIMESTAMP"].contains(&name) {
                return Err(wrong_type());
            }
            // The driver sets its sessions to UTC, in which both types then are.
            let instant = decoded_unchecked::<MySql, chrono::NaiveDateTime>(value)?;
            Cell::Timestamp(instant.and_utc().timestamp_micros())
        }
    })
}

#[cfg(feature = "mysql")]
fn mysql_integer(
    value: sqlx::mysql::MySqlValueRef<'_>,
    name: &str,
) -> std::result::Result<i64, sqlx::Error> {
    use sqlx::MySql;

    if name.ends_with("UNSIGNED") {
        let unsigned: u64 = decoded::<MySql, _>(value)?;
        unsigned
            .try_into()
            .map_err(|_| undecodable("an integer out of range"))
    } else if name == "BOOLEAN" {
        Ok(decoded::<MySql, i8>(value)?.into())
    } else {
        decoded::<MySql, _>(value)
    }
}
