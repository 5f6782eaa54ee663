//! What a request presents for its session: made and opened as the strategy says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::store::SessionRecord;
use super::token::{Credential, Sealer};
use crate::error::{Refusal, Result};

/// Where the truth about a session is, and what its cookie says. Handlers do not change with it.
///
/// | | cookie | store | without the store |
/// |---|---|---|---|
/// | `Hybrid` | sealed: id, secret, end | one record for each session | a forged or expired cookie is refused |
/// | `Database` | id and secret | one record for each session | nothing is known |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// A sealed cookie with the session's id and end, and the session in the store.
    #[default]
    Hybrid,
    /// A cookie with nothing but an id and a secret, and the session in the store. What it is worth
    /// only the store can tell, so that forged cookies cost a query, too.
    Database,
}

impl Strategy {
    /// The strategy as one word: `hybrid` or `database`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Database => "database",
        }
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
    Sealed(Sealer),
    Opaque,
}

impl Tickets {
    pub(crate) const fn strategy(&self) -> Strategy {
        match self {
            Self::Sealed(_) => Strategy::Hybrid,
            Self::Opaque => Strategy::Database,
        }
    }

    /// Gives `record` a new id and secret.
    pub(crate) fn issue(&self, mut record: SessionRecord) -> Result<Issued> {
        let (credential, secret) = match self {
            Self::Sealed(_) => Credential::generate(record.expires_at.timestamp())?,
            // It says nothing about its end.
            Self::Opaque => Credential::generate(i64::MAX)?,
        };
        let value = match self {
            Self::Sealed(sealer) => sealer.seal(&credential, &secret)?,
            Self::Opaque => {
                let parts = Zeroizing::new([&credential.id.as_bytes()[..], &*secret].concat());
                Zeroizing::new(URL_SAFE_NO_PAD.encode(&*parts))
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
    pub(crate) fn open(&self, text: &[u8]) -> std::result::Result<Ticket, Refusal> {
        let credential = match self {
            Self::Sealed(sealer) => sealer.open(text),
            Self::Opaque => opaque(text),
        };
        Ok(Ticket {
            credential: credential.ok_or(Refusal::Invalid)?,
            token: None,
        })
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
