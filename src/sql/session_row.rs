//! A session as a row of its table.

use chrono::{DateTime, Utc};

use super::row::Row;
use crate::policy::{Cell, Kind};
use crate::session::{Assurance, SecretHash, SessionRecord};
use crate::viewer::Subject;

pub(super) const TABLE: &str = "clearance_sessions";
pub(super) const ID: &str = "id";
pub(super) const SECRET_HASH: &str = "secret_hash";
pub(super) const SUBJECT: &str = "subject";
pub(super) const CREATED_AT: &str = "created_at";
const AUTHENTICATED_AT: &str = "authenticated_at";
const ASSURANCE: &str = "assurance";
pub(super) const LAST_SEEN_AT: &str = "last_seen_at";
pub(super) const IDLE_EXPIRES_AT: &str = "idle_expires_at";
pub(super) const EXPIRES_AT: &str = "expires_at";
const PERSISTENT: &str = "persistent";
const ADDRESS: &str = "address";
const AGENT: &str = "agent";
const CLAIMS: &str = "claims";

/// The columns in the order in which a record is read and written. Instants are microseconds
/// since 1970.
pub(super) const COLUMNS: [&str; 13] = [
    ID,
    SECRET_HASH,
    SUBJECT,
    CREATED_AT,
    AUTHENTICATED_AT,
    ASSURANCE,
    LAST_SEEN_AT,
    IDLE_EXPIRES_AT,
    EXPIRES_AT,
    PERSISTENT,
    ADDRESS,
    AGENT,
    CLAIMS,
];

pub(super) fn record(row: &Row) -> Option<SessionRecord> {
    let optional = |index| match row.cell(index, Kind::Text) {
        Ok(Cell::Text(text)) => Some(Some(text.to_owned())),
        Ok(Cell::Null) => Some(None),
        _ => None,
    };
    let text = |index| optional(index).flatten();
    let int = |index| match row.cell(index, Kind::Int) {
        Ok(Cell::Int(int)) => Some(int),
        _ => None,
    };
    let instant = |index| int(index).and_then(DateTime::from_timestamp_micros);
    let hash: [u8; 32] = match row.cell(1, Kind::Bytes) {
        Ok(Cell::Bytes(bytes)) => (*bytes).try_into().ok()?,
        _ => return None,
    };
    let address = optional(10)?.map(|address| address.parse());
    Some(SessionRecord {
        id: text(0)?.parse().ok()?,
        secret_hash: SecretHash::from_bytes(hash),
        subject: Subject::new(text(2)?),
        created_at: instant(3)?,
        authenticated_at: instant(4)?,
        assurance: Assurance::from_word(&text(5)?)?,
        last_seen_at: instant(6)?,
        idle_expires_at: instant(7)?,
        expires_at: instant(8)?,
        persistent: int(9)? != 0,
        address: address.transpose().ok()?,
        agent: optional(11)?,
        claims: text(12)?,
    })
}

/// The values of a record, in the order of its columns.
pub(super) fn values(record: &SessionRecord) -> [sea_query::Value; 13] {
    [
        record.id.to_string().into(),
        record.secret_hash.as_bytes().to_vec().into(),
        record.subject.as_str().into(),
        micros(record.created_at).into(),
        micros(record.authenticated_at).into(),
        record.assurance.word().into(),
        micros(record.last_seen_at).into(),
        micros(record.idle_expires_at).into(),
        micros(record.expires_at).into(),
        i64::from(record.persistent).into(),
        record.address.map(|address| address.to_string()).into(),
        record.agent.clone().into(),
        record.claims.clone().into(),
    ]
}

pub(super) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}
