//! What a store keeps of a session.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

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
    /// When the subject last proved who it is: when it signed in, or later in a step-up.
    pub authenticated_at: DateTime<Utc>,
    /// How well it was proved then.
    pub assurance: Assurance,
    /// When the session was last used, to within the touch interval.
    pub last_seen_at: DateTime<Utc>,
    /// When the session ends if it is not used before. Never after `expires_at`.
    pub idle_expires_at: DateTime<Utc>,
    /// When the session ends however much it is used.
    pub expires_at: DateTime<Utc>,
    /// Whether the browser keeps the cookie when it is closed.
    pub persistent: bool,
    /// From where the subject signed in, as far as that was known.
    pub address: Option<IpAddr>,
    /// With what program, as it said itself: at most 255 characters, none a control character.
    pub agent: Option<String>,
    /// What the application noted, as a JSON object of bounded size.
    pub claims: String,
}

/// How well a subject proved who it is: the authentication assurance levels of
/// [NIST SP 800-63B-4](https://pages.nist.gov/800-63-4/sp800-63b.html). The application says which
/// one its own sign-in reaches.
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
    /// The level as a token or a table has it: `aal1`, `aal2` or `aal3`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::Aal3 => "aal3",
        }
    }

    /// The level of a word; none for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Aal1, Self::Aal2, Self::Aal3]
            .into_iter()
            .find(|level| level.word() == word)
    }
}

/// How many sessions a subject may have at a time
/// ([ASVS 7.1.2](https://github.com/OWASP/ASVS)), and what happens to one more. It is
/// [`SessionLimit::DEFAULT`] unless the application says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionLimit {
    /// At most so many; one more sign-in is refused.
    Reject(NonZeroU32),
    /// At most so many; one more sign-in ends the oldest ones.
    EvictOldest(NonZeroU32),
}

impl SessionLimit {
    /// 1,000 sessions, of which one more sign-in ends the oldest: so many that nobody meets it by using an
    /// application, and few enough that no account fills a store. To refuse would have whoever signs in
    /// without end lock the user out.
    pub const DEFAULT: Self = Self::EvictOldest(NonZeroU32::MIN.saturating_add(999));

    /// How many.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Reject(most) | Self::EvictOldest(most) => most.get() as usize,
        }
    }
}

/// What became of a new record. Exhaustive on purpose: a new outcome should break its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is stored, and these sessions of its subject ended because of the limit.
    Stored(Vec<SessionId>),
    /// Another session has this id; it was left as it is.
    IdTaken,
    /// The subject has as many sessions as it may; nothing was stored.
    LimitReached,
    /// The session that was to end with it is not there, or not alive; nothing was stored.
    OldGone,
}

/// What became of a record that was to take another one's place. Exhaustive on purpose, as
/// [`Created`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It stands in the other one's place.
    Done,
    /// The other one is not there, or not alive; nothing was stored.
    Gone,
    /// Another session has the new id; nothing was changed.
    IdTaken,
}

/// The data that an application keeps with a session, as a store has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredData {
    /// The data; none where it keeps none.
    pub data: Option<Vec<u8>>,
    /// How often they were changed, or removed.
    pub version: u64,
}

/// The outcome of keeping data with a session. Exhaustive on purpose, as [`Created`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKept {
    /// They are there, and their version is the next one.
    Done,
    /// The data that are there are of another version; nothing was changed.
    Stale,
    /// The session is not there, or not alive.
    Gone,
}

/// What is kept of sessions that are kept nowhere else than in their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whether this very session was ended.
    pub denied: bool,
    /// Sessions of this subject whose tokens name no generations are over if they began at this
    /// instant or before.
    pub cut_off: Option<DateTime<Utc>>,
    /// What a session of this subject would begin under now. None where there is no generation of
    /// everyone: then no session that names one stands.
    pub generations: Option<Generations>,
}

/// Under what a stateless session begins. It is over when either of the two is another one.
///
/// They are counters of the store: sessions are ended by raising one, so that nothing depends on
/// whose clock shows what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generations {
    /// That of the sessions of everyone. It begins at random, so that a store that lost its content
    /// knows none of the sessions that were begun over it.
    pub everyone: u64,
    /// That of the sessions of one subject; 0 until it is raised.
    pub subject: u64,
}
