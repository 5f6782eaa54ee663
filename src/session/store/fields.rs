//! The fields of a session record, by index, for stores to write and read.

use chrono::{DateTime, Utc};

use super::{Assurance, SecretHash, SessionRecord};
use crate::viewer::Subject;

/// The names of the fields, in the order in which they are written and read.
pub(crate) const FIELDS: [&str; 13] = [
    "id",
    "secret_hash",
    "subject",
    "created_at",
    "authenticated_at",
    "assurance",
    "last_seen_at",
    "idle_expires_at",
    "expires_at",
    "persistent",
    "address",
    "agent",
    "claims",
];

/// The values of the [`FIELDS`] of a record, by index. Each is `None` if it has the wrong type.
pub(crate) trait StoredFields {
    /// Returns the text, which may be absent.
    fn optional(&self, index: usize) -> Option<Option<String>>;
    fn hash(&self, index: usize) -> Option<[u8; 32]>;
    fn instant(&self, index: usize) -> Option<DateTime<Utc>>;
    fn flag(&self, index: usize) -> Option<bool>;
}

/// Builds the record from these values; `None` where they are no session's.
pub(crate) fn record(stored: &impl StoredFields) -> Option<SessionRecord> {
    let text = |index| stored.optional(index).flatten();
    let address = stored.optional(10)?.map(|address| address.parse());
    Some(SessionRecord {
        id: text(0)?.parse().ok()?,
        secret_hash: SecretHash::from_bytes(stored.hash(1)?),
        subject: Subject::new_text(text(2)?),
        created_at: stored.instant(3)?,
        authenticated_at: stored.instant(4)?,
        assurance: Assurance::from_word(&text(5)?)?,
        last_seen_at: stored.instant(6)?,
        idle_expires_at: stored.instant(7)?,
        expires_at: stored.instant(8)?,
        persistent: stored.flag(9)?,
        address: address.transpose().ok()?,
        agent: stored.optional(11)?,
        claims: text(12)?,
    })
}
