//! Where sessions are kept: the trait, and what passes through it.

mod fields;
mod memory;
mod record;
#[cfg(feature = "redis")]
mod redis;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub(crate) use fields::{FIELDS, StoredFields, record};
pub use memory::MemorySessionStore;
pub use record::{
    Assurance, Created, DataKept, Generations, Replaced, SecretHash, SessionId, SessionLimit,
    SessionRecord, Standing, StoredData,
};

#[cfg(feature = "redis")]
pub use self::redis::RedisSessionStore;

use crate::viewer::Subject;

/// Why a store gave no answer. It is never read as "there is no such session".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct StoreError {
    pub(crate) kind: StoreErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreErrorKind {
    #[error("the session store is unavailable")]
    Outage,
    #[error("the session store holds a malformed session")]
    Malformed,
}

impl StoreError {
    /// The store cannot be reached, is overloaded, or timed out. The request is answered as
    /// unavailable (503).
    #[must_use]
    pub const fn outage() -> Self {
        Self {
            kind: StoreErrorKind::Outage,
        }
    }

    /// The store answered with something that is not a session. The request fails (500).
    #[must_use]
    pub const fn malformed() -> Self {
        Self {
            kind: StoreErrorKind::Malformed,
        }
    }
}

/// Keeps sessions.
///
/// A store decides nothing: it keeps records, and leaves out those past their time. The library
/// compares secrets, throttles touches and caches.
///
/// Three rules hold for every implementation: [`create`](Self::create) never overwrites, nothing
/// that changes a record inserts one, and an expired record is treated as absent in the same
/// operation that looks for it. `clearance::testing::check_session_store` (feature `testing`)
/// checks all of it.
///
/// The sessions of the stateless [`Strategy`](super::Strategy) are kept in their tokens. Of them a
/// store keeps only what ended them: one by its id, all of a subject or of everyone by a
/// generation, which is never forgotten and never goes back.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Adds a record. One that is there under the same id stays as it is, expired or not.
    ///
    /// With a limit its subject has no more sessions than that when this is done, however many
    /// sign in at the same time: the count and the addition are one step.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the record is stored.
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError>;

    /// Adds a record as [`create`](Self::create), and removes the one with the id and hash of `old` in the
    /// same step. That one is not counted, whoever's it is. Where nothing is stored it stays as it is, and where
    /// it is not there, or does not live when `record` is created, nothing is stored.
    ///
    /// # Errors
    ///
    /// When it cannot be told which of the two is there.
    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError>;

    /// The record of `id`, unless either of its limits is at or before `now`.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError>;

    /// The record that stands now in the place of the one that had this id and hash until
    /// [`replace`](Self::replace) put another one there, however often that was done since; none where
    /// no record was replaced that had both, or the session does not live at `now`.
    ///
    /// It is asked for by who ends a session, and never by who uses one.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn successor(
        &self,
        id: SessionId,
        secret_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError>;

    /// Sets `last_seen_at` and `idle_expires_at` of the stored record of the same id and hash, if
    /// it is there and lives at `record.last_seen_at`; tells whether it was. Never inserts: a
    /// session that was revoked meanwhile stays revoked.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError>;

    /// Puts `record` in the place of the one with the id and hash of `old`, if that is there and
    /// lives at `now`, in one step: from then on the old id leads nowhere, and only
    /// [`successor`](Self::successor) knows it, until `record.expires_at`. The data stay. Never inserts.
    ///
    /// # Errors
    ///
    /// When it cannot be told which of the two is there.
    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError>;

    /// The data that the application keeps with the session of `id`, and how often they were changed;
    /// `None` where the session does not live at `now`.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError>;

    /// Keeps `data` with the session of `id`, if that lives at `now` and its data are of `version`, in one
    /// step, and counts the version up by one; without a version whatever is there. Never inserts a
    /// session.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the data are kept.
    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError>;

    /// Removes the record of `id` if it is `subject`'s; tells whether it was there.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the record is gone.
    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError>;

    /// Removes every record of `subject`, but not that of `keep`; tells how many.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the records are gone.
    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError>;

    /// Removes every record; tells how many.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the records are gone.
    async fn delete_everyone(&self) -> Result<u64, StoreError>;

    /// The records of `subject` that live at `now`, the last created first.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Notes that the stateless session `id` of `subject` is over, until `until`, when its token is past its
    /// time anyway; tells whether that is new. Of several at once one is told so: it may give the
    /// session another id.
    ///
    /// # Errors
    ///
    /// When it cannot be told that this is kept.
    async fn deny(
        &self,
        id: SessionId,
        subject: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// The generations that a stateless session of `subject` begins under. Where there is none of
    /// everyone yet, `first` becomes that, for whoever asks at the same time too.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError>;

    /// Raises the generation of `subject`, or of everyone, by `step`, so that all stateless sessions
    /// that began under it are over. Where there is none of everyone it stays so: no session
    /// names one.
    ///
    /// # Errors
    ///
    /// When it cannot be told that it is raised.
    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        step: u64,
    ) -> Result<(), StoreError>;

    /// Raises the generation of `subject` by `step` if it is `from`; tells whether it was. Of
    /// several at once one is told so: its own session may go on under the new one.
    ///
    /// # Errors
    ///
    /// When it cannot be told whether it is raised.
    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        step: u64,
    ) -> Result<bool, StoreError>;

    /// Notes that those stateless sessions of `subject`, or of everyone, whose tokens name no
    /// generations, are over if they began at `cut_off` or before; kept until `until`. An earlier
    /// note is never made weaker.
    ///
    /// # Errors
    ///
    /// When it cannot be told that this is kept.
    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// What was noted of a stateless session: whether it was denied, the later of its subject's and
    /// everyone's cut-off, and the generations, all as they were at one instant.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError>;

    /// Removes the records of which either limit is at or before `now`, and the notes that are
    /// kept until then; tells how many records. Generations stay.
    ///
    /// # Errors
    ///
    /// When the store did not carry it out.
    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError>;
}

#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        (**self).create(record, limit).await
    }
    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        (**self).create_instead_of(old, record, limit).await
    }
    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        (**self).load(id, now).await
    }
    async fn successor(
        &self,
        id: SessionId,
        secret_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        (**self).successor(id, secret_hash, now).await
    }
    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        (**self).touch(record).await
    }
    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError> {
        (**self).replace(old, record, now).await
    }
    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError> {
        (**self).data(id, now).await
    }
    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError> {
        (**self).set_data(id, now, data, version).await
    }
    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        (**self).delete(id, subject).await
    }
    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        (**self).delete_all(subject, keep).await
    }
    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        (**self).delete_everyone().await
    }
    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        (**self).list(subject, now).await
    }
    async fn deny(
        &self,
        id: SessionId,
        subject: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        (**self).deny(id, subject, until).await
    }
    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError> {
        (**self).generations(subject, first).await
    }
    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        step: u64,
    ) -> Result<(), StoreError> {
        (**self).raise_generation(subject, step).await
    }
    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        step: u64,
    ) -> Result<bool, StoreError> {
        (**self).raise_generation_from(subject, from, step).await
    }
    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        (**self).cut_off(subject, cut_off, until).await
    }
    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError> {
        (**self).standing(id, subject).await
    }
    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        (**self).sweep(now).await
    }
}
