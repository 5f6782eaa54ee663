//! What happened to a session, as it is told and recorded.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::shown;
use crate::error::Refusal;
use crate::request::outside_of_requests;
use crate::session::{Origin, SessionId};
use crate::viewer::Subject;

/// Something that happened to sessions.
///
/// Each one is an event of `tracing`, of level info with the target `clearance::session`. Sessions
/// with a [`SessionEventSink`] give it to that, too.
///
/// It holds no secret and no token: a session's id opens nothing.
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

/// What happened.
///
/// It is exhaustive on purpose: a new one must break whatever asks for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionEventKind {
    /// A subject signed in.
    Created,
    /// A subject was to be signed in, and was not.
    SignInRefused(SignInRefusal),
    /// Its use was noted, as it is once in the touch interval.
    Touched,
    /// It was extended because the application asked for it.
    Extended,
    /// It went on under a new id.
    Rotated,
    /// Its subject proved again who it is, and it went on under a new id.
    SteppedUp,
    /// Something was refused until its subject proves again who it is, and the session stays.
    StepUpRequired,
    /// One session was ended.
    Revoked(Revocation),
    /// Several sessions of a subject were ended, so many of them; of stateless ones nobody knows how
    /// many there were.
    RevokedMany(u64),
    /// All sessions of all subjects were ended.
    RevokedEveryone,
    /// It was presented past its time.
    Expired,
    /// A credential was presented that leads to no session.
    Refused(CredentialRefusal),
    /// So many sessions past their time were removed.
    Swept(u64),
}

/// Why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Its subject signed out.
    SignOut,
    /// Somebody signed in in its place, from the same browser.
    SignIn,
    /// The subject has as many sessions as it may, and signed in once more.
    Limit,
    /// The application ended it by its id, or its subject did in a list of sessions.
    ById,
    /// A [hook](crate::session::SessionHooks) ended it when it was verified.
    Hook,
}

/// Why a subject was not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInRefusal {
    /// It has as many sessions as it may, and the [limit](crate::session::SessionLimit::Reject) is one
    /// that refuses.
    Limit,
    /// A [hook](crate::session::SessionHooks::on_sign_in) refused.
    Hook,
    /// Nobody can have meant to sign in with the request; see
    /// [`RequestContext::sign_in`](crate::RequestContext::sign_in).
    Unintended,
}

/// Why a credential leads to no session. That it is past its time is [`SessionEventKind::Expired`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialRefusal {
    /// The request had more than one of them.
    Ambiguous,
    /// It is none that these sessions' key has sealed.
    Invalid,
    /// Its session was ended, or never was.
    Unknown,
    /// Its session's subject has no viewer any more.
    NoViewer,
}

impl SessionEventKind {
    /// What is told of a credential that was refused; nothing of one that was not there.
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

    /// What happened as one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
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

    /// Why a session was ended, or a sign-in or a credential refused, as one word; none for anything
    /// else.
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

    /// The same of a session that was called so before.
    pub(crate) const fn succeeding(mut self, previous: SessionId) -> Self {
        self.previous = Some(previous);
        self
    }

    /// When, by the clock of the sessions.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> SessionEventKind {
        self.kind
    }

    /// To which session; none where it was to many, or a credential or a sign-in led to none.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The id of the session until now, where it goes on under a new one: it links what was told
    /// before to what is told from now on.
    #[must_use]
    pub const fn previous(&self) -> Option<SessionId> {
        self.previous
    }

    /// Whose session it is, or would be, as far as that is known.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// From where the request came; none outside of a request.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// With what program the request was made, as it said itself: without control and format characters, at
    /// most 255 characters.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// The [id of the request](crate::RequestContext::request_id); none outside of a request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

/// Takes the [`SessionEvent`]s of sessions that have it; see
/// [`SessionsBuilder::events`](crate::session::SessionsBuilder::events).
///
/// It is called when the thing has happened, outside of any request, and whoever caused it waits
/// until it returns: what takes long belongs into a queue. An implementation stands under
/// `#[clearance::async_trait]`.
///
/// Anybody can send a forged cookie, and each request with one is a call with
/// [`Refused`](SessionEventKind::Refused): a sink that writes to a database should drop these, or take
/// a sample.
#[async_trait]
pub trait SessionEventSink: Send + Sync + 'static {
    /// Keeps the event. What goes wrong here is this function's own business: a session that was
    /// ended stays so.
    async fn record(&self, event: &SessionEvent);
}

#[async_trait]
impl<S: SessionEventSink + ?Sized> SessionEventSink for Arc<S> {
    async fn record(&self, event: &SessionEvent) {
        (**self).record(event).await;
    }
}

/// Where the events of sessions go.
#[derive(Clone, Default)]
pub(crate) struct SessionEvents(Option<Arc<dyn SessionEventSink>>);

impl SessionEvents {
    pub(crate) fn to(sink: impl SessionEventSink) -> Self {
        Self(Some(Arc::new(sink)))
    }

    pub(crate) async fn tell(&self, event: SessionEvent) {
        let subject = shown(event.subject.as_ref());
        tracing::info!(
            target: "clearance::session",
            session = event.session.map(|id| id.to_string()),
            previous = event.previous.map(|id| id.to_string()),
            subject = subject.as_deref(),
            reason = event.kind.reason(),
            count = event.kind.count(),
            address = event.address.map(|address| address.to_string()),
            request_id = event.request_id.as_deref(),
            "session {}", event.kind.word(),
        );
        self.record(event).await;
    }

    /// Gives it to the sink alone: `tracing` was told more.
    pub(crate) async fn record(&self, event: SessionEvent) {
        if let Some(sink) = &self.0 {
            outside_of_requests(sink.record(&event)).await;
        }
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionEvents(..)")
    }
}
