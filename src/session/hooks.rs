//! What an application does when sessions begin, go on and are used.

use std::net::IpAddr;

use async_trait::async_trait;

use super::level::Verified;
use super::origin::Origin;
use super::sign_in::SignIn;
use crate::token::SessionClaims;
use crate::viewer::{SourceError, Viewer};

/// The application's own part in the life of its sessions; see
/// [`SessionsBuilder::hooks`](super::SessionsBuilder::hooks). Each function does nothing unless it is
/// written. An implementation stands under `#[clearance::async_trait]`.
///
/// # Example
///
/// A session that comes from elsewhere must prove again whose it is. A recent proof is enough, or
/// the request after the [step-up](crate::RequestContext::step_up) would ask for one again:
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
    /// Somebody signs in: may note claims, or give `None` to refuse. Nothing is stored yet. Who is
    /// refused gets [`Error::is_forbidden`](crate::Error::is_forbidden), and where it cannot be told
    /// [`Error::is_unavailable`](crate::Error::is_unavailable); the session that there was goes on.
    ///
    /// # Errors
    ///
    /// When that cannot be told. The error's text is not logged, because it may hold anything. An
    /// [`Error`](crate::Error) of this library is the answer as it is.
    async fn on_sign_in(
        &self,
        sign_in: SignIn,
        _from: &RequestOrigin,
    ) -> Result<Option<SignIn>, SourceError> {
        Ok(Some(sign_in))
    }

    /// A stateless session's token is made anew, with these claims. Sessions in a store have no such
    /// moment.
    fn on_refresh(&self, claims: SessionClaims) -> SessionClaims {
        claims
    }

    /// A request uses a session, for the first time in that request. The session and its viewer may
    /// come from the cache. It is asked again in each request, and each time that the store is asked
    /// for the current session, so it should ask no database.
    async fn on_verify(&self, _session: &Verified<V>, _from: &RequestOrigin) -> Verdict {
        Verdict::Keep
    }
}

/// What becomes of a session that a request uses.
///
/// Exhaustive: a library that does not know a verdict cannot carry it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Keep,
    /// The request is refused with [`Error::is_step_up`](crate::Error::is_step_up), and the session
    /// stays: whoever it is has to prove it again.
    StepUp,
    /// The session ends, its cookie is removed, and the request has nobody.
    Revoke,
}

/// From where a request comes.
#[derive(Debug, Clone)]
pub struct RequestOrigin {
    origin: Origin,
}

impl RequestOrigin {
    pub(super) const fn new(origin: Origin) -> Self {
        Self { origin }
    }

    /// The address, as far as it is known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.origin.address
    }

    /// The program, as it says itself: the `User-Agent` without control characters, at most 255
    /// characters.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.origin.agent.as_deref()
    }

    /// The [id of the request](crate::RequestContext::request_id); none outside of a request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.origin.request_id.as_deref()
    }
}
