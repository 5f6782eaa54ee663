//! Sessions in the process's own memory.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    Created, Replaced, SessionId, SessionLimit, SessionRecord, SessionStore, Standing, StoreError,
};
use crate::viewer::Subject;

/// Keeps sessions in memory: for tests and for programs of one process whose users may be signed
/// out by a restart.
#[derive(Default)]
pub struct MemorySessionStore {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<SessionId, Session>,
    /// Until when each stateless session is denied.
    denials: HashMap<SessionId, DateTime<Utc>>,
    /// Of each subject, and of everyone.
    cut_offs: HashMap<Option<Subject>, CutOff>,
}

struct Session {
    record: SessionRecord,
    data: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
struct CutOff {
    at: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl MemorySessionStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves it whole: what changes it does not panic half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Kept {
    fn living(&self, id: SessionId, now: DateTime<Utc>) -> Option<&Session> {
        let session = self.sessions.get(&id);
        session.filter(|session| lives(&session.record, now))
    }

    fn living_mut(&mut self, id: SessionId, now: DateTime<Utc>) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&id);
        session.filter(|session| lives(&session.record, now))
    }

    /// The living records of a subject, the last created first.
    fn of(&self, subject: &Subject, now: DateTime<Utc>) -> Vec<&SessionRecord> {
        let records = self.sessions.values().map(|session| &session.record);
        let mut found: Vec<_> = records
            .filter(|record| record.subject == *subject && lives(record, now))
            .collect();
        found.sort_by_key(|record| (Reverse(record.created_at), record.id));
        found
    }

    /// Removes the sessions that `ends` names; tells how many.
    fn remove_where(&mut self, ends: impl Fn(&SessionRecord) -> bool) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| !ends(&session.record));
        u64::try_from(before - self.sessions.len()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl SessionStore for MemorySessionStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        let mut kept = self.kept();
        if kept.sessions.contains_key(&record.id) {
            return Ok(Created::IdTaken);
        }
        let mut ended = Vec::new();
        if let Some(limit) = limit {
            let there = kept.of(&record.subject, record.created_at);
            let too_many = there.iter().skip(limit.most().saturating_sub(1));
            ended.extend(too_many.map(|record| record.id));
            match limit {
                SessionLimit::Reject(_) if !ended.is_empty() => return Ok(Created::LimitReached),
                SessionLimit::Reject(_) | SessionLimit::EvictOldest(_) => {}
            }
        }
        for id in &ended {
            kept.sessions.remove(id);
        }
        let session = Session {
            record: record.clone(),
            data: None,
        };
        kept.sessions.insert(record.id, session);
        Ok(Created::Stored(ended))
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let kept = self.kept();
        Ok(kept.living(id, now).map(|session| session.record.clone()))
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let stored = kept
            .living_mut(record.id, record.last_seen_at)
            .filter(|stored| stored.record.secret_hash == record.secret_hash);
        Ok(stored
            .map(|stored| {
                stored.record.last_seen_at = record.last_seen_at;
                stored.record.idle_expires_at = record.idle_expires_at;
            })
            .is_some())
    }

    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError> {
        let mut kept = self.kept();
        let there = kept.living(old.id, now);
        if there.is_none_or(|there| there.record.secret_hash != old.secret_hash) {
            return Ok(Replaced::Gone);
        }
        if kept.sessions.contains_key(&record.id) {
            return Ok(Replaced::IdTaken);
        }
        let data = kept.sessions.remove(&old.id).and_then(|there| there.data);
        let session = Session {
            record: record.clone(),
            data,
        };
        kept.sessions.insert(record.id, session);
        Ok(Replaced::Done)
    }

    async fn data(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.kept();
        Ok(kept
            .living(id, now)
            .and_then(|session| session.data.clone()))
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        Ok(kept
            .living_mut(id, now)
            .map(|session| session.data = data.map(<[u8]>::to_vec))
            .is_some())
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        Ok(match self.kept().sessions.entry(id) {
            Entry::Occupied(there) if there.get().record.subject == *subject => {
                there.remove();
                true
            }
            Entry::Occupied(_) | Entry::Vacant(_) => false,
        })
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let ends = |record: &SessionRecord| record.subject == *subject && Some(record.id) != keep;
        Ok(self.kept().remove_where(ends))
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        Ok(self.kept().remove_where(|_| true))
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        Ok(self.kept().of(subject, now).into_iter().cloned().collect())
    }

    async fn deny(&self, id: SessionId, until: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(match self.kept().denials.entry(id) {
            Entry::Occupied(mut there) => {
                let longest = until.max(*there.get());
                there.insert(longest);
                false
            }
            Entry::Vacant(new) => {
                new.insert(until);
                true
            }
        })
    }

    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept();
        let new = CutOff { at: cut_off, until };
        let there = kept.cut_offs.entry(subject.cloned()).or_insert(new);
        there.at = there.at.max(cut_off);
        there.until = there.until.max(until);
        Ok(())
    }

    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError> {
        let kept = self.kept();
        let of = |subject: Option<Subject>| kept.cut_offs.get(&subject).map(|cut_off| cut_off.at);
        Ok(Standing {
            denied: kept.denials.contains_key(&id),
            cut_off: of(Some(subject.clone())).max(of(None)),
        })
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut kept = self.kept();
        kept.denials.retain(|_, until| *until > now);
        kept.cut_offs.retain(|_, cut_off| cut_off.until > now);
        Ok(kept.remove_where(|record| !lives(record, now)))
    }
}
