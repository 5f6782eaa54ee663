//! Sessions in the process's own memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Created, SessionId, SessionRecord, SessionStore, StoreError};
use crate::viewer::Subject;

/// Keeps sessions in memory: for tests and for programs of one process whose users may be signed
/// out by a restart.
#[derive(Default)]
pub struct MemorySessionStore {
    records: Mutex<HashMap<SessionId, SessionRecord>>,
}

impl MemorySessionStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<SessionId, SessionRecord>> {
        // Each operation changes the map in one call, so a panic elsewhere left it whole.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemorySessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessionStore").finish_non_exhaustive()
    }
}

fn lives(record: &SessionRecord, now: DateTime<Utc>) -> bool {
    record.idle_expires_at > now && record.expires_at > now
}

#[async_trait]
impl SessionStore for MemorySessionStore {
    async fn create(&self, record: &SessionRecord) -> Result<Created, StoreError> {
        use std::collections::hash_map::Entry;

        Ok(match self.records().entry(record.id) {
            Entry::Occupied(_) => Created::IdTaken,
            Entry::Vacant(free) => {
                free.insert(record.clone());
                Created::Stored
            }
        })
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let records = self.records();
        Ok(records
            .get(&id)
            .filter(|record| lives(record, now))
            .cloned())
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        let mut records = self.records();
        let stored = records.get_mut(&record.id).filter(|stored| {
            stored.secret_hash == record.secret_hash && lives(stored, record.last_seen_at)
        });
        Ok(stored
            .map(|stored| {
                stored.last_seen_at = record.last_seen_at;
                stored.idle_expires_at = record.idle_expires_at;
            })
            .is_some())
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        let mut records = self.records();
        let theirs = records
            .get(&id)
            .is_some_and(|record| record.subject == *subject);
        Ok(theirs && records.remove(&id).is_some())
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let ends = |id: &SessionId, record: &SessionRecord| {
            record.subject == *subject && Some(*id) != keep
        };
        Ok(remove_where(&mut self.records(), ends))
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let mut found: Vec<_> = self
            .records()
            .values()
            .filter(|record| record.subject == *subject && lives(record, now))
            .cloned()
            .collect();
        found.sort_by_key(|record| (std::cmp::Reverse(record.created_at), record.id));
        Ok(found)
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(remove_where(&mut self.records(), |_, record| {
            !lives(record, now)
        }))
    }
}

fn remove_where(
    records: &mut HashMap<SessionId, SessionRecord>,
    ends: impl Fn(&SessionId, &SessionRecord) -> bool,
) -> u64 {
    let before = records.len();
    records.retain(|id, record| !ends(id, record));
    u64::try_from(before - records.len()).unwrap_or(u64::MAX)
}
