//! A session as it is known after its record was found, or its token opened.

use std::ops::{Deref, DerefMut};

use super::store::{Generations, SessionId, SessionRecord};

/// The placeholder id of a session that has none yet.
pub(super) const NO_ID: SessionId = SessionId::from_bytes([0; 16]);

/// A session with its record, and for a stateless one its generations and line.
#[derive(Debug, Clone)]
pub(crate) struct KnownSession {
    pub(crate) record: SessionRecord,
    /// The generations under which a stateless session began; `None` for a token from before there were
    /// generations, and for a stored session.
    pub(crate) under: Option<Generations>,
    /// The first id of a stateless session: a sign-out ends everything that it was rotated to.
    pub(crate) line: SessionId,
}

impl KnownSession {
    /// Wraps the record of a session in a store, or of one that begins.
    pub(crate) const fn stored(record: SessionRecord) -> Self {
        Self {
            under: None,
            line: record.id,
            record,
        }
    }

    /// Returns the same session with another record.
    pub(crate) const fn with(&self, record: SessionRecord) -> Self {
        Self {
            record,
            under: self.under,
            line: self.line,
        }
    }
}

impl Deref for KnownSession {
    type Target = SessionRecord;

    fn deref(&self) -> &SessionRecord {
        &self.record
    }
}

impl DerefMut for KnownSession {
    fn deref_mut(&mut self) -> &mut SessionRecord {
        &mut self.record
    }
}
