//! `Access`, the unforgeable proof that a guard allowed a call.

use std::fmt;

use super::grant::{BySession, Held, MayWrite, Principal, Public, Read, System, Write};
use super::memo::Recalls;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::Context;
use crate::request::{RequestContext, WeakContext};
use crate::session::{LoadedSession, Verified};
use crate::viewer::Viewer;

/// The proof that a guard allowed a call, required by [`Db::reader`](crate::Db::reader) and
/// [`Db::writer`](crate::Db::writer).
///
/// `P` is the kind of proof: [`Read`] and [`Write`] prove that a viewer was verified, [`Public`] that
/// the method is open to everybody, [`System`] that no viewer is involved at all. An access has no
/// public constructors but the guards below, cannot be cloned, and is refused outside the request in
/// which it was made.
///
/// An access with a viewer is bound to one session of that viewer. Each use checks whether that session
/// is still valid, and the rules see the viewer as they are then, at the instant of the use. If the
/// session was revoked, or a sign-in, a sign-out or [`rotate_session`](RequestContext::rotate_session)
/// gave the request another one, every use fails with 401 ([`Error::is_unauthenticated`]).
///
/// `#[repository]` generates calls of these guards from attributes; they can also be called by hand:
///
/// ```
/// # use clearance::{Db, Dto, Entity, Result, Viewer};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, username: String }
/// # #[derive(Dto)]
/// # #[dto(entity = User, default = visible)]
/// # struct Profile { id: i64, username: String }
/// use clearance::{Access, Read};
///
/// async fn own_profile(db: &Db) -> Result<Profile> {
///     let access = Access::<Read<Member>>::authenticated().await?;
///     let id = access.viewer().id;
///     db.reader(&access).one(Profile::select().lookup(User::ID, id)).await
/// }
/// ```
pub struct Access<P> {
    grant: P,
    /// The request that the access belongs to; a system access belongs to none.
    request: Option<WeakContext>,
}

impl<P> Access<P> {
    /// Returns the request that the access belongs to, if it is the current one.
    pub(crate) fn request(&self) -> Result<Option<RequestContext>> {
        let Some(request) = &self.request else {
            outside_a_request()?;
            return Ok(None);
        };
        let current = RequestContext::current()?;
        match request.upgrade() {
            Some(request) if request.is_same(&current) => Ok(Some(request)),
            _ => Err(Error::misuse(
                "this access belongs to another request: take a new one in each request",
            )),
        }
    }
}

impl<V: Viewer> Access<Read<V>> {
    /// Allows reading to any viewer with a valid session, checked against the store or a cache
    /// of it no older than the configured bound.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] without a valid session, [`Error::is_unavailable`] if that cannot
    /// be determined, [`Error::is_misuse`] outside a request.
    pub async fn authenticated() -> Result<Self> {
        Self::from_session(Read::new).await
    }

    /// Allows reading to those viewers for whom `rule` returns `true`.
    ///
    /// # Errors
    ///
    /// As [`Access::authenticated`], and [`Error::is_forbidden`] if `rule` returns `false`.
    pub async fn authorized(rule: impl FnOnce(&V, &Context) -> bool) -> Result<Self> {
        let access = Self::authenticated().await?;
        let allowed = rule(access.viewer(), access.context());
        access.__authorized(allowed)
    }
}

impl<V: Viewer> Access<Write<V>> {
    /// Allows writing to any viewer with a valid session. Each write checks the session once more, at
    /// level *current*: in the statement itself if sessions and data share the database, otherwise
    /// right before it.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] without a valid session, [`Error::is_unavailable`] if that cannot
    /// be determined, [`Error::is_misuse`] outside a request, and in one with a safe method, such as
    /// `GET`, which must write nothing ([ASVS 3.5.3](https://github.com/OWASP/ASVS)).
    /// [`Error::is_forbidden`] in one that may come from [another site](crate::route::Csrf).
    pub async fn authenticated() -> Result<Self> {
        let access = Self::from_session(Write::new).await?;
        // After the session check: a client that is not signed in learns nothing else.
        RequestContext::current()?.require_unsafe_method()?;
        Ok(access)
    }

    /// Allows writing to those viewers for whom `rule` returns `true`.
    ///
    /// # Errors
    ///
    /// As [`Access::authenticated`], and [`Error::is_forbidden`] if `rule` returns `false`.
    pub async fn authorized(rule: impl FnOnce(&V, &Context) -> bool) -> Result<Self> {
        let access = Self::authenticated().await?;
        let allowed = rule(access.viewer(), access.context());
        access.__authorized(allowed)
    }
}

/// An access on behalf of a viewer.
impl<P: BySession> Access<P> {
    async fn from_session(grant: fn(Verified<P::Viewer>, &RequestContext) -> P) -> Result<Self> {
        let request = RequestContext::current()?;
        let verified = request.verify_session::<P::Viewer>().await?;
        Ok(Self {
            grant: grant(verified, &request),
            request: Some(request.downgrade()),
        })
    }

    /// Returns the viewer on whose behalf the call runs, as loaded by the guard.
    #[must_use]
    pub fn viewer(&self) -> &P::Viewer {
        self.grant.verified().viewer()
    }

    /// Returns the context at the instant of the guard, which a condition of `#[authorize(access, if
    /// ..)]` reads. A later use of the access has an instant of its own.
    #[must_use]
    pub fn context(&self) -> &Context {
        let context = self.grant.context();
        if let Some(request) = self.request.as_ref().and_then(WeakContext::upgrade) {
            request.instants().note(context.now);
        }
        context
    }

    #[doc(hidden)]
    pub fn __authorized(self, allowed: bool) -> Result<Self> {
        if allowed {
            Ok(self)
        } else {
            events::call_denied();
            Err(Error::forbidden())
        }
    }
}

impl Access<Public> {
    /// Allows reading to everybody, signed in or not; `reason` is logged. There is no viewer, so a
    /// condition that reads it is unknown and grants nothing.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] outside a request, and if `reason` is empty.
    pub fn public(reason: &'static str) -> Result<Self> {
        let request = RequestContext::current()?;
        if reason.trim().is_empty() {
            return Err(Error::misuse(
                "`Access::public` needs a reason, which the log shows to its reviewers",
            ));
        }
        events::public_access(reason);
        Ok(Self {
            grant: Public::new(),
            request: Some(request.downgrade()),
        })
    }
}

impl Access<System> {
    /// Allows everything to the program itself, such as a migration or a scheduled job; `reason` is
    /// logged. No rule is evaluated, and each use is an audit event.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] inside a request, which always has a viewer or is public, and if `reason`
    /// is empty.
    pub fn system(reason: &'static str) -> Result<Self> {
        outside_a_request()?;
        if reason.trim().is_empty() {
            return Err(Error::misuse(
                "`Access::system` needs a reason, which the log shows to its reviewers",
            ));
        }
        events::system_access(reason);
        Ok(Self {
            grant: System::new(reason),
            request: None,
        })
    }
}

/// Evaluates the condition of `#[authorize]`; called by generated code.
pub fn allowed(condition: impl FnOnce() -> bool) -> bool {
    condition()
}

fn outside_a_request() -> Result<()> {
    if RequestContext::try_current().is_some() {
        Err(Error::misuse(
            "a system access inside a request: run the job in a task of its own, outside `scope`",
        ))
    } else {
        Ok(())
    }
}

impl<P> fmt::Debug for Access<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// The identity behind the access, as the rules and the writes see it.
impl<P> Access<P> {
    pub(super) fn seen(&self) -> Held<'_>
    where
        P: Recalls,
    {
        self.grant.__seen()
    }

    /// Returns the session for which the access was made.
    pub(super) fn held(&self) -> Option<&LoadedSession>
    where
        P: MayWrite,
    {
        let Held(held) = self.grant.__held();
        held.map(AsRef::as_ref)
    }

    /// Returns the program's reason for a system access; `None` for a viewer.
    pub(super) fn reason(&self) -> Option<&'static str>
    where
        P: MayWrite,
    {
        self.grant.__reason()
    }

    /// Returns the holder at the time the access was made. Rules are evaluated through
    /// [`Access::in_use`] instead.
    pub(crate) fn asker<V: Viewer>(&self) -> Principal<'_, V>
    where
        P: super::Reads<V>,
    {
        self.grant.__asker()
    }
}
