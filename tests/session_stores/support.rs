//! Records, and what is asked about them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use clearance::Subject;
use clearance::session::{
    Assurance, MemorySessionStore, SecretHash, SessionId, SessionRecord, SessionStore,
};

use crate::stores::{Fresh, store};

pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_225_600_123_457).unwrap()
}

pub fn id(number: u64) -> SessionId {
    SessionId::from_bytes((u128::from(number) << 64 | 7).to_be_bytes())
}

/// The record of this number: the higher, the later it was created.
pub fn record(number: u64, subject: &str) -> SessionRecord {
    let created_at = start() + TimeDelta::microseconds(number.try_into().unwrap());
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    SessionRecord {
        id: id(number),
        secret_hash: SecretHash::from_bytes(hash),
        subject: Subject::new(subject),
        created_at,
        authenticated_at: created_at,
        assurance: Assurance::Aal1,
        last_seen_at: created_at,
        idle_expires_at: start() + TimeDelta::hours(1),
        expires_at: start() + TimeDelta::days(1),
        persistent: false,
        address: None,
        agent: None,
        claims: "{}".to_owned(),
    }
}

/// The store in memory, and that of the engine of this run.
pub async fn every_store() -> [Fresh; 2] {
    let memory = Fresh {
        store: Arc::new(MemorySessionStore::new()),
        database: None,
    };
    [memory, store().await]
}

/// The ids of the living sessions of a subject.
pub async fn living(store: &dyn SessionStore, subject: &str) -> Vec<SessionId> {
    let now = start() + TimeDelta::seconds(1);
    let records = store.list(&Subject::new(subject), now).await.unwrap();
    records.into_iter().map(|record| record.id).collect()
}
