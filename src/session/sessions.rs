//! Sessions as an application handles them.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::HeaderValue;

use super::config::SessionsBuilder;
use super::key::Key;
use super::service::{Opened, Service};
use super::store::{SessionId, SessionRecord, SessionStore};
use crate::error::Result;
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
    /// Starts with what has no default: the key, where sessions are kept, and where viewers come
    /// from. [`SessionsBuilder::app_url`] is required too.
    pub fn builder(
        key: Key,
        store: impl SessionStore,
        source: impl ViewerSource<V>,
    ) -> SessionsBuilder<V> {
        SessionsBuilder::new(key, store, source)
    }

    pub(super) fn new(service: Service<V>) -> Self {
        Self {
            service: Arc::new(service),
        }
    }

    /// Signs `subject` in, outside of any request: stores a new session and gives its cookie.
    ///
    /// Who the subject is has been proved by the application, for instance with a password.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer;
    /// then there is no cookie.
    pub async fn create(&self, subject: &Subject) -> Result<NewSession> {
        let opened = self.service.core.create(subject).await?;
        Ok(NewSession { opened })
    }

    /// Ends one session of `subject`; tells whether it was there. On this node it is refused from
    /// now on, elsewhere within the cache bound.
    ///
    /// The subject is asked for so that nobody ends the sessions of another by their id.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer; the
    /// session may still live.
    pub async fn revoke(&self, subject: &Subject, id: SessionId) -> Result<bool> {
        self.service.core.revoke(id, subject).await
    }

    /// Ends every session of `subject`; tells how many. Also for users who are disabled or deleted.
    ///
    /// # Errors
    ///
    /// As [`Sessions::revoke`].
    pub async fn revoke_all(&self, subject: &Subject) -> Result<u64> {
        self.service.core.revoke_all(subject, None).await
    }

    /// Ends every session of `subject` but one, usually that of the request.
    ///
    /// # Errors
    ///
    /// As [`Sessions::revoke`].
    pub async fn revoke_others(&self, subject: &Subject, keep: SessionId) -> Result<u64> {
        self.service.core.revoke_all(subject, Some(keep)).await
    }

    /// The living sessions of `subject`, the last created first.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer.
    pub async fn list(&self, subject: &Subject) -> Result<Vec<SessionInfo>> {
        let records = self.service.core.list(subject).await?;
        Ok(records
            .into_iter()
            .map(|record| SessionInfo { record })
            .collect())
    }

    /// Removes the sessions past their time from the store; tells how many. They are refused
    /// without it: call it now and then to free space.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the store does not answer.
    pub async fn sweep(&self) -> Result<u64> {
        self.service.core.sweep().await
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

    /// Every effective setting, for a log line at start-up.
    #[must_use]
    pub fn explain(&self) -> String {
        self.service.core.explain()
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
        self.opened.credential.id
    }

    /// The value of the `Set-Cookie` header to answer with: the only form in which the credential
    /// leaves the library. Append it, so that other cookies stay.
    #[must_use]
    pub fn into_set_cookie(self) -> HeaderValue {
        self.opened.set_cookie
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
}

impl SessionInfo {
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
