//! What a request presents for its session: made and opened as the strategy says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::sealed::{Credential, Sealer};
use super::stateless::{KnownSession, Stateless};
use super::store::SessionRecord;
use crate::error::{Refusal, Result};
use crate::token::{KeyRing, OfRing};

/// Where the truth about a session is, and what its cookie says. Handlers do not change with it,
/// except that a list of sessions and their data, as a limit of their number, need a store of sessions.
///
/// | | cookie | store | without the store |
/// |---|---|---|---|
/// | `Hybrid` | sealed: id, secret, end | one record for each session | a forged or expired cookie is refused |
/// | `Database` | id and secret | one record for each session | nothing is known |
/// | `Stateless` | the session itself, encrypted | what was ended before its time | a forged or expired cookie is refused |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// A sealed cookie with the session's id and end, and the session in the store.
    #[default]
    Hybrid,
    /// A cookie with nothing but an id and a secret, and the session in the store. What it is worth
    /// only the store can tell, so that forged cookies cost a query, too.
    Database,
    /// An encrypted cookie with the session itself. The store has only what was ended before its time:
    /// single sessions, and a counter of how often all of a subject, or of everyone, were. A sign-in
    /// reads the counters, so all nodes need one store, and one that loses its content knows no
    /// session of before.
    ///
    /// There is no list of sessions, no limit of their number and no data: calls for these are
    /// [`Error::is_misuse`](crate::Error::is_misuse), and a limit is an error of
    /// [`build`](super::SessionsBuilder::build). What ends one is asked of the store within the cache
    /// bound, as with the others. A write in the database of the store
    /// ([`Db::session_store`](crate::Db::session_store)) runs in a transaction that holds the counters first, so that
    /// no write is done after an end of the session has answered.
    ///
    /// Whoever has the [key](crate::Key) makes sessions of anybody.
    Stateless,
}

impl Strategy {
    /// The strategy as one word: `hybrid`, `database` or `stateless`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Database => "database",
            Self::Stateless => "stateless",
        }
    }

    /// The strategy of a word; none for any other word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Hybrid, Self::Database, Self::Stateless]
            .into_iter()
            .find(|strategy| strategy.word() == word)
    }
}

/// What a request presents, opened.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) credential: Credential,
    /// The session itself, where its token is all there is of it.
    pub(crate) token: Option<Arc<KnownSession>>,
    /// Whether a retired key opened it.
    pub(crate) retired: bool,
}

impl Ticket {
    /// Returns whether this is the record that it leads to.
    pub(crate) fn is_of(&self, record: &SessionRecord) -> bool {
        record.id == self.credential.id && record.secret_hash == self.credential.secret_hash
    }
}

/// A record, and the one value that leads to it.
pub(crate) struct Issued {
    pub(crate) record: SessionRecord,
    pub(crate) ticket: Ticket,
    pub(crate) value: Zeroizing<String>,
}

/// Makes and opens tickets.
#[derive(Debug)]
pub(crate) enum Tickets {
    Sealed(Sealers),
    Opaque,
    Stateless(Stateless),
}

/// One seals, all open.
#[derive(Debug)]
pub(crate) struct Sealers {
    keys: OfRing<Sealer>,
}

impl Sealers {
    pub(super) fn new(ring: &KeyRing, cookie: &str) -> Result<Self> {
        let keys = ring.derived(|key| Sealer::new(key, cookie))?;
        Ok(Self { keys })
    }

    /// What a cookie says, and whether a retired key sealed it.
    fn open(&self, text: &[u8]) -> Option<(Credential, bool)> {
        self.keys
            .all()
            .enumerate()
            .find_map(|(place, sealer)| Some((sealer.open(text)?, place > 0)))
    }

    /// The same id and secret, sealed by the key of today, with another end.
    fn seal_anew(&self, text: &[u8], expires_at: i64) -> Option<Zeroizing<String>> {
        let (credential, secret) = self.keys.all().find_map(|sealer| sealer.open_whole(text))?;
        let credential = Credential {
            expires_at,
            ..credential
        };
        self.keys.sealing.seal(&credential, &secret).ok()
    }
}

impl Tickets {
    pub(crate) const fn strategy(&self) -> Strategy {
        match self {
            Self::Sealed(_) => Strategy::Hybrid,
            Self::Opaque => Strategy::Database,
            Self::Stateless(_) => Strategy::Stateless,
        }
    }

    /// What seals sessions whole, where the strategy does.
    pub(crate) const fn stateless(&self) -> Option<&Stateless> {
        match self {
            Self::Stateless(stateless) => Some(stateless),
            Self::Sealed(_) | Self::Opaque => None,
        }
    }

    /// Gives `session` a new id and secret.
    pub(crate) fn issue(&self, session: KnownSession) -> Result<Issued> {
        let (credential, value) = match self {
            Self::Stateless(stateless) => return stateless.issue(session),
            Self::Sealed(sealers) => {
                let (credential, secret) = Credential::generate(session.expires_at.timestamp())?;
                let value = sealers.keys.sealing.seal(&credential, &secret)?;
                (credential, value)
            }
            Self::Opaque => {
                // It says nothing about its end.
                let (credential, secret) = Credential::generate(i64::MAX)?;
                let parts = Zeroizing::new([&credential.id.as_bytes()[..], &*secret].concat());
                (credential, Zeroizing::new(URL_SAFE_NO_PAD.encode(&*parts)))
            }
        };
        let mut record = session.record;
        record.id = credential.id;
        record.secret_hash = credential.secret_hash;
        Ok(Issued {
            record,
            ticket: Ticket {
                credential,
                token: None,
                retired: false,
            },
            value,
        })
    }

    /// A sealed cookie made anew by the key of today, with another end.
    pub(crate) fn seal_anew(&self, text: &[u8], expires_at: i64) -> Option<Zeroizing<String>> {
        match self {
            Self::Sealed(sealers) => sealers.seal_anew(text, expires_at),
            Self::Opaque | Self::Stateless(_) => None,
        }
    }

    /// Opens what [`Tickets::issue`] made; refuses anything else, whatever is wrong with it.
    pub(crate) fn open(
        &self,
        text: &[u8],
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        let stored = |(credential, retired)| Ticket {
            credential,
            token: None,
            retired,
        };
        let opened = match self {
            Self::Sealed(sealers) => sealers.open(text),
            Self::Opaque => opaque(text).map(|credential| (credential, false)),
            Self::Stateless(stateless) => return stateless.open(text, now),
        };
        opened.map(stored).ok_or(Refusal::Invalid)
    }
}

fn opaque(text: &[u8]) -> Option<Credential> {
    const PARTS: usize = 16 + 32;
    const TEXT: usize = PARTS / 3 * 4;

    if text.len() != TEXT {
        return None;
    }
    let mut parts = Zeroizing::new([0; PARTS]);
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *parts).ok()?;
    let (id, rest) = parts.split_first_chunk()?;
    let (secret, []) = rest.split_first_chunk()? else {
        return None;
    };
    (length == PARTS).then(|| Credential::new(*id, secret, i64::MAX))
}
