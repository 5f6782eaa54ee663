//! Sessions as an application handles them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderValue;
use tokio::task::JoinHandle;

use super::config::SessionsBuilder;
use super::cookie::Stale;
use super::lifecycle::Opened;
use super::origin::Origin;
use super::outlook::Outlook;
use super::service::Service;
use super::sign_in::SignIn;
use super::store::{Assurance, SessionId, SessionRecord, SessionStore};
use crate::audit::Revocation;
use crate::error::{Error, Result};
use crate::token::KeyRing;
use crate::viewer::{Subject, Viewer, ViewerSource};

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
    pub(crate) service: Arc<Service<V>>,
}

impl<V> Clone for Sessions<V> {
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
        }
    }
}

impl<V: Viewer> Sessions<V> {
    /// Starts with what has no default: the key, or a [`KeyRing`] with retired keys beside it, where
    /// sessions are kept, and where viewers come from. [`SessionsBuilder::app_url`] is required too.
    pub fn builder(
        key: impl Into<KeyRing>,
        store: impl SessionStore,
        source: impl ViewerSource<V>,
    ) -> SessionsBuilder<V> {
        SessionsBuilder::new(key.into(), store, source)
    }

    pub(super) fn new(service: Service<V>) -> Self {
        Self {
            service: Arc::new(service),
        }
    }

    /// What opens the cookies of these sessions, without their store.
    pub(crate) fn outlook(&self) -> Outlook {
        let core = &self.service.core;
        Outlook {
            tickets: Arc::clone(&core.tickets),
            cookie: core.cookie.name().into(),
            groups_claim: core.settings.groups_claim.clone(),
            clock: Arc::clone(&core.clock),
        }
    }

    /// Signs a subject in, outside of any request: stores a new session and gives its cookie.
    ///
    /// Who the subject is has been proved by the application, for instance with a password.
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

    /// Ends one session of `subject`; tells whether it was there. On this node it is refused from
    /// now on, elsewhere within the cache bound.
    ///
    /// Of a stateless one it tells whether it was not ended by its id before, and so `true` for an id
    /// that nobody has. Each such id is kept in the store for 400 days, the longest that a session can
    /// live: limit how often it may be asked for.
    ///
    /// The subject is asked for so that nobody ends the sessions of another by their id.
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

    /// Ends every session of `subject`; tells how many, and 0 of stateless ones, which nobody counts.
    /// Also for users who are disabled or deleted.
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

    /// Ends every session of everyone, for instance after a leak; tells how many, and 0 of stateless
    /// ones. After a leak of the key take that out of the [`KeyRing`], too.
    ///
    /// # Errors
    ///
    /// As [`Sessions::revoke`].
    pub async fn revoke_everyone(&self) -> Result<u64> {
        self.service.core.revoke_everyone().await
    }

    /// The living sessions of `subject`, the last created first.
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

    /// Removes the sessions past their time from the store; tells how many. They are refused
    /// without it: call it now and then to free space, or have [`sweep_every`](Self::sweep_every) do
    /// so.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer.
    pub async fn sweep(&self) -> Result<u64> {
        self.service.core.sweep().await
    }

    /// Sweeps once in each `interval`, in a task that ends with the last clone of these sessions. A
    /// store that does not answer is asked again the next time.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`](crate::Error::is_misuse) outside of a tokio runtime, and for an interval
    /// of zero.
    pub fn sweep_every(&self, interval: Duration) -> Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            Error::misuse("sweeping needs a tokio runtime: call `sweep_every` within `main`'s")
        })?;
        if interval.is_zero() {
            return Err(Error::misuse("an interval of zero would sweep without end"));
        }
        let service = Arc::downgrade(&self.service);
        Ok(runtime.spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(service) = service.upgrade() else {
                    return;
                };
                // What went wrong was told to the log.
                let _ = service.core.sweep().await;
            }
        }))
    }

    /// Says that the viewer of `subject` changed, for instance its role: from now on this node
    /// loads it again, for requests in progress too.
    ///
    /// A guarded write of an entity that says `viewer_of` does it by itself. It is for what the
    /// library does not see: a job with an [`Access::system`](crate::Access::system), a column of
    /// another table that the viewer is made of, another program.
    pub fn viewer_changed(&self, subject: &Subject) {
        let epochs = &self.service.core.epochs;
        epochs.advance(&epochs.shard(subject));
    }

    /// Every effective setting, where it comes from, and which preset it meets: for the log at
    /// start-up. It holds no secret.
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
    /// Its id, for a log or a list of devices.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.opened.id()
    }

    /// The values of the `Set-Cookie` headers to answer with: the only form in which the credential
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

/// What a list of a subject's sessions shows.
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

    /// Whether it is the one of the request that asked.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.current
    }

    /// From where the subject signed in, as far as that was known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.record.address
    }

    /// With what program, as it said itself: the `User-Agent` without control and format characters, at
    /// most 255 characters. It is not to be trusted, and not to be written into a page unescaped.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.record.agent.as_deref()
    }

    /// When the subject last proved who it is.
    #[must_use]
    pub const fn authenticated_at(&self) -> DateTime<Utc> {
        self.record.authenticated_at
    }

    /// How well it was proved then.
    #[must_use]
    pub const fn assurance(&self) -> Assurance {
        self.record.assurance
    }

    /// Whether the browser keeps it when it is closed.
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.record.persistent
    }

    /// Which session it is.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// When the subject signed in.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.record.created_at
    }

    /// When it was last used, to within the touch interval.
    #[must_use]
    pub fn last_seen_at(&self) -> DateTime<Utc> {
        self.record.last_seen_at
    }

    /// When it ends however much it is used.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.record.expires_at
    }
}
