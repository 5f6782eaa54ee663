//! The common parts of checks of implementations: a broken rule, and the records that they try.

use std::fmt;
use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};

use crate::session::{Assurance, Created, SecretHash, SessionId, SessionRecord, StoreError};
use crate::viewer::Subject;

/// The rule of its contract that an implementation breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenContract {
    rule: &'static str,
}

impl BrokenContract {
    pub(super) const fn new(rule: &'static str) -> Self {
        Self { rule }
    }
}

impl fmt::Display for BrokenContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the implementation breaks a rule: {}", self.rule)
    }
}

impl std::error::Error for BrokenContract {}

pub(super) type ContractResult<T = ()> = Result<T, BrokenContract>;

pub(super) fn rule(rule: &'static str, kept: bool) -> ContractResult {
    if kept {
        Ok(())
    } else {
        Err(BrokenContract::new(rule))
    }
}

pub(super) async fn answered<T>(
    answer: impl Future<Output = Result<T, StoreError>>,
) -> ContractResult<T> {
    answer
        .await
        .map_err(|_| BrokenContract::new("an empty store that is reachable answers every call"))
}

pub(super) const STORED: Created = Created::Stored(Vec::new());

/// The resolution with which a store must keep instants.
pub(super) const STEP: TimeDelta = TimeDelta::microseconds(1);

pub(super) fn start() -> DateTime<Utc> {
    // Microseconds that do not round, to detect a store with less resolution.
    DateTime::from_timestamp_micros(1_767_225_600_123_457).unwrap_or_default()
}

pub(super) fn record(number: u8, subject: &str) -> SessionRecord {
    let now = start();
    SessionRecord {
        id: SessionId::from_bytes([number; 16]),
        secret_hash: SecretHash::from_bytes([number; 32]),
        subject: Subject::new(subject),
        created_at: now,
        authenticated_at: now,
        assurance: Assurance::Aal1,
        last_seen_at: now,
        idle_expires_at: now + TimeDelta::hours(1),
        expires_at: now + TimeDelta::days(1),
        persistent: false,
        address: None,
        agent: None,
        claims: "{}".to_owned(),
    }
}
