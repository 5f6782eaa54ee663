//! The application's viewer type, its subject, and the source it is loaded from.

use std::any::Any;
use std::fmt;

use async_trait::async_trait;

use crate::token::SessionClaims;

/// The id of a viewer as a session keeps it.
///
/// It is text, so that UUID, integer and string ids work alike. One of more than
/// [`MAX_BYTES`](Self::MAX_BYTES) cannot have a session: signing it in, or ending its sessions, is [not
/// valid](crate::Error::is_invalid).
///
/// # Example
///
/// ```
/// use clearance::Subject;
///
/// let subject = Subject::new(42);
/// assert_eq!(subject.as_str(), "42");
/// assert_eq!(subject.parse::<i64>(), Ok(42));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// The maximum length of a subject with a session, in bytes: every store has room for it.
    pub const MAX_BYTES: usize = 1_024;

    /// Builds the subject from the text that `id` displays as.
    pub fn new(id: impl fmt::Display) -> Self {
        Self(id.to_string())
    }

    /// Builds the subject from exactly this text, without copying it.
    pub(crate) fn new_text(text: String) -> Self {
        Self(text)
    }

    /// Refuses a subject that is too long for some store. It may come from a client.
    pub(crate) fn require_storable(&self) -> crate::error::Result<()> {
        if self.0.len() <= Self::MAX_BYTES {
            Ok(())
        } else {
            Err(crate::error::Error::invalid())
        }
    }

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses the id as the application's own type.
    ///
    /// # Errors
    ///
    /// The error of the type's own `FromStr` when the text is not one of its ids.
    pub fn parse<T: std::str::FromStr>(&self) -> Result<T, T::Err> {
        self.0.parse()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The authenticated user on whose behalf a request runs.
///
/// Implement it with `#[derive(Viewer)]` on the application's own type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a viewer",
    note = "add `#[derive(Viewer)]` to the type that represents the signed-in user"
)]
pub trait Viewer: Send + Sync + 'static {
    /// Returns the id under which this viewer's sessions are kept.
    fn subject(&self) -> Subject;
}

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

    /// Returns the loader that joins a viewer to its session in `store`. It is the library's own.
    #[doc(hidden)]
    fn __with_viewer(&self, _store: &dyn Any) -> Option<Box<dyn Any>> {
        None
    }
}
