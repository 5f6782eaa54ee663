//! Session events: sign-ins, rotations, revocations and refused credentials, as they are logged and
//! recorded.

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::origin::Origin;
use super::store::SessionId;
use crate::error::Refusal;
use crate::events::{self, LoggedSession};
use crate::viewer::Subject;

/// An event in the life of one or more sessions.
///
/// Each one is logged as a `tracing` event of level info with the target `clearance::session`, and given to
/// the [`SessionEventSink`](crate::audit::SessionEventSink) of sessions that have one.
///
/// It holds no secret and no token: a session's id is no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvent {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: SessionEventKind,
    pub(crate) session: Option<SessionId>,
    pub(crate) previous: Option<SessionId>,
    pub(crate) subject: Option<Subject>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// The kind of a session event.
///
/// It is exhaustive on purpose: a new kind must break every `match` on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionEventKind {
    /// A subject signed in.
    Created,
    /// A sign-in was refused.
    SignInRefused(SignInRefusal),
    /// The time of the session's last use was stored, as happens once in a touch interval.
    Touched,
    /// The session was extended at the application's request.
    Extended,
    /// The session continued under a new id.
    Rotated,
    /// The subject re-authenticated, and the session continued under a new id.
    SteppedUp,
    /// An operation was refused until the subject re-authenticates; the session remains.
    StepUpRequired,
    /// One session was ended.
    Revoked(Revocation),
    /// Several sessions of a subject were ended; the count is 0 for stateless ones, whose number is
    /// unknown.
    RevokedMany(u64),
    /// All sessions of all subjects were ended.
    RevokedEveryone,
    /// An expired session was presented.
    Expired,
    /// A credential that leads to no session was presented.
    Refused(CredentialRefusal),
    /// This many expired sessions were removed.
    Swept(u64),
}

/// The reason why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// The subject signed out.
    SignOut,
    /// A new sign-in from the same browser replaced it.
    SignIn,
    /// The subject signed in once more while it had as many sessions as it may have.
    Limit,
    /// The application ended it by its id, or its subject did in a list of sessions.
    ById,
    /// A [hook](crate::session::SessionHooks) ended it when it was verified.
    Hook,
}

/// The reason why a sign-in was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInRefusal {
    /// The subject has as many sessions as it may have, and the
    /// [limit](crate::session::SessionLimit::Reject) is one that refuses.
    Limit,
    /// A [hook](crate::session::SessionHooks::on_sign_in) refused.
    Hook,
    /// The request cannot have been meant as a sign-in; see
    /// [`RequestContext::sign_in`](crate::RequestContext::sign_in).
    Unintended,
}

/// The reason why a credential leads to no session. For an expired session it is
/// [`SessionEventKind::Expired`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialRefusal {
    /// The request had more than one credential.
    Ambiguous,
    /// No key of these sessions sealed the credential.
    Invalid,
    /// The session was ended, or never existed.
    Unknown,
    /// The session's subject has no viewer any more.
    NoViewer,
}

impl SessionEventKind {
    /// Returns the event for a refused credential; none if there was no credential.
    pub(crate) const fn refused(refusal: Refusal) -> Option<Self> {
        let why = match refusal {
            Refusal::Missing => return None,
            Refusal::Expired => return Some(Self::Expired),
            Refusal::Ambiguous => CredentialRefusal::Ambiguous,
            Refusal::Invalid => CredentialRefusal::Invalid,
            Refusal::Unknown => CredentialRefusal::Unknown,
            Refusal::NoViewer => CredentialRefusal::NoViewer,
        };
        Some(Self::Refused(why))
    }

    /// Returns the kind as one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::SignInRefused(_) => "sign_in_refused",
            Self::Touched => "touched",
            Self::Extended => "extended",
            Self::Rotated => "rotated",
            Self::SteppedUp => "stepped_up",
            Self::StepUpRequired => "step_up_required",
            Self::Revoked(_) => "revoked",
            Self::RevokedMany(_) => "revoked_many",
            Self::RevokedEveryone => "revoked_everyone",
            Self::Expired => "expired",
            Self::Refused(_) => "refused",
            Self::Swept(_) => "swept",
        }
    }

    /// Returns the reason of a revocation, a refused sign-in or a refused credential, as one word; none for
    /// any other kind.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Revoked(Revocation::SignOut) => Some("sign_out"),
            Self::Revoked(Revocation::SignIn) => Some("sign_in"),
            Self::Revoked(Revocation::Limit) => Some("limit"),
            Self::Revoked(Revocation::ById) => Some("by_id"),
            Self::Revoked(Revocation::Hook) => Some("hook"),
            Self::SignInRefused(SignInRefusal::Limit) => Some("limit"),
            Self::SignInRefused(SignInRefusal::Hook) => Some("hook"),
            Self::SignInRefused(SignInRefusal::Unintended) => Some("unintended"),
            Self::Refused(CredentialRefusal::Ambiguous) => Some("ambiguous"),
            Self::Refused(CredentialRefusal::Invalid) => Some("invalid"),
            Self::Refused(CredentialRefusal::Unknown) => Some("unknown"),
            Self::Refused(CredentialRefusal::NoViewer) => Some("no_viewer"),
            Self::Created
            | Self::Touched
            | Self::Extended
            | Self::Rotated
            | Self::SteppedUp
            | Self::StepUpRequired
            | Self::RevokedMany(_)
            | Self::RevokedEveryone
            | Self::Expired
            | Self::Swept(_) => None,
        }
    }

    const fn count(self) -> Option<u64> {
        match self {
            Self::RevokedMany(count) | Self::Swept(count) => Some(count),
            Self::Created
            | Self::SignInRefused(_)
            | Self::Touched
            | Self::Extended
            | Self::Rotated
            | Self::SteppedUp
            | Self::StepUpRequired
            | Self::Revoked(_)
            | Self::RevokedEveryone
            | Self::Expired
            | Self::Refused(_) => None,
        }
    }
}

impl SessionEvent {
    pub(crate) fn new(
        at: DateTime<Utc>,
        kind: SessionEventKind,
        session: Option<SessionId>,
        subject: Option<&Subject>,
        origin: &Origin,
    ) -> Self {
        Self {
            at,
            kind,
            session,
            previous: None,
            subject: subject.cloned(),
            address: origin.address,
            agent: origin.agent.clone(),
            request_id: origin.request_id.clone(),
        }
    }

    /// Adds the id that the session had before it was rotated.
    pub(crate) const fn succeeding(mut self, previous: SessionId) -> Self {
        self.previous = Some(previous);
        self
    }

    /// Logs the event.
    pub(super) fn log(&self) {
        events::session(&LoggedSession {
            kind: self.kind.as_str(),
            session: self.session.as_ref().map(|id| id as &dyn fmt::Display),
            previous: self.previous.as_ref().map(|id| id as &dyn fmt::Display),
            subject: self.subject.as_ref(),
            reason: self.kind.reason(),
            count: self.kind.count(),
            address: self.address,
            request_id: self.request_id.as_deref(),
        });
    }

    /// Returns the time of the event, by the clock of the sessions.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Returns the kind of the event.
    #[must_use]
    pub const fn kind(&self) -> SessionEventKind {
        self.kind
    }

    /// Returns the id of the session; none if there were many, or if a credential or a sign-in led to none.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Returns the id of the session until now, if it continues under a new one: it links the events before
    /// the rotation to those after it.
    #[must_use]
    pub const fn previous(&self) -> Option<SessionId> {
        self.previous
    }

    /// Returns the subject that the session belongs to, or would belong to, as far as it is known.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Returns the address that the request came from; none outside of a request.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Returns the user agent that the request named: without control and format characters, at most 255
    /// characters.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// Returns the [id of the request](crate::RequestContext::request_id); none outside of a request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}
