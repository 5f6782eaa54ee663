//! Session hooks: the application's callbacks at sign-in, refresh and verification.

use std::net::IpAddr;

use async_trait::async_trait;

use super::level::Verified;
use super::origin::Origin;
use super::sign_in::SignIn;
use super::viewer_source::SourceError;
use crate::token::SessionClaims;
use crate::viewer::Viewer;

/// The application's callbacks in the life of its sessions; see
/// [`SessionsBuilder::hooks`](super::SessionsBuilder::hooks). The default of each does nothing. Put
/// `#[clearance::async_trait]` on the implementation.
///
/// # Example
///
/// For example, a session from an unusual address must authenticate again. A recent proof is enough, or the
/// request after the [step-up](crate::RequestContext::step_up) would ask for one again:
///
/// ```
/// use std::time::Duration;
///
/// use clearance::session::{RequestOrigin, SessionHooks, Verdict};
/// use clearance::{Clock, SystemClock, Verified, Viewer, async_trait};
///
/// # struct Member { suspended: bool, home: Option<std::net::IpAddr> }
/// # impl Viewer for Member {
/// #     fn subject(&self) -> clearance::Subject { clearance::Subject::new(1) }
/// # }
/// struct Watch;
///
/// #[async_trait]
/// impl SessionHooks<Member> for Watch {
///     async fn on_verify(&self, session: &Verified<Member>, from: &RequestOrigin) -> Verdict {
///         let member = session.viewer();
///         let elsewhere = member.home.is_some() && member.home != from.address();
///         let proof_ends = session.authenticated_at() + Duration::from_secs(15 * 60);
///         if member.suspended {
///             Verdict::Revoke
///         } else if elsewhere && proof_ends < SystemClock.now() {
///             Verdict::StepUp
///         } else {
///             Verdict::Keep
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait SessionHooks<V: Viewer>: Send + Sync + 'static {
    /// Runs at a sign-in: it may add claims, or return `None` to refuse. Nothing is stored yet. A refused
    /// sign-in fails with [`Error::is_forbidden`](crate::Error::is_forbidden), and an undecided one with
    /// [`Error::is_unavailable`](crate::Error::is_unavailable); the current session stays untouched.
    ///
    /// # Errors
    ///
    /// When the hook cannot decide. The error's text is not logged, because it may hold anything. An
    /// [`Error`](crate::Error) of this library is returned unchanged.
    async fn on_sign_in(
        &self,
        sign_in: SignIn,
        _from: &RequestOrigin,
    ) -> Result<Option<SignIn>, SourceError> {
        Ok(Some(sign_in))
    }

    /// Runs when a stateless session's token is re-issued, and returns its claims. Sessions in a store are
    /// not refreshed.
    fn on_refresh(&self, claims: SessionClaims) -> SessionClaims {
        claims
    }

    /// Runs when a request uses a session for the first time in that request. The session and its viewer may
    /// come from the cache. It runs again in each request, and for each read of the current session from the
    /// store, so it should not query a database.
    async fn on_verify(&self, _session: &Verified<V>, _from: &RequestOrigin) -> Verdict {
        Verdict::Keep
    }
}

/// The decision of a hook on a session that a request uses.
///
/// Exhaustive: the library must know every verdict to carry it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request continues.
    Keep,
    /// The request is refused with [`Error::is_step_up`](crate::Error::is_step_up), and the session stays:
    /// its subject has to authenticate again.
    StepUp,
    /// The session ends, its cookie is removed, and the request has no viewer.
    Revoke,
}

/// The origin of a request: its address, program and id.
#[derive(Debug, Clone)]
pub struct RequestOrigin {
    origin: Origin,
}

impl RequestOrigin {
    pub(super) const fn new(origin: Origin) -> Self {
        Self { origin }
    }

    /// Returns the client's address, if it is known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.origin.address
    }

    /// Returns the program, as it identifies itself: the `User-Agent` without control characters, at most 255
    /// characters.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.origin.agent.as_deref()
    }

    /// Returns the [id of the request](crate::RequestContext::request_id); `None` outside of a request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.origin.request_id.as_deref()
    }
}
