//! The application's viewer type, and its subject.

use std::fmt;

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

/// A type of id that has a text, as a [`Subject`] keeps it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the id of a viewer, because it has no text",
    label = "this type does not implement `Display`",
    note = "a session keeps the id as text: use a type with `Display`, such as i64, Uuid or String, or mark another field with `#[viewer(subject)]`"
)]
pub trait SubjectId {
    #[doc(hidden)]
    fn __subject(&self) -> Subject;
}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display> SubjectId for T {
    fn __subject(&self) -> Subject {
        Subject::new(self)
    }
}

/// Returns the subject of an id; called by generated code.
pub fn subject<T: SubjectId>(id: &T) -> Subject {
    id.__subject()
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
