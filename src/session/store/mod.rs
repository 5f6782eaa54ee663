//! Where sessions are kept: the trait, and what passes through it.

mod memory;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;

pub use memory::MemorySessionStore;

use crate::viewer::Subject;

/// The id of a session: 16 random bytes, shown as hex.
///
/// It tells sessions apart in a list or a log. It opens nothing: a credential also holds a secret
/// of 32 bytes, which is never shown.
///
/// # Example
///
/// ```
/// use clearance::SessionId;
///
/// let id: SessionId = "000102030405060708090a0b0c0d0e0f".parse()?;
/// assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl std::str::FromStr for SessionId {
    type Err = crate::Error;

    /// # Errors
    ///
    /// [`Error::is_not_found`](crate::Error::is_not_found) when the text is not 32 lower-case hex
    /// digits: no session has such an id.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let canonical = |digit: &u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit);
        if text.len() != 32 || !text.as_bytes().iter().all(canonical) {
            return Err(crate::Error::not_found());
        }
        u128::from_str_radix(text, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| crate::Error::not_found())
    }
}

/// The SHA-256 of a session's secret: all that a store ever sees of it.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    /// In constant time, so that an answer's delay tells nothing about the stored hash.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// A session as a store keeps it.
///
/// Exhaustive on purpose: a store has to keep every field, so a new one should break its build.
/// All instants are UTC, to the microsecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The unique key.
    pub id: SessionId,
    /// What the credential's secret is compared with.
    pub secret_hash: SecretHash,
    /// Whose session it is.
    pub subject: Subject,
    /// When the subject signed in.
    pub created_at: DateTime<Utc>,
    /// When the session was last used, to within the touch interval.
    pub last_seen_at: DateTime<Utc>,
    /// When the session ends if it is not used before. Never after `expires_at`.
    pub idle_expires_at: DateTime<Utc>,
    /// When the session ends however much it is used.
    pub expires_at: DateTime<Utc>,
}

/// What became of a new record. Exhaustive on purpose: a third outcome should break its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is stored.
    Stored,
    /// Another session has this id; it was left as it is.
    IdTaken,
}

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
/// Three rules hold for every implementation: [`create`](Self::create) never overwrites,
/// [`touch`](Self::touch) never inserts, and an expired record is treated as absent in the same
/// operation that looks for it. `clearance::testing::check_session_store` (feature `testing`)
/// checks all of it.
///
/// # Example
///
/// A store that is down: every answer is an outage, none is "no such session".
///
/// ```
/// use chrono::{DateTime, Utc};
/// use clearance::session::{Created, SessionRecord, SessionStore, StoreError};
/// use clearance::{SessionId, Subject, async_trait};
///
/// struct Down;
///
/// #[async_trait]
/// impl SessionStore for Down {
///     async fn create(&self, _: &SessionRecord) -> Result<Created, StoreError> {
///         Err(StoreError::outage())
///     }
///     async fn load(&self, _: SessionId, _: DateTime<Utc>) -> Result<Option<SessionRecord>, StoreError> {
///         Err(StoreError::outage())
///     }
///     async fn touch(&self, _: &SessionRecord) -> Result<bool, StoreError> {
///         Err(StoreError::outage())
///     }
///     async fn delete(&self, _: SessionId, _: &Subject) -> Result<bool, StoreError> {
///         Err(StoreError::outage())
///     }
///     async fn delete_all(&self, _: &Subject, _: Option<SessionId>) -> Result<u64, StoreError> {
///         Err(StoreError::outage())
///     }
///     async fn list(&self, _: &Subject, _: DateTime<Utc>) -> Result<Vec<SessionRecord>, StoreError> {
///         Err(StoreError::outage())
///     }
///     async fn sweep(&self, _: DateTime<Utc>) -> Result<u64, StoreError> {
///         Err(StoreError::outage())
///     }
/// }
/// ```
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Adds a record. One that is there under the same id stays as it is, expired or not.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the record is stored.
    async fn create(&self, record: &SessionRecord) -> Result<Created, StoreError>;

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

    /// Removes the records of which either limit is at or before `now`; tells how many.
    ///
    /// # Errors
    ///
    /// When the store did not carry it out.
    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError>;
}

#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    async fn create(&self, record: &SessionRecord) -> Result<Created, StoreError> {
        (**self).create(record).await
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
    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        (**self).list(subject, now).await
    }
    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        (**self).sweep(now).await
    }
}
