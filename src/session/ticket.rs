//! What a request presents for its session: made and opened as the strategy says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::stateless::Stateless;
use super::store::SessionRecord;
use super::token::{Credential, KeyRing, Sealer};
use crate::error::{Refusal, Result};

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
    /// single sessions, and all that a subject, or everyone, had begun by an instant. So there is no
    /// list of sessions, no limit of their number and no data: calls for these are
    /// [`Error::is_misuse`](crate::Error::is_misuse), and a limit is an error of
    /// [`build`](super::SessionsBuilder::build). What ends one is asked of the
    /// store within the cache bound, as with the others.
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
    pub(crate) token: Option<Arc<SessionRecord>>,
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
    sealing: Sealer,
    retired: Vec<Sealer>,
}

impl Sealers {
    pub(super) fn new(ring: &KeyRing, cookie: &str) -> Result<Self> {
        let sealer = |key| Sealer::new(key, cookie);
        Ok(Self {
            sealing: sealer(ring.sealing())?,
            retired: ring
                .retired_keys()
                .iter()
                .map(sealer)
                .collect::<Result<_>>()?,
        })
    }

    fn open(&self, text: &[u8]) -> Option<Credential> {
        std::iter::once(&self.sealing)
            .chain(&self.retired)
            .find_map(|sealer| sealer.open(text))
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

    /// Gives `record` a new id and secret.
    pub(crate) fn issue(&self, mut record: SessionRecord) -> Result<Issued> {
        let (credential, value) = match self {
            Self::Stateless(stateless) => return stateless.issue(record),
            Self::Sealed(sealers) => {
                let (credential, secret) = Credential::generate(record.expires_at.timestamp())?;
                let value = sealers.sealing.seal(&credential, &secret)?;
                (credential, value)
            }
            Self::Opaque => {
                // It says nothing about its end.
                let (credential, secret) = Credential::generate(i64::MAX)?;
                let parts = Zeroizing::new([&credential.id.as_bytes()[..], &*secret].concat());
                (credential, Zeroizing::new(URL_SAFE_NO_PAD.encode(&*parts)))
            }
        };
        record.id = credential.id;
        record.secret_hash = credential.secret_hash;
        Ok(Issued {
            record,
            ticket: Ticket {
                credential,
                token: None,
            },
            value,
        })
    }

    /// Opens what [`Tickets::issue`] made; refuses anything else, whatever is wrong with it.
    pub(crate) fn open(
        &self,
        text: &[u8],
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        let stored = |credential| Ticket {
            credential,
            token: None,
        };
        let opened = match self {
            Self::Sealed(sealers) => sealers.open(text),
            Self::Opaque => opaque(text),
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
