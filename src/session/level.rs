//! The three levels to which a session is verified, as types: [`Optimistic`], [`Verified`] and [`Current`].

use std::any::{Any, TypeId};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::epoch::{Epoch, Shard};
use super::groups::Groups;
use super::store::{Assurance, SecretHash, SessionId};
use super::token_guard::TokenGuard;
use crate::token::SessionClaims;
use crate::viewer::{Subject, Viewer};

/// A session and its viewer as one load found them. A request keeps it without the viewer's type.
pub(crate) struct LoadedSession {
    pub(crate) id: SessionId,
    pub(crate) secret_hash: SecretHash,
    pub(crate) subject: Subject,
    pub(crate) claims: SessionClaims,
    pub(crate) groups: Groups,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) authenticated_at: DateTime<Utc>,
    pub(crate) assurance: Assurance,
    pub(crate) idle_expires_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) persistent: bool,
    pub(crate) shard: Shard,
    pub(crate) epoch: Epoch,
    pub(crate) number: LoadNumber,
    /// The instant at which the load began, before querying the store.
    pub(crate) asked_at: DateTime<Utc>,
    /// The generations that a write locks, where the session is stateless and its store is in a database.
    pub(crate) token: Option<Box<TokenGuard>>,
    pub(crate) viewer: Box<dyn Any + Send + Sync>,
}

/// The unique number of a load in the process. An address would not do: it is reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LoadNumber(u64);

impl LoadNumber {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl LoadedSession {
    /// Returns whether no revocation or change since the load makes it stale.
    #[inline]
    pub(crate) fn holds(&self) -> bool {
        self.shard.holds(self.epoch)
    }

    /// Returns whether both are of the same session of the same subject.
    #[inline]
    pub(crate) fn is_same_session(&self, other: &Self) -> bool {
        self.id == other.id && self.subject == other.subject
    }
}

/// A viewer whose session was checked against the store, or against a cache no older than the
/// configured bound.
///
/// It exposes the session's attributes for later code, and nothing that would open the session. Only the
/// library makes one. Cloning copies a pointer.
///
/// # Example
///
/// ```
/// use clearance::{Result, Verified, Viewer, verify_session};
///
/// # struct Member { name: String }
/// # impl Viewer for Member {
/// #     fn subject(&self) -> clearance::Subject { clearance::Subject::new(&self.name) }
/// # }
/// async fn greeting() -> Result<String> {
///     let member: Verified<Member> = verify_session().await?;
///     Ok(format!("Hello {}", member.viewer().name))
/// }
/// ```
pub struct Verified<V> {
    // INVARIANT (viewer type): the viewer inside is a `V`.
    loaded: Arc<LoadedSession>,
    viewer: PhantomData<fn() -> V>,
}

impl<V> Clone for Verified<V> {
    #[inline]
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.loaded))
    }
}

impl<V> Verified<V> {
    /// Wraps a loaded session. INVARIANT (viewer type): the caller knows that the viewer inside is a `V`.
    #[inline]
    const fn of(loaded: Arc<LoadedSession>) -> Self {
        Self {
            loaded,
            viewer: PhantomData,
        }
    }

    pub(crate) fn loaded(&self) -> &Arc<LoadedSession> {
        &self.loaded
    }
}

/// The viewer that a request found first, memoized for its later calls.
///
/// It is kept without its type, and the type is compared as a value: asking an object for its type is a
/// virtual call, which would delay every later call.
pub(crate) struct First {
    viewer: TypeId,
    loaded: OnceLock<Arc<LoadedSession>>,
    /// Set if the viewer is older than the cache bound.
    outdated: AtomicBool,
}

impl First {
    pub(crate) fn of<V: 'static>() -> Self {
        Self {
            viewer: TypeId::of::<V>(),
            loaded: OnceLock::new(),
            outdated: AtomicBool::new(false),
        }
    }

    /// Copies it for another context with the same type of viewers. A viewer that a test gave is kept.
    pub(crate) fn fork(&self, given: bool) -> Self {
        Self {
            viewer: self.viewer,
            loaded: if given {
                self.loaded.clone()
            } else {
                OnceLock::new()
            },
            outdated: AtomicBool::new(false),
        }
    }

    /// Returns the viewer, if it is a `V`, was found already, and nothing was revoked since.
    #[inline]
    pub(crate) fn ready<V: Viewer>(&self) -> Option<Verified<V>> {
        if self.viewer != TypeId::of::<V>() || self.is_outdated() {
            return None;
        }
        let loaded = self.loaded.get()?;
        // INVARIANT (viewer type): `set` takes no other viewer than the one compared above.
        loaded.holds().then(|| Verified::of(Arc::clone(loaded)))
    }

    /// Returns the loaded session, whatever its viewer's type, if nothing was revoked since.
    pub(crate) fn ready_loaded(&self) -> Option<&Arc<LoadedSession>> {
        let loaded = self.loaded.get().filter(|loaded| loaded.holds());
        loaded.filter(|_| !self.is_outdated())
    }

    /// Stores the first viewer found. An earlier one, whose epoch no longer holds, stays; later calls then
    /// take the slow path.
    pub(crate) fn set<V: Viewer>(&self, verified: &Verified<V>) {
        if self.viewer == TypeId::of::<V>() {
            let _earlier = self.loaded.set(Arc::clone(&verified.loaded));
        }
    }

    /// Marks the cached viewer as stale: later calls take the slow path.
    pub(crate) fn outdate(&self) {
        self.outdated.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Acquire)
    }

    /// Returns the session that was found first, whether or not it still holds.
    pub(crate) fn loaded(&self) -> Option<&LoadedSession> {
        self.loaded.get().map(Arc::as_ref)
    }
}

impl<V: Viewer> Verified<V> {
    pub(crate) fn new(
        viewer: V,
        session: impl FnOnce(Box<dyn Any + Send + Sync>) -> LoadedSession,
    ) -> Self {
        Self::of(Arc::new(session(Box::new(viewer))))
    }

    /// Returns the viewer.
    #[must_use]
    #[expect(
        clippy::unreachable,
        reason = "INVARIANT (viewer type): nothing else is ever put in"
    )]
    pub fn viewer(&self) -> &V {
        match self.loaded.viewer.downcast_ref() {
            Some(viewer) => viewer,
            None => unreachable!("a verified viewer of another type"),
        }
    }

    /// Returns the session's subject: write this as the author of a row, instead of anything in the request.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.loaded.subject
    }

    /// Returns the id of the session.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.loaded.id
    }

    /// Returns the time of the sign-in.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.loaded.created_at
    }

    /// Returns the time at which the subject last authenticated: at the sign-in, or later in a step-up. It is
    /// the `auth_time` of [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html#IDToken).
    #[must_use]
    pub fn authenticated_at(&self) -> DateTime<Utc> {
        self.loaded.authenticated_at
    }

    /// Returns the assurance of that authentication.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        self.loaded.assurance
    }

    /// Returns the time of the session's absolute timeout.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.loaded.expires_at
    }

    /// Returns the claims that were stored in the session at sign-in.
    #[must_use]
    pub fn claims(&self) -> &SessionClaims {
        &self.loaded.claims
    }

    /// Returns the groups among its [claims](Self::claims), stored under the name that
    /// [`SessionsBuilder::groups_claim`](super::SessionsBuilder::groups_claim) sets.
    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.loaded.groups
    }

    /// Wraps a viewer that a test gives; it has no session.
    #[cfg(feature = "testing")]
    pub(crate) fn given(viewer: V, now: DateTime<Utc>) -> Self {
        let epochs = super::epoch::Epochs::alone();
        let subject = viewer.subject();
        Self::new(viewer, |viewer| LoadedSession {
            viewer,
            id: SessionId::from_bytes([0; 16]),
            secret_hash: SecretHash::from_bytes([0; 32]),
            shard: epochs.shard(&subject),
            epoch: epochs.now(),
            number: LoadNumber::next(),
            asked_at: now,
            token: None,
            subject,
            claims: SessionClaims::new(),
            groups: Groups::default(),
            created_at: now,
            authenticated_at: now,
            // A given viewer may do whatever its rules allow.
            assurance: Assurance::Aal3,
            idle_expires_at: DateTime::<Utc>::MAX_UTC,
            expires_at: DateTime::<Utc>::MAX_UTC,
            persistent: false,
        })
    }

    /// Returns the number of the load that found this.
    pub(crate) fn load_number(&self) -> LoadNumber {
        self.loaded.number
    }
}

impl<V> fmt::Debug for Verified<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("session_id", &self.loaded.id)
            .field("created_at", &self.loaded.created_at)
            .field("authenticated_at", &self.loaded.authenticated_at)
            .field("assurance", &self.loaded.assurance)
            .field("expires_at", &self.loaded.expires_at)
            .finish_non_exhaustive()
    }
}

/// A viewer whose session and own record were read from their stores in the very call that returned this.
///
/// It is a [`Verified`] with a stronger claim, for changes and other sensitive steps. The claim is
/// about the moment of the call: do not keep it.
pub struct Current<V>(pub(crate) Verified<V>);

impl<V: Viewer> Current<V> {
    /// Drops the stronger claim.
    #[must_use]
    pub fn into_verified(self) -> Verified<V> {
        self.0
    }
}

impl<V> Deref for Current<V> {
    type Target = Verified<V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> fmt::Debug for Current<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&self.0).finish()
    }
}

/// The contents of the cookie alone. The store was not queried, so the session may have ended since: use it
/// to decide where to send a browser, never what to show.
///
/// It names no subject and gives no viewer.
///
/// Exhaustive: code that handles one variant must handle the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimistic {
    /// A cookie that this server sealed, and that has not expired.
    Sealed(Sealed),
    /// An unchecked cookie: the strategy is [`Database`](super::Strategy::Database).
    Present(Presence),
}

impl Optimistic {
    /// Returns the latest end of the session, if the cookie contains it.
    #[must_use]
    pub const fn expires_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Sealed(sealed) => Some(sealed.expires_at),
            Self::Present(_) => None,
        }
    }
}

/// A cookie that this server sealed and that has not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) expires_at: DateTime<Utc>,
}

impl Sealed {
    /// Returns the latest end of the session.
    #[must_use]
    pub const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}

/// A cookie that is present, and otherwise unchecked. Anybody can send one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence(pub(crate) ());
