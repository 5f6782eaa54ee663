//! Tickets: the credential that a request presents, and the strategy by which it is one.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::fingerprint::Fingerprint;
use super::known_session::KnownSession;
use super::sealed::Credential;
use super::store::SessionRecord;

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
