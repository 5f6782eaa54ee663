//! The cache of verified credentials, shared by all requests, with single flight (decision 10).

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use chrono::TimeDelta;
use moka::future::Cache as Entries;
use moka::ops::compute::Op;

use super::epoch::{Epoch, Shard};
use super::fingerprint::Fingerprint;
use super::level::Verified;
use super::ticket::Ticket;
use crate::error::{Error, Refusal, Result};

/// The cached result of verifying a credential. An outage is never cached.
pub(crate) enum Verification<V> {
    Live(Verified<V>),
    Refused(Refused),
}

/// A definite refusal.
#[derive(Clone)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// The shard and epoch of the session's subject, where a change of the subject can change the result.
    pub(crate) since: Option<(Shard, Epoch)>,
    /// Set if the cookie can never be valid again, so that it can be removed.
    pub(crate) dead: bool,
}

impl Refused {
    /// Returns whether a cookie refused for this reason is useless by itself. An ambiguous one is not
    /// removed: one of two cookies may be an attacker's, and removing the other would leave that one alone.
    pub(crate) const fn is_dead(refusal: Refusal) -> bool {
        match refusal {
            Refusal::Invalid | Refusal::Expired => true,
            Refusal::Missing | Refusal::Ambiguous | Refusal::Unknown | Refusal::NoViewer => false,
        }
    }
}

impl<V> Clone for Verification<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Live(verified) => Self::Live(verified.clone()),
            Self::Refused(refused) => Self::Refused(refused.clone()),
        }
    }
}

impl<V> Verification<V> {
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self::Refused(Refused {
            refusal,
            since: None,
            dead: Refused::is_dead(refusal),
        })
    }

    /// Returns whether no revocation came after this was loaded.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Live(verified) => verified.loaded().holds(),
            Self::Refused(refused) => refused
                .since
                .as_ref()
                .is_none_or(|(shard, epoch)| shard.holds(*epoch)),
        }
    }

    pub(crate) fn into_result(self) -> Result<Verified<V>> {
        match self {
            Self::Live(verified) => Ok(verified),
            Self::Refused(refused) => Err(Error::unauthenticated(refused.refusal)),
        }
    }
}

/// An answer, the opened cookie that it is for, and the instant at which its load began, before querying the
/// store, in microseconds since 1970.
pub(crate) struct Cached<V> {
    pub(crate) ticket: Ticket,
    pub(crate) answer: Verification<V>,
    pub(crate) asked_at: i64,
}

impl<V> Clone for Cached<V> {
    fn clone(&self) -> Self {
        Self {
            ticket: self.ticket.clone(),
            answer: self.answer.clone(),
            asked_at: self.asked_at,
        }
    }
}

impl<V> Cached<V> {
    fn is_same(&self, other: &Self) -> bool {
        self.asked_at == other.asked_at
            && match (&self.answer, &other.answer) {
                (Verification::Live(one), Verification::Live(other)) => {
                    Arc::ptr_eq(one.loaded(), other.loaded())
                }
                (Verification::Refused(_), Verification::Refused(_)) => true,
                (Verification::Live(_), Verification::Refused(_))
                | (Verification::Refused(_), Verification::Live(_)) => false,
            }
    }
}

/// A cache of answers by the cookie that they are for. It only stores them: the caller checks whether one is fresh, by the
/// library's own clock and epochs.
pub(crate) struct Cache<V> {
    entries: Option<Entries<Fingerprint, Cached<V>, FingerprintHash>>,
}

impl<V: Send + Sync + 'static> Cache<V> {
    pub(crate) fn new(bound: TimeDelta, capacity: u64) -> Self {
        let entries = bound.to_std().ok().filter(|bound| !bound.is_zero());
        let entries = entries.map(|bound| {
            Entries::builder()
                .max_capacity(capacity)
                // Frees memory only; freshness never depends on the system's clock.
                .time_to_live(bound.saturating_mul(2))
                .build_with_hasher(FingerprintHash)
        });
        Self { entries }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.entries.is_none()
    }

    pub(crate) async fn get(&self, fingerprint: &Fingerprint) -> Option<Cached<V>> {
        self.entries.as_ref()?.get(fingerprint).await
    }

    /// Returns the cached answer, or that of one load that all concurrent callers share (single flight). A
    /// failed load is returned to all of them and not cached; when the loading caller is dropped, another
    /// takes over.
    pub(crate) async fn get_or_load(
        &self,
        fingerprint: Fingerprint,
        load: impl Future<Output = Result<Cached<V>>>,
    ) -> Result<Cached<V>> {
        match &self.entries {
            None => load.await,
            Some(entries) => entries
                .try_get_with(fingerprint, load)
                .await
                .map_err(|error: Arc<Error>| Error::new(error.kind().clone())),
        }
    }

    /// Removes `stale`, unless another caller has replaced it.
    pub(crate) async fn discard(&self, fingerprint: Fingerprint, stale: &Cached<V>) {
        if let Some(entries) = &self.entries {
            entries
                .entry(fingerprint)
                .and_compute_with(|there| {
                    let same = there.is_some_and(|there| there.value().is_same(stale));
                    std::future::ready(if same { Op::Remove } else { Op::Nop })
                })
                .await;
        }
    }

    pub(crate) async fn forget(&self, fingerprint: &Fingerprint) {
        if let Some(entries) = &self.entries {
            entries.invalidate(fingerprint).await;
        }
    }
}

impl<V> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

/// A hasher that passes the hash that a fingerprint provides through unchanged.
#[derive(Clone, Copy)]
struct FingerprintHash;

struct Given(u64);

impl BuildHasher for FingerprintHash {
    type Hasher = Given;

    fn build_hasher(&self) -> Given {
        Given(0)
    }
}

impl Hasher for Given {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = self.0.rotate_left(5) ^ value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
