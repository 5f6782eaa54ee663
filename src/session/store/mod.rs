//! Session stores: the trait, and the types of its methods.

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

use crate::driver::Db;
use crate::viewer::Subject;

/// A failure of a store to answer. It is never read as "there is no such session".
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
    /// Builds the error for a store that cannot be reached, is overloaded, or timed out. The request is
    /// answered as unavailable (503).
    #[must_use]
    pub const fn outage() -> Self {
        Self {
            kind: StoreErrorKind::Outage,
        }
    }

    /// Builds the error for stored data that is not a session. The request fails (500).
    #[must_use]
    pub const fn malformed() -> Self {
        Self {
            kind: StoreErrorKind::Malformed,
        }
    }
}

/// A store of sessions.
///
/// A store decides nothing: it keeps records, and leaves out expired ones. The library compares secrets,
/// throttles touches and caches.
///
/// Three rules hold for every implementation: [`create`](Self::create) never overwrites, no method that
/// changes a record inserts one, and an expired record is treated as absent in the same operation that looks
/// for it. `clearance::testing::check_session_store` (feature `testing`) checks all of it.
///
/// The sessions of the stateless [`Strategy`](super::Strategy) are kept in their tokens. For them a store
/// keeps only revocations: of one by its id, of all of a subject or of everyone by a generation, which is
/// never deleted and never decreases.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Adds a record. An existing one with the same id stays as it is, expired or not.
    ///
    /// With a limit its subject has no more sessions than that afterwards, however many sign in concurrently:
    /// the count and the insertion are atomic.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the record is stored.
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError>;

    /// Adds a record as [`create`](Self::create), and removes the one with the id and hash of `old` in the
    /// same step. That one is not counted, whatever its subject. Where nothing is stored it stays as it is,
    /// and where it does not exist, or is expired when `record` is created, nothing is stored.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm which of the two exists.
    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError>;

    /// Returns the record with this `id`, unless either of its timeouts is at or before `now`.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError>;

    /// Returns the current record of a session that once had this id and hash, until
    /// [`replace`](Self::replace) rotated it, however often that was done since; `None` where no record with
    /// both was replaced, or the session is expired at `now`.
    ///
    /// Only the end of a session calls it, never the use of one (decision 58).
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

    /// Sets `last_seen_at` and `idle_expires_at` of the stored record with the same id and hash, if it exists
    /// and is not expired at `record.last_seen_at`; returns whether it did. Never inserts: a session that was
    /// revoked meanwhile stays revoked.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError>;

    /// Replaces the record with the id and hash of `old`, if it exists and is not expired at `now`, by
    /// `record`, atomically: from then on the old id is invalid, and only [`successor`](Self::successor)
    /// knows it, until `record.expires_at`. The data stay. Never inserts.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm which of the two exists.
    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError>;

    /// Returns the application's data of the session with this `id`, and their version; `None` where the
    /// session is expired at `now`.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError>;

    /// Stores `data` with the session of `id`, if that is not expired at `now` and its data have this
    /// `version`, atomically, and increments the version; without a `version` it overwrites any (optimistic
    /// locking). Never inserts a session.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the data are stored.
    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError>;

    /// Deletes the record with this `id` if it is `subject`'s; returns whether it existed.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the record is gone.
    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError>;

    /// Deletes every record of `subject`, but not that of `keep`; returns how many.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the records are gone.
    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError>;

    /// Deletes every record; returns how many.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the records are gone.
    async fn delete_everyone(&self) -> Result<u64, StoreError>;

    /// Lists the records of `subject` that are not expired at `now`, newest first.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Denies the stateless session `id` of `subject`, until `until`, when its token has expired anyway;
    /// returns whether it was not denied before. Of concurrent calls one returns `true`: its caller may give
    /// the session another id.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the denial is stored.
    async fn deny(
        &self,
        id: SessionId,
        subject: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Returns the generations that a stateless session of `subject` begins under. If there is none of
    /// everyone yet, `first` becomes it, for concurrent callers too.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError>;

    /// Raises the generation of `subject`, or of everyone, by `step`, which ends all stateless sessions that
    /// began under it. If there is none of everyone none is created: no session names one.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that it is raised.
    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        step: u64,
    ) -> Result<(), StoreError>;

    /// Raises the generation of `subject` by `step` if it is `from`; returns whether it was (compare and
    /// swap). Of concurrent calls one returns `true`: its caller's session may continue under the new one.
    ///
    /// # Errors
    ///
    /// When the call cannot tell whether it is raised.
    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        step: u64,
    ) -> Result<bool, StoreError>;

    /// Ends the stateless sessions of `subject`, or of everyone, whose tokens name no generations, if they
    /// began at `cut_off` or before; the cut-off is kept until `until`. It never weakens an earlier one.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the cut-off is stored.
    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Returns the revocations that concern a stateless session: whether it was denied, the later of its
    /// subject's and everyone's cut-off, and the generations, all read at one instant.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError>;

    /// Returns the database in whose table `clearance_sessions` these sessions are; `None` where they are kept
    /// anywhere else, which is the default.
    ///
    /// A write to this database then checks the session within its own statement, and a session is loaded
    /// together with a viewer of [`Db::viewers`], without a call of the store. So a store that wraps
    /// another one leaves this as it is if it decides more than that one, or keeps a part elsewhere.
    fn in_database(&self) -> Option<&Db> {
        None
    }

    /// Deletes the records with either timeout at or before `now`, and the denials and cut-offs that end by
    /// then; returns how many records. Generations stay.
    ///
    /// # Errors
    ///
    /// When the sweep was not carried out.
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
    fn in_database(&self) -> Option<&Db> {
        (**self).in_database()
    }
    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        (**self).sweep(now).await
    }
}
