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
    Assurance, Created, Replaced, SecretHash, SessionId, SessionLimit, SessionRecord, Standing,
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
/// store keeps only that they were ended: one by its id, all of a subject by an instant.
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

    /// Sets `last_seen_at` and `idle_expires_at` of the stored record of the same id and hash, if
    /// it is there and lives at `record.last_seen_at`; tells whether it was. Never inserts: a
    /// session that was revoked meanwhile stays revoked.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError>;

    /// Puts `record` in the place of the one with the id and hash of `old`, if that is there and
    /// lives at `now`, in one step: from then on the old id leads nowhere. The data stay. Never
    /// inserts.
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

    /// The data that the application keeps with the session of `id`; `None` where it keeps none,
    /// or the session does not live at `now`.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn data(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps `data` with the session of `id`, if that lives at `now`; tells whether it did. Never
    /// inserts a session.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the data are kept.
    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
    ) -> Result<bool, StoreError>;

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

    /// Notes that the stateless session `id` is over, until `until`, when its token is past its
    /// time anyway; tells whether that is new. Of several at once one is told so: it may give the
    /// session another id.
    ///
    /// # Errors
    ///
    /// When it cannot be told that this is kept.
    async fn deny(&self, id: SessionId, until: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Notes that the stateless sessions of `subject`, or of everyone, are over if they began at
    /// `cut_off` or before; kept until `until`. An earlier note is never made weaker.
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

    /// What was noted of a stateless session: whether it was denied, and the later of its
    /// subject's and everyone's cut-off.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError>;

    /// Removes the records of which either limit is at or before `now`, and the notes that are
    /// kept until then; tells how many records.
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
    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        (**self).load(id, now).await
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
    async fn data(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).data(id, now).await
    }
    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        (**self).set_data(id, now, data).await
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
    async fn deny(&self, id: SessionId, until: DateTime<Utc>) -> Result<bool, StoreError> {
        (**self).deny(id, until).await
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
