//! The record of a session in a store, and the outcomes of storing it.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::viewer::Subject;

/// The id of a session: 16 random bytes, shown as hex.
///
/// It identifies a session in a list or a log. It opens nothing: a credential also holds a secret of 32
/// bytes, which is never shown.
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
    /// Builds the id from these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Uuid::encode_buffer();
        f.write_str(Uuid::from_bytes(self.0).simple().encode_lower(&mut text))
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
        Uuid::try_parse(text)
            .map(|id| Self(id.into_bytes()))
            .map_err(|_| crate::Error::not_found())
    }
}

/// The SHA-256 of a session's secret, the only form that a store receives.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Builds the hash from these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    /// Compares in constant time, so that the delay of a response reveals nothing about the stored hash.
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
    /// The hash to compare the credential's secret with.
    pub secret_hash: SecretHash,
    /// The subject that signed in.
    pub subject: Subject,
    /// The time of the sign-in.
    pub created_at: DateTime<Utc>,
    /// The time at which the subject last authenticated: at the sign-in, or later in a step-up.
    pub authenticated_at: DateTime<Utc>,
    /// The assurance of that authentication.
    pub assurance: Assurance,
    /// The time of the last use, to within the touch interval.
    pub last_seen_at: DateTime<Utc>,
    /// The time of the idle timeout if the session is not used before. Never after `expires_at`.
    pub idle_expires_at: DateTime<Utc>,
    /// The time of the absolute timeout.
    pub expires_at: DateTime<Utc>,
    /// Set if the browser keeps the cookie when it is closed.
    pub persistent: bool,
    /// The address of the sign-in, if it was known.
    pub address: Option<IpAddr>,
    /// The program of the sign-in, as it identified itself: at most 255 characters, none a control character.
    pub agent: Option<String>,
    /// The application's claims, as a JSON object of bounded size.
    pub claims: String,
}

/// The strength of a subject's authentication: the authentication assurance levels of [NIST SP
/// 800-63B-4](https://pages.nist.gov/800-63-4/sp800-63b.html). The application knows which one its own
/// sign-in reaches.
///
/// Exhaustive: the standard has these three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Assurance {
    /// One factor.
    #[default]
    Aal1,
    /// Two factors, or one device that holds both.
    Aal2,
    /// Two factors, one of which is a key that cannot be copied or phished.
    Aal3,
}

impl Assurance {
    /// Returns the level as a token or a table has it: `aal1`, `aal2` or `aal3`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::Aal3 => "aal3",
        }
    }

    /// Parses a level; `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Aal1, Self::Aal2, Self::Aal3]
            .into_iter()
            .find(|level| level.as_str() == word)
    }
}

/// A limit on a subject's concurrent sessions ([ASVS 7.1.2](https://github.com/OWASP/ASVS)), and the reaction
/// to one more. It is [`SessionLimit::DEFAULT`] unless the application sets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionLimit {
    /// At most this many; one more sign-in is refused.
    Reject(NonZeroU32),
    /// At most this many; one more sign-in ends the oldest ones.
    EvictOldest(NonZeroU32),
}

impl SessionLimit {
    /// The default: 1,000 sessions, and one more sign-in ends the oldest. Ordinary use never reaches that
    /// many, and no account fills a store. Refusing instead would let anybody with the password lock the user
    /// out by signing in again and again.
    pub const DEFAULT: Self = Self::EvictOldest(NonZeroU32::MIN.saturating_add(999));

    /// Returns the maximum number of sessions.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Reject(most) | Self::EvictOldest(most) => most.get() as usize,
        }
    }
}

/// The outcome of adding a record. Exhaustive on purpose: a new outcome should break its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The record is stored, and the limit ended these sessions of its subject.
    Stored(Vec<SessionId>),
    /// Another session has this id; it was left as it is.
    IdTaken,
    /// The subject has as many sessions as it may; nothing was stored.
    LimitReached,
    /// The session that was to end with it does not exist, or is expired; nothing was stored.
    OldGone,
}

/// The outcome of replacing a record by another one. Exhaustive on purpose, as [`Created`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The record was replaced.
    Done,
    /// The old one does not exist, or is expired; nothing was stored.
    Gone,
    /// Another session has the new id; nothing was changed.
    IdTaken,
}

/// The application's data of a session, as a store has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredData {
    /// The data; `None` if there are none.
    pub data: Option<Vec<u8>>,
    /// The number of times they were changed, or removed.
    pub version: u64,
}

/// The outcome of storing data with a session. Exhaustive on purpose, as [`Created`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKept {
    /// The data are stored, and their version is the next one.
    Done,
    /// The stored data have another version; nothing was changed.
    Stale,
    /// The session does not exist, or is expired.
    Gone,
}

/// The revocations that a store keeps for a stateless session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Set if this very session was ended.
    pub denied: bool,
    /// The cut-off: sessions of this subject whose tokens name no generations are over if they began at this
    /// instant or before.
    pub cut_off: Option<DateTime<Utc>>,
    /// The generations that a session of this subject would begin under now. `None` if there is no generation
    /// of everyone: then no session that names one is valid.
    pub generations: Option<Generations>,
}

/// The generations under which a stateless session begins. It is over when either of the two differs.
///
/// They are counters of the store: raising one ends sessions, so that no clock takes part (decision 56).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generations {
    /// The counter for the sessions of everyone. It begins at random, so that a store that lost its content
    /// accepts none of the sessions that began under it.
    pub everyone: u64,
    /// The counter for the sessions of one subject; 0 until it is raised.
    pub subject: u64,
}
