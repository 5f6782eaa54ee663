//! The source that the viewers of sessions are loaded from.

use std::any::Any;

use async_trait::async_trait;

use crate::driver::Db;
use crate::token::SessionClaims;
use crate::viewer::{Subject, Viewer};

/// The error of a [`ViewerSource`]: any type. Its text is never logged, and it makes the request unavailable
/// (503), never signed out.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A source of viewers: it loads the viewer of a subject, from wherever the application keeps its users.
///
/// [`Db::viewers`](crate::Db::viewers) is one over a table of the application; prefer it where viewers are
/// rows.
///
/// It runs outside of any request, because its result serves every request of the session. To read through
/// the library's own [`Db`](crate::Db), take an [`Access::system`](crate::Access::system).
///
/// # Example
///
/// ```
/// use clearance::{SourceError, Subject, Viewer, ViewerSource, async_trait};
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
///         // An id that does not parse belongs to nobody.
///         Ok(subject.parse().ok().map(|id| Member { id }))
///     }
/// }
/// ```
#[async_trait]
pub trait ViewerSource<V: Viewer>: Send + Sync + 'static {
    /// Loads the viewer of `subject`, or `None` when there is none (deleted, suspended): the session is then
    /// refused.
    ///
    /// # Errors
    ///
    /// When the viewer cannot be loaded. Nobody is signed out by it, and nothing is cached.
    async fn load(&self, subject: &Subject) -> Result<Option<V>, SourceError>;

    /// Loads the viewer likewise, with the claims stored in the session at sign-in: for an application that
    /// has no users, or stores in the session what it needs of them. It defaults to [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    async fn load_with(
        &self,
        subject: &Subject,
        _claims: &SessionClaims,
    ) -> Result<Option<V>, SourceError> {
        self.load(subject).await
    }

    /// Returns the loader that joins a viewer to its session in this database. It is the library's own.
    #[doc(hidden)]
    fn __with_viewer(&self, _sessions: &Db) -> Option<Box<dyn Any>> {
        None
    }
}
