//! The sessions of an application: creation, revocation, listing and sweeping.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderValue;
use tokio::task::JoinHandle;

use super::config::SessionsBuilder;
use super::cookie::Stale;
#[cfg(feature = "gates")]
use super::cookie_inspector::CookieInspector;
use super::event::Revocation;
use super::lifecycle::Opened;
use super::origin::Origin;
use super::sign_in::SignIn;
use super::store::{Assurance, SessionId, SessionRecord, SessionStore};
use super::verifier::Verifier;
use super::viewer_source::ViewerSource;
use crate::error::{Error, Result};
use crate::token::KeyRing;
use crate::viewer::{Subject, Viewer};

/// The sessions of an application whose viewers are `V`.
///
/// Cheap to clone; all clones share one cache. Build it once, when the program starts.
///
/// Inside a request, sign in and out through [`RequestContext`](crate::RequestContext), which also
/// writes the cookie.
///
/// # Example
///
/// ```
/// use clearance::session::MemorySessionStore;
/// use clearance::{Key, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait};
///
/// struct Member { id: i64 }
///
/// impl Viewer for Member {
///     fn subject(&self) -> Subject {
///         Subject::new(self.id)
///     }
/// }
///
/// struct Members;
///
/// #[async_trait]
/// impl ViewerSource<Member> for Members {
///     async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
///         Ok(subject.parse().ok().map(|id| Member { id }))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> clearance::Result<()> {
/// let sessions = Sessions::builder(Key::generate()?, MemorySessionStore::new(), Members)
///     .app_url("https://app.example")
///     .build()?;
/// println!("{}", sessions.explain());
///
/// let ada = Subject::new(1);
/// let session = sessions.create(&ada).await?;
/// assert_eq!(sessions.list(&ada).await?.len(), 1);
/// assert!(sessions.revoke(&ada, session.id()).await?);
/// assert!(sessions.list(&ada).await?.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Sessions<V> {
    pub(crate) service: Arc<Verifier<V>>,
}

impl<V> Clone for Sessions<V> {
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
        }
    }
}

impl<V: Viewer> Sessions<V> {
    /// Builds sessions from the three things without a default: the key, or a [`KeyRing`] with retired keys
    /// beside it, the store, and the source of viewers. [`SessionsBuilder::app_url`] is required too.
    pub fn builder(
        key: impl Into<KeyRing>,
        store: impl SessionStore,
        source: impl ViewerSource<V>,
    ) -> SessionsBuilder<V> {
        SessionsBuilder::new(key.into(), store, source)
    }

    pub(super) fn new(service: Verifier<V>) -> Self {
        Self {
            service: Arc::new(service),
        }
    }

    /// Returns an inspector of these sessions' cookies, without their store.
    #[cfg(feature = "gates")]
    pub(crate) fn outlook(&self) -> CookieInspector {
        let core = &self.service.core;
        CookieInspector {
            tickets: Arc::clone(&core.tickets),
            cookie: core.cookie.name().into(),
            groups_claim: core.settings.groups_claim.clone(),
            clock: Arc::clone(&core.clock),
        }
    }

    /// Signs a subject in, outside of any request: stores a new session and returns its cookie.
    ///
    /// The application has authenticated the subject, for instance by a password.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer;
    /// then there is no cookie. [`Error::is_too_many_sessions`](crate::Error::is_too_many_sessions)
    /// when the subject has as many sessions as it may, [`Error::is_invalid`](crate::Error::is_invalid)
    /// when it is longer than [`Subject::MAX_BYTES`].
    pub async fn create(&self, sign_in: impl Into<SignIn>) -> Result<NewSession> {
        let origin = Origin::default();
        let sign_in = self.service.admitted(&sign_in.into(), &origin).await?;
        let core = &self.service.core;
        let opened = core
            .create(&sign_in, None, &origin, &Stale::default())
            .await?;
        Ok(NewSession { opened })
    }

    /// Ends one session of `subject`; returns whether it existed. This node refuses it from now on, other
    /// nodes within the cache bound.
    ///
    /// For a stateless session it returns whether it was not ended by its id before, and so `true` for an id
    /// that no session has. Each such id is kept in the store for 400 days, the longest that a session can
    /// live: limit how often this may be called.
    ///
    /// The subject is a parameter so that nobody ends the sessions of another by their id.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer; the
    /// session may still live.
    pub async fn revoke(&self, subject: &Subject, id: SessionId) -> Result<bool> {
        let core = &self.service.core;
        core.revoke(id, subject, None, Revocation::ById, &Origin::default())
            .await
    }

    /// Ends every session of `subject`; returns how many, and 0 for stateless ones, which are not counted.
    /// Call it for users who are disabled or deleted, too.
    ///
    /// # Errors
    ///
    /// As [`Sessions::revoke`].
    pub async fn revoke_all(&self, subject: &Subject) -> Result<u64> {
        let core = &self.service.core;
        core.revoke_all(subject, None, &Origin::default()).await
    }

    /// Ends every session of `subject` but one, usually that of the request.
    ///
    /// # Errors
    ///
    /// As [`Sessions::revoke`], and [`Error::is_misuse`](crate::Error::is_misuse) under
    /// [`Strategy::Stateless`](super::Strategy::Stateless): there,
    /// [`RequestContext::revoke_other_sessions`](crate::RequestContext::revoke_other_sessions).
    pub async fn revoke_others(&self, subject: &Subject, keep: SessionId) -> Result<u64> {
        let core = &self.service.core;
        core.revoke_all(subject, Some(keep), &Origin::default())
            .await
    }

    /// Ends every session of everyone, for instance after a leak; returns how many, and 0 for stateless ones.
    /// After a leak of the key remove that from the [`KeyRing`], too.
    ///
    /// # Errors
    ///
    /// As [`Sessions::revoke`].
    pub async fn revoke_everyone(&self) -> Result<u64> {
        self.service.core.revoke_everyone().await
    }

    /// Lists the living sessions of `subject`, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer,
    /// [`Error::is_misuse`](crate::Error::is_misuse) under
    /// [`Strategy::Stateless`](super::Strategy::Stateless), where there is no list.
    pub async fn list(&self, subject: &Subject) -> Result<Vec<SessionInfo>> {
        let records = self.service.core.list(subject).await?;
        Ok(records
            .into_iter()
            .map(|record| SessionInfo::new(record, None))
            .collect())
    }

    /// Deletes expired sessions from the store; returns how many. They are refused without it: call it now
    /// and then to free space, or use [`sweep_every`](Self::sweep_every).
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer.
    pub async fn sweep(&self) -> Result<u64> {
        self.service.core.sweep().await
    }

    /// Sweeps once per `interval`, in a task that ends with the last clone of these sessions. A failed sweep
    /// is tried again after the next interval.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`](crate::Error::is_misuse) outside of a tokio runtime, and for an interval
    /// of zero.
    pub fn sweep_every(&self, interval: Duration) -> Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            Error::misuse("sweeping needs a tokio runtime: call `sweep_every` inside one, for instance in an async `main`")
        })?;
        if interval.is_zero() {
            return Err(Error::misuse("the interval of a sweep must be above zero"));
        }
        let service = Arc::downgrade(&self.service);
        Ok(runtime.spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(service) = service.upgrade() else {
                    return;
                };
                // A failure has been logged.
                let _ = service.core.sweep().await;
            }
        }))
    }

    /// Marks the viewer of `subject` as changed, for instance its role: from now on this node reloads it, for
    /// requests in progress too.
    ///
    /// A guarded write of an entity with `viewer_of` does it by itself. Call it after changes that the
    /// library does not see: a job with an [`Access::system`](crate::Access::system), a column of another
    /// table that the viewer is made of, another program.
    pub fn viewer_changed(&self, subject: &Subject) {
        let epochs = &self.service.core.epochs;
        epochs.advance(&epochs.shard(subject));
    }

    /// Describes every effective setting, where it comes from, and which preset it meets: for the log at
    /// start-up. It contains no secret.
    #[must_use]
    pub fn explain(&self) -> String {
        self.service.core.settings.lines.clone()
    }
}

impl<V> fmt::Debug for Sessions<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// A session that was just created.
pub struct NewSession {
    opened: Opened,
}

impl NewSession {
    /// Returns its id, for a log or a list of devices.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.opened.id()
    }

    /// Returns the values of the `Set-Cookie` headers of the response: the only form in which the credential
    /// leaves the library. Append each, so that other cookies stay.
    #[must_use]
    pub fn into_set_cookies(self) -> Vec<HeaderValue> {
        self.opened.set_cookies
    }
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// An entry in the list of a subject's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    record: SessionRecord,
    current: bool,
}

impl SessionInfo {
    pub(crate) fn new(record: SessionRecord, current: Option<SessionId>) -> Self {
        let current = current == Some(record.id);
        Self { record, current }
    }

    /// Returns whether it is the session of the request that listed it.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.current
    }

    /// Returns the address from which the subject signed in, if that was known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.record.address
    }

    /// Returns the program of the sign-in, as it identified itself: the `User-Agent` without control and
    /// format characters, at most 255 characters. It is not to be trusted, and must be escaped in a page.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.record.agent.as_deref()
    }

    /// Returns when the subject last authenticated.
    #[must_use]
    pub const fn authenticated_at(&self) -> DateTime<Utc> {
        self.record.authenticated_at
    }

    /// Returns the assurance of that authentication.
    #[must_use]
    pub const fn assurance(&self) -> Assurance {
        self.record.assurance
    }

    /// Returns whether the browser keeps the session when it is closed.
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.record.persistent
    }

    /// Returns the id of the session.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// Returns when the subject signed in.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.record.created_at
    }

    /// Returns when the session was last used, to within the touch interval.
    #[must_use]
    pub fn last_seen_at(&self) -> DateTime<Utc> {
        self.record.last_seen_at
    }

    /// Returns the time of the session's absolute timeout.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.record.expires_at
    }
}
