//! Classification of failed statements into the library's errors, without any text of the database's own.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::error::Error;
use crate::events;

/// Converts the error of a cell that was not read. A value that the driver does not decode is one that the
/// column can hold and its field cannot; a column of another type is a schema that does not fit, whatever
/// the row.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's enums grow, and what is not known is an outage or a wrong statement"
)]
pub(super) fn of_cell(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Decode(cause) if cause.is::<WrongType>() => classify(error),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Error::unreadable(),
        _ => classify(error),
    }
}

/// The error of a column whose type is not the one that its entity states.
#[derive(Debug)]
pub(super) struct WrongType;

impl std::fmt::Display for WrongType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a column of another type")
    }
}

impl std::error::Error for WrongType {}

/// Converts a driver's error to the library's own, and logs its class. The driver's text is dropped: it can
/// hold SQL, names and values.
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
                | ErrorKind::CheckViolation
                | ErrorKind::ExclusionViolation => {
                    events::database_failure("constraint", code);
                    Error::conflict()
                }
                _ if is_misfit(database.as_ref(), code) => {
                    events::database_failure("misfit", code);
                    Error::invalid()
                }
                _ if is_computed(database.as_ref(), code) => {
                    events::database_failure("computed", code);
                    Error::misuse(
                        "a value was given for a column that the database computes: create the row from an input, or from an entity of the table without that column",
                    )
                }
                _ if is_constraint(database.as_ref(), code) => {
                    events::database_failure("constraint", code);
                    Error::conflict()
                }
                _ if is_denial(database.as_ref(), code) => {
                    events::database_failure("denial", code);
                    Error::forbidden()
                }
                _ if is_contention(database.as_ref(), code) => {
                    events::database_failure("contention", code);
                    Error::contended()
                }
                _ if is_outage(database.as_ref(), code) => {
                    events::database_failure("outage", code);
                    Error::unavailable("the database")
                }
                _ => {
                    events::database_failure("statement", code);
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
            events::database_failure("value", "");
            Error::internal("a column holds a value of another type than its entity declares")
        }
        // Everything else is a connection that is unavailable or was lost.
        _ => {
            events::database_failure("outage", "");
            Error::unavailable("the database")
        }
    }
}

/// Returns whether a value does not fit the column that it is written to or compared with: too long, out of
/// range, or text that the engine cannot hold. Values come from callers, so the error is theirs.
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
        return is_mysql_misfit(error.number());
    }
    let _ = error;
    // string_data_right_truncation, numeric_value_out_of_range, datetime_field_overflow,
    // character_not_in_repertoire, untranslatable_character, program_limit_exceeded, which is how a text
    // that is too long for an index is refused
    matches!(
        code,
        "22001" | "22003" | "22008" | "22021" | "22P05" | "54000"
    )
}

/// Does the same as [`is_misfit`] for error numbers
/// (<https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference>).
#[cfg(feature = "mysql")]
const fn is_mysql_misfit(number: u16) -> bool {
    const ROW_TOO_LARGE: u16 = 1118;
    const PACKET_TOO_LARGE: u16 = 1153;
    const OUT_OF_RANGE: u16 = 1264;
    const TRUNCATED: u16 = 1265;
    const TRUNCATED_WRONG_VALUE: u16 = 1292;
    const INVALID_CHARACTERS: u16 = 1300;
    const WRONG_VALUE: u16 = 1366;
    const TOO_LONG: u16 = 1406;
    const INSTANT_OVERFLOW: u16 = 1441;
    const RESULT_OUT_OF_RANGE: u16 = 1690;
    const TOO_LARGE_TO_UNDO: u16 = 1713;
    matches!(
        number,
        ROW_TOO_LARGE
            | PACKET_TOO_LARGE
            | OUT_OF_RANGE
            | TRUNCATED
            | TRUNCATED_WRONG_VALUE
            | INVALID_CHARACTERS
            | WRONG_VALUE
            | TOO_LONG
            | INSTANT_OVERFLOW
            | RESULT_OUT_OF_RANGE
            | TOO_LARGE_TO_UNDO
    ) || is_unconvertible(number)
}

/// Returns whether a character set lacks a character of a text.
#[cfg(feature = "mysql")]
const fn is_unconvertible(number: u16) -> bool {
    const CHARACTER: u16 = 1977;
    const TEXT: u16 = 3854;
    const VALUE: u16 = 3988;
    matches!(number, CHARACTER | TEXT | VALUE)
}

/// Returns whether a value was given for a column that the database computes by itself.
fn is_computed(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        // SQLite has no code for it, and does not translate its messages.
        let told = error.message();
        return told.starts_with("cannot INSERT into generated column")
            || told.starts_with("cannot UPDATE generated column");
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        const IGNORED_BY_MARIADB: u16 = 1906;
        const GIVEN: u16 = 3105;
        return matches!(error.number(), IGNORED_BY_MARIADB | GIVEN);
    }
    let _ = error;
    // generated_always
    code == "428C9"
}

/// Returns whether it is a constraint for which the driver has no kind: on some engines, the deletion of a
/// row that others refer to (`RESTRICT`) violates one, and so does an error that a trigger raises.
fn is_constraint(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        const CONSTRAINT: i64 = 19;
        return code
            .parse::<i64>()
            .is_ok_and(|code| code & 0xff == CONSTRAINT);
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        const SIGNALLED: u16 = 1644;
        const CHECK_OF_MARIADB: u16 = 4025;
        return matches!(error.number(), SIGNALLED | CHECK_OF_MARIADB) || code.starts_with("23");
    }
    let _ = error;
    // raise_exception, and the class of integrity constraints
    code == "P0001" || code.starts_with("23")
}

/// Returns whether rules of the database's own, beneath those of the entity, forbid the statement: row
/// security, a privilege of the account, the check of a view.
fn is_denial(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        const TABLE: u16 = 1142;
        const COLUMN: u16 = 1143;
        const PRIVILEGE: u16 = 1227;
        const VIEW_CHECK: u16 = 1369;
        const ROUTINE: u16 = 1370;
        return matches!(
            error.number(),
            TABLE | COLUMN | PRIVILEGE | VIEW_CHECK | ROUTINE
        );
    }
    let _ = error;
    // insufficient_privilege, with_check_option_violation
    matches!(code, "42501" | "44000")
}

/// Returns whether another transaction was in the way, or the server had dropped the prepared statement: a
/// retry from the beginning is likely to succeed.
fn is_contention(error: &dyn DatabaseError, code: &str) -> bool {
    if is_forgotten(error, code) {
        return true;
    }
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
        return matches!(error.number(), LOCK_WAIT | DEADLOCK | CHANGED_SINCE_READ);
    }
    let _ = error;
    // serialization_failure, deadlock_detected, lock_not_available
    matches!(code, "40001" | "40P01" | "55P03")
}

/// Returns whether the server has dropped or invalidated the statement that the driver prepared on this
/// connection. It reports that before it executes anything.
pub(super) fn is_stale(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let code = error.code();
        is_forgotten(error, code.as_deref().unwrap_or_default())
    })
}

/// Returns whether the engine let another transaction through in the place of this one, which waited for no
/// lock in vain: a serialization failure or a deadlock. The statement has had no effect, and is likely to
/// succeed at once.
pub(super) fn is_beaten(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(error.number(), DEADLOCK | CHANGED_SINCE_READ);
    }
    // serialization_failure, deadlock_detected; no code of SQLite has five characters.
    matches!(error.code().as_deref(), Some("40001" | "40P01"))
}

fn is_forgotten(error: &dyn DatabaseError, code: &str) -> bool {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return false;
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        const UNKNOWN_STATEMENT: u16 = 1243;
        const NEEDS_REPREPARE: u16 = 1615;
        return matches!(error.number(), UNKNOWN_STATEMENT | NEEDS_REPREPARE);
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        // The columns of its result have changed. The code has many other meanings, and the text may be
        // translated, so the routine of the server decides (`src/backend/utils/cache/plancache.c` of
        // PostgreSQL).
        const CHANGED: &str = "RevalidateCachedQuery";
        return match code {
            "0A000" => error.routine() == Some(CHANGED),
            // invalid_sql_statement_name; duplicate_prepared_statement, after a pooler switched to another
            // server
            "26000" | "42P05" => true,
            _ => false,
        };
    }
    let _ = (error, code);
    false
}

/// Returns whether the server has reached its maximum of prepared statements, which all connections share.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    #[cfg(feature = "mysql")]
    if let Some(error) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
    {
        return error.number() == TOO_MANY_STATEMENTS;
    }
    let _ = error;
    false
}

/// Returns whether the server refused to compare a column with a text because the column's character set
/// lacks a character of it.
pub(super) fn is_mixed(error: &sqlx::Error) -> bool {
    #[cfg(feature = "mysql")]
    if let Some(error) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
    {
        // Collations.
        const OF_TWO: u16 = 1267;
        const OF_THREE: u16 = 1270;
        const OF_MORE: u16 = 1271;
        return matches!(error.number(), OF_TWO | OF_THREE | OF_MORE)
            || is_unconvertible(error.number());
    }
    let _ = error;
    false
}

#[cfg(feature = "mysql")]
const TOO_MANY_STATEMENTS: u16 = 1461;

#[cfg(feature = "mysql")]
const DEADLOCK: u16 = 1213;

/// The record has changed since it was last read: MariaDB with `innodb_snapshot_isolation`, its default
/// from 11.6.2 on.
#[cfg(feature = "mysql")]
const CHANGED_SINCE_READ: u16 = 1020;

/// Returns whether the database is unavailable at present, and not the statement wrong.
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

/// Returns whether an SQLSTATE is of a class that concerns the connection, its account, resources, the
/// operator or a transaction that can be retried
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_outage_class(code: &str) -> bool {
    let is_of_class = ["08", "28", "3D", "40", "53", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class));
    // read_only_sql_transaction, as a standby reports; the timeouts of transactions; object_in_use. The
    // rest of its class means that an object is in no state for the statement.
    is_of_class || matches!(code, "25006" | "25P03" | "25P04" | "55006")
}

/// Does the same for the errors of MySQL that have no class of their own
/// (<https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html>).
#[cfg(feature = "mysql")]
const fn is_mysql_outage(number: u16) -> bool {
    const DISK_FULL: u16 = 1021;
    const STORAGE_ENGINE: u16 = 1030;
    const READ_ONLY_TABLE: u16 = 1036;
    const OUT_OF_MEMORY: u16 = 1037;
    const OUT_OF_SORT_MEMORY: u16 = 1038;
    const TOO_MANY_CONNECTIONS: u16 = 1040;
    const OUT_OF_RESOURCES: u16 = 1041;
    const DATABASE_DENIED: u16 = 1044;
    const ACCESS_DENIED: u16 = 1045;
    const UNKNOWN_DATABASE: u16 = 1049;
    const SHUTDOWN: u16 = 1053;
    const TABLE_FULL: u16 = 1114;
    const HOST_BLOCKED: u16 = 1129;
    const HOST_UNKNOWN: u16 = 1130;
    const NO_THREAD: u16 = 1135;
    const CRASHED_TABLE: u16 = 1194;
    const USER_CONNECTIONS: u16 = 1203;
    const LOCK_TABLE_FULL: u16 = 1206;
    const READ_LOCKED: u16 = 1223;
    const USER_RESOURCES: u16 = 1226;
    const READ_ONLY: u16 = 1290;
    const INTERRUPTED: u16 = 1317;
    const READ_ONLY_TRANSACTION: u16 = 1792;
    const READ_ONLY_MODE: u16 = 1836;
    const KILLED: u16 = 1927;
    const STATEMENT_TIME: u16 = 1969;
    const EXECUTION_TIME: u16 = 3024;
    const IDLE: u16 = 4031;
    matches!(
        number,
        DISK_FULL
            | STORAGE_ENGINE
            | READ_ONLY_TABLE
            | OUT_OF_MEMORY
            | OUT_OF_SORT_MEMORY
            | TOO_MANY_CONNECTIONS
            | OUT_OF_RESOURCES
            | DATABASE_DENIED
            | ACCESS_DENIED
            | UNKNOWN_DATABASE
            | SHUTDOWN
            | TABLE_FULL
            | HOST_BLOCKED
            | HOST_UNKNOWN
            | NO_THREAD
            | CRASHED_TABLE
            | USER_CONNECTIONS
            | LOCK_TABLE_FULL
            | READ_LOCKED
            | USER_RESOURCES
            | READ_ONLY
            | INTERRUPTED
            | TOO_MANY_STATEMENTS
            | READ_ONLY_TRANSACTION
            | READ_ONLY_MODE
            | KILLED
            | STATEMENT_TIME
            | EXECUTION_TIME
            | IDLE
    )
}

/// Returns whether a SQLite result code means that the database is unavailable at present, and not that the
/// statement is wrong (<https://www.sqlite.org/rescode.html>). The low byte is the primary code.
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
