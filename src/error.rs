//! The one error type of the public API: opaque, safe to show, with `is_*` predicates.

use std::borrow::Cow;
use std::fmt;

use crate::limits::FIELD_ERRORS;

/// The result of every fallible call of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason for which a call was refused or could not be carried out.
///
/// The message is safe to send to a client: it never holds a token, a secret, a row's value, SQL, or the text
/// of a rule. The cause is in the log, in the event of the same moment. Use the predicates to distinguish the
/// cases, [`Error::status`] to answer over HTTP.
///
/// # Example
///
/// ```
/// # async fn refused() -> clearance::Error {
/// #     clearance::RequestContext::current().unwrap_err()
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = refused().await;
/// assert!(error.is_misuse());
/// assert_eq!(error.status(), 500);
/// # }
/// ```
pub struct Error {
    /// Boxed, so that a `Result` with a small value stays small.
    kind: Box<ErrorKind>,
}

/// The cause of an [`Error`], for the library's own use.
#[derive(Debug, Clone)]
pub(crate) enum ErrorKind {
    /// Nobody is signed in, or the credential was refused.
    Unauthenticated(Refusal),
    /// The viewer is known, and authenticated too long ago or too weakly for this.
    StepUp,
    /// The viewer is known and may not do this.
    Forbidden,
    /// The subject has as many sessions as it may.
    TooManySessions,
    /// There is no such row, or none that this viewer may know of.
    NotFound,
    /// The row violates a constraint.
    Conflict,
    /// The row was changed since the version that the change is based on.
    Stale,
    /// A query, a cursor or an argument that came from the caller is not valid.
    Invalid,
    /// The client's body is no JSON.
    Malformed,
    /// The client's body has another media type than JSON.
    UnsupportedMediaType,
    /// The client's body is not valid, field by field.
    Unprocessable(Vec<FieldError>),
    /// The claims of a token are longer than allowed.
    PayloadTooLarge {
        bytes: usize,
        most: usize,
    },
    CookieTooLarge {
        bytes: usize,
        most: usize,
    },
    /// A store or database did not answer: neither allowed nor denied.
    Unavailable(&'static str),
    /// The transaction lost against a concurrent one: neither allowed nor denied.
    Contended,
    /// The calling code is wrong; not reachable from a request's data.
    Misuse(Cow<'static, str>),
    /// A setting or the schema is wrong; found when the program starts.
    Configuration(Cow<'static, str>),
    /// A rule or a row could not be evaluated: neither allowed nor denied.
    Internal(&'static str),
    /// A stored value is outside of its field's domain.
    Unreadable,
}

/// A mistake in one field of what a client sent. It never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    field: String,
    message: String,
}

impl FieldError {
    /// The maximum length of a field's name. The names of unknown members are the client's own words; more of
    /// them is not repeated.
    const LONGEST_KEY: usize = 64;
    /// The maximum length of a message. A validation of the application may repeat what was sent.
    const LONGEST_MESSAGE: usize = 256;

    pub(crate) fn new(field: &str, message: &str) -> Self {
        Self {
            field: field.chars().take(Self::LONGEST_KEY).collect(),
            message: message.chars().take(Self::LONGEST_MESSAGE).collect(),
        }
    }

    /// Returns the field's name in JSON, followed by a path where the mistake is inside of it; empty where
    /// the whole is wrong.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns the message, to be read after the name of the field.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Renames the field to its name in JSON; `names` are pairs of both names.
    pub(crate) fn rename<'n>(&mut self, mut names: impl Iterator<Item = (&'n str, &'n str)>) {
        let end = self.field.find(['.', '[']).unwrap_or(self.field.len());
        let (first, rest) = self.field.split_at(end);
        if let Some((_, json)) = names.find(|(field, _)| *field == first) {
            self.field = format!("{json}{rest}");
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}` {}", self.field, self.message)
        }
    }
}

/// The reason for which a credential was refused. It is definite: a retry gives the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request carries no session cookie.
    Missing,
    /// Two cookies carry the session's name.
    Ambiguous,
    /// The cookie is not one that this server sealed, whatever the reason.
    Invalid,
    /// The cookie or its session has expired.
    Expired,
    /// The store has no such session: revoked, swept, or never there.
    Unknown,
    /// The session's subject has no viewer any more.
    NoViewer,
}

impl Refusal {
    /// Returns one word for the event; it is never sent to a client.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ambiguous => "ambiguous",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::NoViewer => "no_viewer",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self {
            kind: Box::new(kind),
        }
    }

    pub(crate) fn unauthenticated(refusal: Refusal) -> Self {
        Self::new(ErrorKind::Unauthenticated(refusal))
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(ErrorKind::Forbidden)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(ErrorKind::NotFound)
    }

    pub(crate) fn step_up() -> Self {
        Self::new(ErrorKind::StepUp)
    }

    pub(crate) fn too_many_sessions() -> Self {
        Self::new(ErrorKind::TooManySessions)
    }

    pub(crate) fn conflict() -> Self {
        Self::new(ErrorKind::Conflict)
    }

    pub(crate) fn invalid() -> Self {
        Self::new(ErrorKind::Invalid)
    }

    pub(crate) fn malformed() -> Self {
        Self::new(ErrorKind::Malformed)
    }

    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(ErrorKind::UnsupportedMediaType)
    }

    pub(crate) fn stale() -> Self {
        Self::new(ErrorKind::Stale)
    }

    pub(crate) fn unprocessable(mut fields: Vec<FieldError>) -> Self {
        if fields.len() > FIELD_ERRORS {
            fields.truncate(FIELD_ERRORS);
            fields.push(FieldError::new("", "has more that is wrong"));
        }
        Self::new(ErrorKind::Unprocessable(fields))
    }

    pub(crate) fn payload_too_large(bytes: usize, most: usize) -> Self {
        Self::new(ErrorKind::PayloadTooLarge { bytes, most })
    }

    pub(crate) fn cookie_too_large(bytes: usize, most: usize) -> Self {
        Self::new(ErrorKind::CookieTooLarge { bytes, most })
    }

    pub(crate) fn unavailable(what: &'static str) -> Self {
        Self::new(ErrorKind::Unavailable(what))
    }

    pub(crate) fn contended() -> Self {
        Self::new(ErrorKind::Contended)
    }

    pub(crate) fn misuse(advice: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Misuse(advice.into()))
    }

    pub(crate) fn configuration(advice: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Configuration(advice.into()))
    }

    pub(crate) fn internal(what: &'static str) -> Self {
        Self::new(ErrorKind::Internal(what))
    }

    pub(crate) fn unreadable() -> Self {
        Self::new(ErrorKind::Unreadable)
    }

    pub(crate) const fn is_unreadable(&self) -> bool {
        matches!(*self.kind, ErrorKind::Unreadable)
    }

    /// Copies the error, for another caller that shared the failed load.
    pub(crate) fn copy(&self) -> Self {
        Self::new(ErrorKind::clone(&self.kind))
    }

    pub(crate) const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns whether nobody is signed in, or the credential was refused: 401.
    #[must_use]
    pub const fn is_unauthenticated(&self) -> bool {
        matches!(*self.kind, ErrorKind::Unauthenticated(_))
    }

    /// Returns whether the viewer is known, and authenticated too long ago or too weakly for this: 401. Let
    /// them sign in again, and then call [`RequestContext::step_up`](crate::RequestContext::step_up).
    ///
    /// A client distinguishes it from [`is_unauthenticated`](Self::is_unauthenticated) by the challenge of
    /// [`to_response`](Self::to_response): `WWW-Authenticate: Cookie
    /// error="insufficient_user_authentication"` ([RFC 9470, section
    /// 3](https://www.rfc-editor.org/rfc/rfc9470#section-3)).
    #[must_use]
    pub const fn is_step_up(&self) -> bool {
        matches!(*self.kind, ErrorKind::StepUp)
    }

    /// Returns whether the viewer is known and may not do this: 403.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(
            *self.kind,
            ErrorKind::Forbidden | ErrorKind::TooManySessions
        )
    }

    /// Returns whether the subject that signs in has as many sessions as it may, and the limit is one that
    /// refuses: 403.
    #[must_use]
    pub const fn is_too_many_sessions(&self) -> bool {
        matches!(*self.kind, ErrorKind::TooManySessions)
    }

    /// Returns whether there is no such row, or none that this viewer may know of: 404.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(*self.kind, ErrorKind::NotFound)
    }

    /// Returns whether the change violates a constraint of the database: 409. The error does not say which
    /// one, because it could concern a row that the viewer may not see. It is also true where the change [is
    /// stale](Error::is_stale).
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(*self.kind, ErrorKind::Conflict | ErrorKind::Stale)
    }

    /// Returns whether the viewer may change the row, and somebody has changed it since the version that the
    /// change is based on (optimistic locking): 409. Where that version came in an `If-Match` header, answer
    /// 412 ([RFC 9110, section 13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1)).
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        matches!(*self.kind, ErrorKind::Stale)
    }

    /// Returns whether the client's body is not valid: 422. [`Error::fields`] lists the mistakes.
    #[must_use]
    pub const fn is_unprocessable(&self) -> bool {
        matches!(*self.kind, ErrorKind::Unprocessable(_))
    }

    /// Returns the mistakes in the fields of the client's body; empty for every other error. More than
    /// [`FIELD_ERRORS`](crate::limits::FIELD_ERRORS) are not listed.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        match &*self.kind {
            ErrorKind::Unprocessable(fields) => fields,
            ErrorKind::Unauthenticated(_)
            | ErrorKind::StepUp
            | ErrorKind::Forbidden
            | ErrorKind::TooManySessions
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Stale
            | ErrorKind::Invalid
            | ErrorKind::PayloadTooLarge { .. }
            | ErrorKind::CookieTooLarge { .. }
            | ErrorKind::Malformed
            | ErrorKind::UnsupportedMediaType
            | ErrorKind::Unavailable(_)
            | ErrorKind::Contended
            | ErrorKind::Misuse(_)
            | ErrorKind::Configuration(_)
            | ErrorKind::Internal(_)
            | ErrorKind::Unreadable => &[],
        }
    }

    /// Returns whether a query, a cursor, a body or an argument of the client is not valid: 400. The error
    /// does not say which one, or why, except for a body that is no JSON: an unknown field and one that the
    /// viewer may not see give the same answer.
    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        matches!(*self.kind, ErrorKind::Invalid | ErrorKind::Malformed)
    }

    /// Returns whether the `Content-Type` of the client's body is not JSON: 415 ([RFC 9110, section
    /// 15.5.16](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16)).
    #[must_use]
    pub const fn is_unsupported_media_type(&self) -> bool {
        matches!(*self.kind, ErrorKind::UnsupportedMediaType)
    }

    /// Returns whether a store or database did not answer, so nothing was decided: 503. A retry may succeed.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(*self.kind, ErrorKind::Unavailable(_) | ErrorKind::Contended)
    }

    /// Returns whether the transaction lost against a concurrent one: a deadlock, a serialization failure, a
    /// lock timeout. Or, within a transaction, whether the columns of a table were changed, or a pooler reset
    /// the connection, since a statement was prepared. Nothing was written, and a retry of the whole
    /// transaction is likely to succeed. It is also [`Error::is_unavailable`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(*self.kind, ErrorKind::Contended)
    }

    /// Returns whether the calling code is wrong, for instance calls a repository outside a request. No
    /// request's data can cause it: 500.
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        matches!(*self.kind, ErrorKind::Misuse(_))
    }

    /// Returns whether the claims of a token are longer than its codec allows: 500. Keep an id in the token
    /// and load the rest, or raise the codec's `max_payload_bytes`.
    #[must_use]
    pub const fn is_payload_too_large(&self) -> bool {
        matches!(
            *self.kind,
            ErrorKind::PayloadTooLarge { .. } | ErrorKind::CookieTooLarge { .. }
        )
    }

    /// Returns whether a setting or the database schema is wrong, detected when the program starts: 500.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(*self.kind, ErrorKind::Configuration(_))
    }

    /// Returns the mistake in the client's body as a whole, where it may be disclosed.
    pub(crate) fn detail(&self) -> Option<String> {
        matches!(
            *self.kind,
            ErrorKind::Malformed | ErrorKind::UnsupportedMediaType
        )
        .then(|| self.to_string())
    }

    /// Returns the HTTP status of the error ([RFC 9110, section
    /// 15](https://www.rfc-editor.org/rfc/rfc9110#section-15)).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match *self.kind {
            ErrorKind::Invalid | ErrorKind::Malformed => 400,
            ErrorKind::Unauthenticated(_) | ErrorKind::StepUp => 401,
            ErrorKind::Forbidden | ErrorKind::TooManySessions => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Conflict | ErrorKind::Stale => 409,
            ErrorKind::UnsupportedMediaType => 415,
            ErrorKind::Unprocessable(_) => 422,
            ErrorKind::Unavailable(_) | ErrorKind::Contended => 503,
            ErrorKind::PayloadTooLarge { .. }
            | ErrorKind::CookieTooLarge { .. }
            | ErrorKind::Misuse(_)
            | ErrorKind::Configuration(_)
            | ErrorKind::Internal(_)
            | ErrorKind::Unreadable => 500,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            ErrorKind::Unauthenticated(_) => f.write_str("not signed in"),
            ErrorKind::StepUp => f.write_str("sign in again to do this"),
            ErrorKind::Forbidden => f.write_str("not allowed"),
            ErrorKind::TooManySessions => {
                f.write_str("signed in too many times: sign out somewhere else first")
            }
            ErrorKind::NotFound => f.write_str("not found"),
            ErrorKind::Conflict => f.write_str("conflicts with what is stored"),
            ErrorKind::Stale => f.write_str("changed by somebody else meanwhile"),
            ErrorKind::Invalid => f.write_str("the request is not valid"),
            ErrorKind::Malformed => f.write_str("the body is not valid JSON"),
            ErrorKind::UnsupportedMediaType => {
                f.write_str("the body must be JSON, with the content type `application/json`")
            }
            ErrorKind::Unprocessable(fields) => {
                f.write_str("not valid")?;
                for (index, field) in fields.iter().enumerate() {
                    let separator = if index == 0 { ": " } else { "; " };
                    write!(f, "{separator}{field}")?;
                }
                Ok(())
            }
            ErrorKind::PayloadTooLarge { bytes, most } => write!(
                f,
                "the token's payload has {bytes} bytes and may have {most}: keep an id in it and load the rest, or raise `max_payload_bytes`"
            ),
            ErrorKind::CookieTooLarge { bytes, most } => write!(
                f,
                "the session's token has {bytes} bytes and its cookies hold {most}: store less in the session, or keep it in the store with `Strategy::Hybrid`"
            ),
            ErrorKind::Unavailable(what) => write!(f, "{what} is unavailable"),
            ErrorKind::Contended => f.write_str("the database is busy with another change"),
            ErrorKind::Misuse(advice) => write!(f, "misuse: {advice}"),
            ErrorKind::Configuration(advice) => write!(f, "configuration: {advice}"),
            ErrorKind::Internal(what) => write!(f, "internal error: {what}"),
            ErrorKind::Unreadable => f.write_str(
                "internal error: a column holds a value that is not valid for its entity's field",
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            // The one word of the event, so that a failing test shows which refusal it was.
            ErrorKind::Unauthenticated(refusal) => {
                write!(f, "Error(Unauthenticated({}))", refusal.as_str())
            }
            // `main` prints the error that it returns this way: advice of several lines keeps them.
            ErrorKind::Misuse(advice) => write!(f, "Error(Misuse): {advice}"),
            ErrorKind::Configuration(advice) => write!(f, "Error(Configuration): {advice}"),
            kind => f.debug_tuple("Error").field(kind).finish(),
        }
    }
}

impl std::error::Error for Error {}
