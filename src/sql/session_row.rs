//! The mapping of a session record to a row of its table.

use chrono::{DateTime, Utc};

use crate::driver::Row;
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};
use crate::session::{SessionRecord, StoreError, StoredFields};

pub(crate) const TABLE: &str = "clearance_sessions";
pub(crate) const ID: &str = "id";
pub(crate) const SECRET_HASH: &str = "secret_hash";
pub(crate) const SUBJECT: &str = "subject";
pub(crate) const CREATED_AT: &str = "created_at";
pub(crate) const LAST_SEEN_AT: &str = "last_seen_at";
pub(crate) const IDLE_EXPIRES_AT: &str = "idle_expires_at";
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// The columns have the names of the record's fields. Instants are microseconds since 1970.
pub(crate) use crate::session::FIELDS as COLUMNS;

/// Reads the session of a row that begins with its columns.
pub(crate) fn record(row: &Row) -> Option<SessionRecord> {
    crate::session::record(&Stored { row, from: 0 })
}

/// Reads the session of a row that ends with its columns.
pub(crate) fn last_record(row: &Row) -> Option<SessionRecord> {
    let from = row.len().checked_sub(COLUMNS.len())?;
    crate::session::record(&Stored { row, from })
}

/// A row whose columns from a place on are those of a session.
struct Stored<'a> {
    row: &'a Row,
    from: usize,
}

impl Stored<'_> {
    fn cell(&self, index: usize, kind: Kind) -> Result<Cell<'_>> {
        self.row.cell(self.from + index, kind)
    }

    fn int(&self, index: usize) -> Option<i64> {
        match self.cell(index, Kind::Int) {
            Ok(Cell::Int(int)) => Some(int),
            _ => None,
        }
    }
}

impl StoredFields for Stored<'_> {
    fn optional(&self, index: usize) -> Option<Option<String>> {
        match self.cell(index, Kind::Text) {
            Ok(Cell::Text(text)) => Some(Some(text.to_owned())),
            Ok(Cell::Null) => Some(None),
            _ => None,
        }
    }

    fn hash(&self, index: usize) -> Option<[u8; 32]> {
        match self.cell(index, Kind::Bytes) {
            Ok(Cell::Bytes(bytes)) => (*bytes).try_into().ok(),
            _ => None,
        }
    }

    fn instant(&self, index: usize) -> Option<DateTime<Utc>> {
        self.int(index).and_then(DateTime::from_timestamp_micros)
    }

    fn flag(&self, index: usize) -> Option<bool> {
        self.int(index).map(|flag| flag != 0)
    }
}

/// Returns the values of a record, in the order of its columns.
pub(crate) fn values(record: &SessionRecord) -> [sea_query::Value; 13] {
    [
        record.id.to_string().into(),
        record.secret_hash.as_bytes().to_vec().into(),
        record.subject.as_str().into(),
        micros(record.created_at).into(),
        micros(record.authenticated_at).into(),
        record.assurance.as_str().into(),
        micros(record.last_seen_at).into(),
        micros(record.idle_expires_at).into(),
        micros(record.expires_at).into(),
        i64::from(record.persistent).into(),
        record.address.map(|address| address.to_string()).into(),
        record.agent.clone().into(),
        record.claims.clone().into(),
    ]
}

pub(crate) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// Creates the error for a row that no session is stored as.
pub(crate) fn malformed() -> Error {
    Error::internal("a stored session is malformed")
}

/// Converts an error. An outage stays one; any other error of these statements means that the table is not
/// as it should be.
pub(crate) fn failed(error: &Error) -> StoreError {
    if error.is_unavailable() {
        StoreError::outage()
    } else {
        StoreError::malformed()
    }
}
