//! The issuer and opener of tickets, by strategy.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::fingerprint::{Fingerprint, Fingerprinting};
use super::known_session::KnownSession;
use super::sealed::{Credential, Sealer};
use super::stateless::Stateless;
use super::ticket::{Issued, Strategy, Ticket};
use crate::error::{Refusal, Result};
use crate::token::{KeyRing, OfRing};

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
