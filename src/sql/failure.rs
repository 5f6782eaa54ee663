//! What a failed statement means, without repeating any of what the database said.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::audit;
use crate::error::Error;

/// Sorts a driver's failure into the library's own error, and logs its class. The driver's text
/// is dropped: it can hold SQL, names and values.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's enums grow, and what is not known is an outage or a wrong statement"
)]
pub(super) fn classify(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(database) => {
            let code = database.code();
            let code = code.as_deref().unwrap_or_default();
            match database.kind() {
                ErrorKind::UniqueViolation
                | ErrorKind::ForeignKeyViolation
                | ErrorKind::NotNullViolation
                | ErrorKind::CheckViolation => {
                    audit::database_failure("constraint", code);
                    Error::conflict()
                }
                _ if is_misfit(database.as_ref(), code) => {
                    audit::database_failure("misfit", code);
                    Error::invalid()
                }
                _ if is_contention(database.as_ref(), code) => {
                    audit::database_failure("contention", code);
                    Error::contended()
                }
                _ if is_outage(database.as_ref(), code) => {
                    audit::database_failure("outage", code);
                    Error::unavailable("the database")
                }
                _ => {
                    audit::database_failure("statement", code);
                    Error::internal("the database refused a statement")
                }
            }
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_) => {
            audit::database_failure("value", "");
            Error::internal("a column holds a value of another type than its entity says")
        }
        // Everything else is a connection that cannot be had or was lost.
        _ => {
            audit::database_failure("outage", "");
            Error::unavailable("the database")
        }
    }
}

/// Whether a value does not fit the column that it is written to or compared with: too long, out
/// of range, or text that the engine cannot hold. Values come from callers, so that it is theirs.
fn is_misfit(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        const TOO_BIG: i64 = 18;
        const MISMATCH: i64 = 20;
        return code
            .parse::<i64>()
            .is_ok_and(|code| matches!(code & 0xff, TOO_BIG | MISMATCH));
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        const OUT_OF_RANGE: u16 = 1264;
        const WRONG_VALUE: u16 = 1366;
        const TOO_LONG: u16 = 1406;
        return matches!(error.number(), OUT_OF_RANGE | WRONG_VALUE | TOO_LONG);
    }
    let _ = error;
    // string_data_right_truncation, numeric_value_out_of_range, datetime_field_overflow,
    // character_not_in_repertoire, untranslatable_character
    matches!(code, "22001" | "22003" | "22008" | "22021" | "22P05")
}

/// Whether another transaction was in the way.
fn is_contention(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        const BUSY: i64 = 5;
        const LOCKED: i64 = 6;
        return code
            .parse::<i64>()
            .is_ok_and(|code| matches!(code & 0xff, BUSY | LOCKED));
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        const LOCK_WAIT: u16 = 1205;
        const DEADLOCK: u16 = 1213;
        // MariaDB with `innodb_snapshot_isolation`, its default from 11.6.2 on.
        const CHANGED_SINCE_READ: u16 = 1020;
        return matches!(error.number(), LOCK_WAIT | DEADLOCK | CHANGED_SINCE_READ);
    }
    let _ = error;
    // serialization_failure, deadlock_detected, lock_not_available
    matches!(code, "40001" | "40P01" | "55P03")
}

/// Whether the database cannot be had just now, rather than that the statement is wrong.
fn is_outage(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return is_sqlite_outage(code);
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return is_mysql_outage(error.number()) || is_outage_class(code);
    }
    let _ = error;
    is_outage_class(code)
}

/// Whether an SQLSTATE is of a class that speaks of the connection, of resources, of the
/// operator or of a transaction that can be tried again
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_outage_class(code: &str) -> bool {
    ["08", "40", "53", "55", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// The same for the errors of MySQL that have no class of their own
/// (<https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html>).
#[cfg(feature = "mysql")]
const fn is_mysql_outage(number: u16) -> bool {
    const TOO_MANY_CONNECTIONS: u16 = 1040;
    const SHUTDOWN: u16 = 1053;
    const USER_CONNECTIONS: u16 = 1203;
    const READ_ONLY: u16 = 1290;
    const INTERRUPTED: u16 = 1317;
    const STATEMENT_TIME: u16 = 1969;
    const EXECUTION_TIME: u16 = 3024;
    matches!(
        number,
        TOO_MANY_CONNECTIONS
            | SHUTDOWN
            | USER_CONNECTIONS
            | READ_ONLY
            | INTERRUPTED
            | STATEMENT_TIME
            | EXECUTION_TIME
    )
}

/// Whether a SQLite result code says that the database cannot be had just now, rather than that
/// the statement is wrong (<https://www.sqlite.org/rescode.html>). The low byte is the primary
/// code.
#[cfg(feature = "sqlite")]
fn is_sqlite_outage(code: &str) -> bool {
    const READONLY: i64 = 8;
    const INTERRUPT: i64 = 9;
    const IO: i64 = 10;
    const CORRUPT: i64 = 11;
    const FULL: i64 = 13;
    const CANNOT_OPEN: i64 = 14;
    const NOT_A_DATABASE: i64 = 26;
    code.parse::<i64>().is_ok_and(|code| {
        matches!(
            code & 0xff,
            READONLY | INTERRUPT | IO | CORRUPT | FULL | CANNOT_OPEN | NOT_A_DATABASE
        )
    })
}
