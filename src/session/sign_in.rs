//! The parameters of a sign-in.

use super::store::Assurance;
use crate::error::Result;
use crate::token::ClaimValue;
use crate::token::SessionClaims;
use crate::viewer::Subject;

/// A sign-in: its subject, the assurance of the authentication, and the session's claims.
///
/// The application has authenticated the subject, for instance by a password. A [`Subject`] alone is a
/// sign-in, too.
///
/// # Example
///
/// ```
/// use clearance::session::{Assurance, SignIn};
/// use clearance::Subject;
///
/// let sign_in = SignIn::new(Subject::new(42))
///     .assurance(Assurance::Aal2)
///     .remember(true);
/// # let _ = sign_in;
/// ```
#[derive(Debug, Clone)]
#[must_use = "a sign-in does nothing until it is given to `sign_in` or `create`"]
pub struct SignIn {
    pub(super) subject: Subject,
    pub(super) assurance: Assurance,
    pub(super) remember: Option<bool>,
    pub(super) claims: SessionClaims,
}

impl SignIn {
    /// Builds a sign-in of `subject`, with one factor, for as long as the sessions' settings say.
    pub const fn new(subject: Subject) -> Self {
        Self {
            subject,
            assurance: Assurance::Aal1,
            remember: None,
            claims: SessionClaims::new(),
        }
    }

    /// Sets the assurance of the authentication.
    pub const fn assurance(mut self, assurance: Assurance) -> Self {
        self.assurance = assurance;
        self
    }

    /// Sets whether the browser keeps the session when it is closed ("remember me"). A remembered session
    /// lives as [`SessionsBuilder::remembered`](super::SessionsBuilder::remembered) sets.
    ///
    /// By default, sessions are remembered unless there are such settings.
    pub const fn remember(mut self, remember: bool) -> Self {
        self.remember = Some(remember);
        self
    }
}

impl SignIn {
    /// Returns the subject.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Stores a claim in the session, such as a name to greet with.
    ///
    /// # Errors
    ///
    /// As [`SessionClaims::with`].
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<ClaimValue>) -> Result<Self> {
        self.claims = self.claims.with(name, value)?;
        Ok(self)
    }
}

impl From<Subject> for SignIn {
    fn from(subject: Subject) -> Self {
        Self::new(subject)
    }
}

impl From<&Subject> for SignIn {
    fn from(subject: &Subject) -> Self {
        Self::new(subject.clone())
    }
}
