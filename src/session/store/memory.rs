//! A session store in the process's own memory.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    Created, DataKept, Generations, Replaced, SecretHash, SessionId, SessionLimit, SessionRecord,
    SessionStore, Standing, StoreError, StoredData,
};
use crate::viewer::Subject;

/// A session store in memory: for tests, and for programs of one process that may sign everybody out on a
/// restart.
#[derive(Default)]
pub struct MemorySessionStore {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: Sessions,
    /// The ids that were rotated away, and the line of each.
    replaced: HashMap<SessionId, Replacement>,
    /// The instant until which each stateless session is denied.
    denials: HashMap<SessionId, DateTime<Utc>>,
    /// The cut-off of each subject, and of everyone.
    cut_offs: HashMap<Option<Subject>, CutOff>,
    /// The generation of each subject for which it was raised, and of everyone.
    generations: HashMap<Option<Subject>, u64>,
}

/// Sessions by their ids, and the ids of each subject, so that a sign-in does not scan the sessions of
/// others.
#[derive(Default)]
struct Sessions {
    by_id: HashMap<SessionId, Session>,
    of: HashMap<Subject, HashSet<SessionId>>,
}

impl Sessions {
    fn insert(&mut self, session: Session) {
        let SessionRecord { id, subject, .. } = &session.record;
        self.of.entry(subject.clone()).or_default().insert(*id);
        self.by_id.insert(*id, session);
    }

    fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        if let Entry::Occupied(mut ids) = self.of.entry(session.record.subject.clone()) {
            ids.get_mut().remove(&id);
            if ids.get().is_empty() {
                ids.remove();
            }
        }
        Some(session)
    }

    fn of(&self, subject: &Subject) -> impl Iterator<Item = &SessionRecord> {
        let ids = self.of.get(subject).into_iter().flatten();
        let sessions = ids.filter_map(|id| self.by_id.get(id));
        sessions.map(|session| &session.record)
    }

    /// Removes these sessions; returns how many existed.
    fn remove_all(&mut self, ids: Vec<SessionId>) -> u64 {
        let removed = ids.into_iter().filter_map(|id| self.remove(id)).count();
        removed.try_into().unwrap_or(u64::MAX)
    }
}

struct Session {
    record: SessionRecord,
    data: StoredData,
    /// The first id of the session.
    line: SessionId,
}

struct Replacement {
    secret_hash: SecretHash,
    line: SessionId,
    until: DateTime<Utc>,
}

#[derive(Clone, Copy)]
struct CutOff {
    at: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl MemorySessionStore {
    /// Builds an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves the state consistent: the code that changes it does not panic half-way.
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
        let session = self.sessions.by_id.get(&id);
        session.filter(|session| lives(&session.record, now))
    }

    fn living_mut(&mut self, id: SessionId, now: DateTime<Utc>) -> Option<&mut Session> {
        let session = self.sessions.by_id.get_mut(&id);
        session.filter(|session| lives(&session.record, now))
    }

    /// Returns the living records of a subject, newest first.
    fn of(&self, subject: &Subject, now: DateTime<Utc>) -> Vec<&SessionRecord> {
        let records = self.sessions.of(subject);
        let mut found: Vec<_> = records.filter(|record| lives(record, now)).collect();
        found.sort_by_key(|record| (Reverse(record.created_at), record.id));
        found
    }

    fn generations(&self, subject: &Subject) -> Option<Generations> {
        let of = |subject: Option<Subject>| self.generations.get(&subject).copied();
        Some(Generations {
            everyone: of(None)?,
            subject: of(Some(subject.clone())).unwrap_or_default(),
        })
    }

    /// Adds a record, and removes `old` in the same step, if there is one.
    fn create(
        &mut self,
        old: Option<&SessionRecord>,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Created {
        if self.sessions.by_id.contains_key(&record.id) {
            return Created::IdTaken;
        }
        let is_there = |old: &SessionRecord| {
            let there = self.living(old.id, record.created_at);
            there.is_some_and(|there| there.record.secret_hash == old.secret_hash)
        };
        if old.is_some_and(|old| !is_there(old)) {
            return Created::OldGone;
        }
        let old = old.map(|old| old.id);
        let mut ended = Vec::new();
        if let Some(limit) = limit {
            let there = self.of(&record.subject, record.created_at);
            let there = there.iter().filter(|there| Some(there.id) != old);
            let too_many = there.skip(limit.most().saturating_sub(1));
            ended.extend(too_many.map(|record| record.id));
            match limit {
                SessionLimit::Reject(_) if !ended.is_empty() => return Created::LimitReached,
                SessionLimit::Reject(_) | SessionLimit::EvictOldest(_) => {}
            }
        }
        for id in ended.iter().chain(&old) {
            self.sessions.remove(*id);
        }
        let session = Session {
            record: record.clone(),
            data: StoredData::default(),
            line: record.id,
        };
        self.sessions.insert(session);
        Created::Stored(ended)
    }
}

#[async_trait]
impl SessionStore for MemorySessionStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        Ok(self.kept().create(None, record, limit))
    }

    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        Ok(self.kept().create(Some(old), record, limit))
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let kept = self.kept();
        Ok(kept.living(id, now).map(|session| session.record.clone()))
    }

    async fn successor(
        &self,
        id: SessionId,
        secret_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let kept = self.kept();
        let replaced = kept.replaced.get(&id);
        let line = replaced
            .filter(|replaced| replaced.secret_hash == secret_hash)
            .map(|replaced| replaced.line);
        let mut sessions = kept.sessions.by_id.values();
        let session = sessions.find(|there| Some(there.line) == line && lives(&there.record, now));
        Ok(session.map(|session| session.record.clone()))
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
        if kept.sessions.by_id.contains_key(&record.id) {
            return Ok(Replaced::IdTaken);
        }
        if let Some(there) = kept.sessions.remove(old.id) {
            let replacement = Replacement {
                secret_hash: old.secret_hash,
                line: there.line,
                until: record.expires_at,
            };
            kept.replaced.insert(old.id, replacement);
            let session = Session {
                record: record.clone(),
                ..there
            };
            kept.sessions.insert(session);
        }
        Ok(Replaced::Done)
    }

    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError> {
        let kept = self.kept();
        Ok(kept.living(id, now).map(|session| session.data.clone()))
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError> {
        let mut kept = self.kept();
        let Some(session) = kept.living_mut(id, now) else {
            return Ok(DataKept::Gone);
        };
        let there = &mut session.data;
        if version.is_some_and(|version| version != there.version) {
            return Ok(DataKept::Stale);
        }
        there.data = data.map(<[u8]>::to_vec);
        there.version = there.version.saturating_add(1);
        Ok(DataKept::Done)
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let there = kept.sessions.by_id.get(&id);
        let is_there = there.is_some_and(|there| there.record.subject == *subject);
        if is_there {
            kept.sessions.remove(id);
        }
        Ok(is_there)
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let mut kept = self.kept();
        let ids = kept.sessions.of(subject).map(|record| record.id);
        let ended = ids.filter(|id| Some(*id) != keep).collect();
        Ok(kept.sessions.remove_all(ended))
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        let everyone = std::mem::take(&mut self.kept().sessions);
        Ok(everyone.by_id.len().try_into().unwrap_or(u64::MAX))
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        Ok(self.kept().of(subject, now).into_iter().cloned().collect())
    }

    async fn deny(
        &self,
        id: SessionId,
        _: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
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

    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError> {
        let mut kept = self.kept();
        let _of_everyone = kept.generations.entry(None).or_insert(first);
        kept.generations(subject).ok_or(StoreError::malformed())
    }

    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        step: u64,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept();
        match kept.generations.entry(subject.cloned()) {
            Entry::Occupied(mut there) => *there.get_mut() += step,
            Entry::Vacant(new) if subject.is_some() => {
                new.insert(step);
            }
            Entry::Vacant(_) => {}
        }
        Ok(())
    }

    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        step: u64,
    ) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let there = kept.generations.entry(Some(subject.clone())).or_default();
        let is_that = *there == from;
        if is_that {
            *there += step;
        }
        Ok(is_that)
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
            generations: kept.generations(subject),
        })
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut kept = self.kept();
        kept.denials.retain(|_, until| *until > now);
        kept.cut_offs.retain(|_, cut_off| cut_off.until > now);
        kept.replaced.retain(|_, replaced| replaced.until > now);
        let sessions = kept.sessions.by_id.values();
        let over = sessions.filter(|session| !lives(&session.record, now));
        let over = over.map(|session| session.record.id).collect();
        Ok(kept.sessions.remove_all(over))
    }
}
