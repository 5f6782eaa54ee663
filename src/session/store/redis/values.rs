//! The encoding of a record in Redis, and the decoding of its responses.

use chrono::{DateTime, Utc};
use redis::ScriptInvocation;

use super::super::{FIELDS, Generations, SessionRecord, StoreError, StoredFields};

pub(super) type RedisValues = Vec<Option<Vec<u8>>>;

/// Formats an instant as text that sorts as instants do, those before 1970 too.
pub(super) fn digits(instant: DateTime<Utc>) -> String {
    let shifted = instant.timestamp_micros().cast_unsigned() ^ (1 << 63);
    format!("{shifted:020}")
}

pub(super) fn instant(value: Option<&Option<Vec<u8>>>) -> Option<DateTime<Utc>> {
    let digits = std::str::from_utf8(value?.as_deref()?).ok()?;
    let shifted: u64 = digits.parse().ok()?;
    DateTime::from_timestamp_micros((shifted ^ (1 << 63)).cast_signed())
}

pub(super) fn score(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// Parses the generation of everyone and that of a subject.
pub(super) fn generations(counters: &RedisValues) -> Result<Option<Generations>, StoreError> {
    let counter = |index: usize| match counters.get(index) {
        Some(Some(bytes)) => {
            let digits = std::str::from_utf8(bytes.as_slice()).ok();
            let counter = digits.and_then(|digits| digits.parse::<u64>().ok());
            counter.map(Some).ok_or(StoreError::malformed())
        }
        Some(None) => Ok(None),
        None => Err(StoreError::malformed()),
    };
    let subject = counter(1)?.unwrap_or_default();
    Ok(counter(0)?.map(|everyone| Generations { everyone, subject }))
}

/// Returns the instant at which a record expires if it is not touched again.
pub(super) fn end(record: &SessionRecord) -> i64 {
    score(record.idle_expires_at.min(record.expires_at))
}

/// Adds the name and the value of each field to the arguments of a step. Absent values are left out.
pub(super) fn give_record(step: &mut ScriptInvocation<'_>, record: &SessionRecord) {
    let [
        id,
        secret_hash,
        subject,
        created_at,
        authenticated_at,
        assurance,
        last_seen_at,
        idle_expires_at,
        expires_at,
        persistent,
        address,
        agent,
        claims,
    ] = FIELDS;
    step.arg(id).arg(record.id.to_string());
    step.arg(secret_hash).arg(record.secret_hash.as_bytes());
    step.arg(subject).arg(record.subject.as_str());
    step.arg(created_at).arg(digits(record.created_at));
    step.arg(authenticated_at)
        .arg(digits(record.authenticated_at));
    step.arg(assurance).arg(record.assurance.as_str());
    step.arg(last_seen_at).arg(digits(record.last_seen_at));
    step.arg(idle_expires_at)
        .arg(digits(record.idle_expires_at));
    step.arg(expires_at).arg(digits(record.expires_at));
    step.arg(persistent).arg(u8::from(record.persistent));
    if let Some(given) = record.address {
        step.arg(address).arg(given.to_string());
    }
    if let Some(given) = &record.agent {
        step.arg(agent).arg(given);
    }
    step.arg(claims).arg(&record.claims);
}

impl StoredFields for RedisValues {
    fn optional(&self, index: usize) -> Option<Option<String>> {
        match self.get(index)? {
            Some(bytes) => Some(Some(String::from_utf8(bytes.clone()).ok()?)),
            None => Some(None),
        }
    }

    fn hash(&self, index: usize) -> Option<[u8; 32]> {
        self.get(index)?.as_deref()?.try_into().ok()
    }

    fn instant(&self, index: usize) -> Option<DateTime<Utc>> {
        instant(self.get(index))
    }

    fn flag(&self, index: usize) -> Option<bool> {
        Some(self.get(index)?.as_deref()? != b"0")
    }
}
