//! Tickets: the credential that a request presents, issued and opened according to the strategy.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::fingerprint::{Fingerprint, Fingerprinting};
use super::sealed::{Credential, Sealer};
use super::stateless::{KnownSession, Stateless};
use super::store::SessionRecord;
use crate::error::{Refusal, Result};
use crate::token::{KeyRing, OfRing};

/// The place where the state of a session is kept, and the contents of its cookie. Handlers do not change
/// with it, except that listing sessions, their data and a limit of their number need a store of sessions.
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
    /// A cookie with nothing but an id and a secret, and the session in the store. Only the store can check
    /// it, so that forged cookies cost a query, too.
    Database,
    /// An encrypted cookie with the session itself. The store has only revocations: of single sessions, and a
    /// counter for all of a subject, and of everyone. A sign-in reads the counters, so all nodes need one
    /// store, and one that loses its content accepts no earlier session.
    ///
    /// There is no list of sessions, no limit of their number and no data: calls for these are
    /// [`Error::is_misuse`](crate::Error::is_misuse), and a limit is an error of
    /// [`build`](super::SessionsBuilder::build). Revocations are read from the store within the cache bound,
    /// as with the others. A write in the database of the store
    /// ([`Db::session_store`](crate::Db::session_store)) runs in a transaction that locks the counters first,
    /// so that no write happens after a call that ended the session has returned.
    ///
    /// Anybody who has the [key](crate::Key) can forge sessions of anybody.
    Stateless,
}

impl Strategy {
    /// Returns the strategy as one word: `hybrid`, `database` or `stateless`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Database => "database",
            Self::Stateless => "stateless",
        }
    }

    /// Parses a strategy; `None` for any other word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Hybrid, Self::Database, Self::Stateless]
            .into_iter()
            .find(|strategy| strategy.as_str() == word)
    }
}

/// An opened credential of a request.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) credential: Credential,
    /// The session itself, if it is stateless.
    pub(crate) token: Option<Arc<KnownSession>>,
    /// Set if a retired key opened it.
    pub(crate) retired: bool,
    /// The fingerprint of the cookie that it is the content of.
    pub(crate) fingerprint: Fingerprint,
}

impl Ticket {
    /// Returns whether the ticket's id and secret are those of this record.
    pub(crate) fn is_of(&self, record: &SessionRecord) -> bool {
        record.id == self.credential.id && record.secret_hash == self.credential.secret_hash
    }
}

/// A record, and the one value that opens it.
pub(crate) struct Issued {
    pub(crate) record: SessionRecord,
    pub(crate) ticket: Ticket,
    pub(crate) value: Zeroizing<String>,
}

/// The issuer and opener of tickets, by strategy.
#[derive(Debug)]
pub(crate) struct Tickets {
    cookies: Cookies,
    fingerprinting: Fingerprinting,
}

/// The contents of cookies.
#[derive(Debug)]
enum Cookies {
    Sealed(Sealers),
    Opaque,
    Stateless(Stateless),
}

/// The keys of sealed cookies: one seals, all open (key rotation).
#[derive(Debug)]
struct Sealers {
    keys: OfRing<Sealer>,
}

impl Sealers {
    fn new(ring: &KeyRing, cookie: &str) -> Result<Self> {
        let keys = ring.derived(|key| Sealer::new(key, cookie))?;
        Ok(Self { keys })
    }

    /// Opens a cookie, and returns whether a retired key sealed it.
    fn open(&self, text: &[u8]) -> Option<(Credential, bool)> {
        self.keys
            .all()
            .enumerate()
            .find_map(|(place, sealer)| Some((sealer.open(text)?, place > 0)))
    }

    /// Seals the same id and secret again, with the current key and another end.
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
    /// Derives the keys of a strategy's cookies; `most_bytes` bounds what a stateless session has in its own.
    pub(super) fn new(
        strategy: Strategy,
        ring: &KeyRing,
        cookie: &str,
        most_bytes: usize,
    ) -> Result<Self> {
        let fingerprinting = Fingerprinting::new()?;
        let cookies = match strategy {
            Strategy::Hybrid => Cookies::Sealed(Sealers::new(ring, cookie)?),
            Strategy::Database => Cookies::Opaque,
            Strategy::Stateless => {
                let stateless = Stateless::new(ring, cookie, most_bytes, fingerprinting)?;
                Cookies::Stateless(stateless)
            }
        };
        Ok(Self {
            cookies,
            fingerprinting,
        })
    }

    pub(crate) const fn strategy(&self) -> Strategy {
        match self.cookies {
            Cookies::Sealed(_) => Strategy::Hybrid,
            Cookies::Opaque => Strategy::Database,
            Cookies::Stateless(_) => Strategy::Stateless,
        }
    }

    /// Returns the fingerprint that the ticket of this cookie has.
    pub(crate) fn fingerprint(&self, text: &[u8]) -> Fingerprint {
        self.fingerprinting.of(text)
    }

    /// Returns the sealer of stateless sessions, under that strategy.
    pub(crate) const fn stateless(&self) -> Option<&Stateless> {
        match &self.cookies {
            Cookies::Stateless(stateless) => Some(stateless),
            Cookies::Sealed(_) | Cookies::Opaque => None,
        }
    }

    /// Issues `session` with a new id and secret.
    pub(crate) fn issue(&self, session: KnownSession) -> Result<Issued> {
        let (credential, value) = match &self.cookies {
            Cookies::Stateless(stateless) => return stateless.issue(session),
            Cookies::Sealed(sealers) => {
                let (credential, secret) = Credential::generate(session.expires_at.timestamp())?;
                let value = sealers.keys.sealing.seal(&credential, &secret)?;
                (credential, value)
            }
            Cookies::Opaque => {
                // An opaque cookie does not contain its end.
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
                fingerprint: self.fingerprint(value.as_bytes()),
            },
            value,
        })
    }

    /// Seals a sealed cookie again, with the current key and another end; `None` under another strategy.
    pub(crate) fn seal_anew(&self, text: &[u8], expires_at: i64) -> Option<Zeroizing<String>> {
        match &self.cookies {
            Cookies::Sealed(sealers) => sealers.seal_anew(text, expires_at),
            Cookies::Opaque | Cookies::Stateless(_) => None,
        }
    }

    /// Opens a value of [`Tickets::issue`]; refuses anything else, whatever is wrong with it.
    pub(crate) fn open(
        &self,
        text: &[u8],
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        let stored = |(credential, retired)| Ticket {
            credential,
            token: None,
            retired,
            fingerprint: self.fingerprint(text),
        };
        let opened = match &self.cookies {
            Cookies::Sealed(sealers) => sealers.open(text),
            Cookies::Opaque => opaque(text).map(|credential| (credential, false)),
            Cookies::Stateless(stateless) => return stateless.open(text, now),
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
