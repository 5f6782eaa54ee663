//! The lifecycle of a session: rotation, extension, revocation, and their events.

use std::sync::Arc;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use http::HeaderValue;

use super::address::Address;
use super::cookie::{Cookie, Stale};
use super::csrf::CsrfTokens;
use super::cursor::CursorSealer;
use super::epoch::{Changing, Epochs};
use super::event::{Revocation, SessionEvent, SessionEventKind, SignInRefusal};
use super::event_sink::SessionEvents;
use super::known_session::KnownSession;
use super::level::LoadedSession;
use super::nodes::Nodes;
use super::origin::Origin;
use super::settings::Settings;
use super::store::{
    Assurance, Replaced, SessionId, SessionRecord, SessionStore, StoreError, StoreErrorKind,
};
use super::ticket::{Issued, Ticket};
use super::tickets::Tickets;
use crate::clock::Clock;
use crate::driver::DatabaseId;
use crate::error::{Error, Refusal, Result};
use crate::events;
use crate::viewer::Subject;

/// The maximum number of attempts to draw a new id because the last one was taken.
pub(super) const ATTEMPTS: usize = 8;

/// The part of sessions that does not depend on the viewer's type: store, keys, cookie, settings, epochs and
/// events.
pub(crate) struct SessionManager {
    pub(crate) store: Arc<dyn SessionStore>,
    /// The database in which `store` is a table, if it is one.
    pub(crate) database: Option<DatabaseId>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) cursors: CursorSealer,
    pub(crate) csrf: CsrfTokens,
    pub(crate) address: Address,
    pub(crate) cookie: Cookie,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) nodes: Option<Arc<Nodes>>,
    pub(crate) events: SessionEvents,
}

/// A session that was just stored, and its cookies.
pub(crate) struct Opened {
    pub(crate) ticket: Ticket,
    pub(crate) set_cookies: Vec<HeaderValue>,
}

impl Opened {
    pub(crate) const fn id(&self) -> SessionId {
        self.ticket.credential.id
    }
}

/// The end of a session that was extended, and its cookies if they changed with it.
pub(crate) struct Extended {
    pub(crate) until: DateTime<Utc>,
    pub(crate) opened: Option<Opened>,
}

/// The number of a subject's other sessions that were ended, and the cookies of the kept one if they changed
/// with it.
pub(crate) struct Others {
    pub(crate) ended: u64,
    pub(crate) opened: Option<Opened>,
}

/// The reason for which a session's id is rotated.
#[derive(Debug)]
pub(crate) enum Rotation {
    /// The session's privileges changed.
    Privilege,
    /// This subject authenticated again.
    StepUp {
        subject: Subject,
        assurance: Assurance,
    },
}

impl SessionManager {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Returns the maximum age at `now`, in microseconds, of a cached answer whose load began at `asked_at`,
    /// in microseconds since 1970.
    pub(crate) fn bound_at(&self, now: DateTime<Utc>, asked_at: i64) -> i64 {
        match &self.nodes {
            Some(nodes) => nodes.bound_at(now, asked_at),
            None => self.settings.bound.num_microseconds().unwrap_or_default(),
        }
    }

    /// Builds the cookies of a session.
    pub(super) fn open(&self, issued: Issued, stale: &Stale) -> Result<Opened> {
        let Issued {
            record,
            ticket,
            value,
        } = issued;
        // A stateless session's cookie is useless once its token has expired.
        let end = match &ticket.token {
            Some(token) => token.idle_expires_at,
            None => record.expires_at,
        };
        let until = record.persistent.then(|| end.timestamp());
        let set_cookies = self
            .cookie
            .set(&value, self.now().timestamp(), until, stale)?;
        Ok(Opened {
            ticket,
            set_cookies,
        })
    }

    /// Returns the latest end of a session by the current settings, as a cookie shows it.
    pub(crate) fn shown_end(&self, found: &LoadedSession) -> Option<DateTime<Utc>> {
        let absolute = self.settings.limits(found.persistent).absolute;
        let end = found.created_at.checked_add_signed(absolute)?;
        end.min(found.expires_at)
            .duration_trunc(TimeDelta::seconds(1))
            .ok()
    }

    /// Builds the cookies of a sealed session again, under the current key and with this end.
    pub(crate) fn seal_anew(
        &self,
        text: &[u8],
        end: DateTime<Utc>,
        persistent: bool,
        stale: &Stale,
    ) -> Option<Vec<HeaderValue>> {
        let end = end.timestamp();
        let value = self.tickets.seal_anew(text, end)?;
        let until = persistent.then_some(end);
        let now = self.now().timestamp();
        self.cookie.set(&value, now, until, stale).ok()
    }

    /// Returns the session of a ticket, if there is one. It may be past the timeouts of the current settings.
    pub(crate) async fn stored(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<Option<KnownSession>> {
        if let Some(token) = &ticket.token {
            return self.standing(token).await;
        }
        let id = ticket.credential.id;
        let stored = self.answer("load", self.store.load(id, now).await)?;
        let stored = stored.filter(|record| ticket.is_of(record));
        Ok(stored.map(KnownSession::stored))
    }

    /// Returns the session of a ticket, if it is within its timeouts.
    pub(crate) async fn living(&self, ticket: &Ticket) -> Result<KnownSession> {
        let now = self.now();
        let stored = self.stored(ticket, now).await?;
        let record = stored.ok_or_else(|| Error::unauthenticated(Refusal::Unknown))?;
        if self.lives(&record, now) {
            Ok(record)
        } else {
            Err(Error::unauthenticated(Refusal::Expired))
        }
    }

    /// Rotates a session's id and secret. The old ones are invalid from now on.
    pub(crate) async fn rotate(
        &self,
        record: &KnownSession,
        rotation: Rotation,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Opened> {
        let now = self.now();
        let mut changed = record.clone();
        let kind = match rotation {
            Rotation::Privilege => SessionEventKind::Rotated,
            Rotation::StepUp { subject, .. } if subject != record.subject => {
                return Err(Error::forbidden());
            }
            Rotation::StepUp { assurance, .. } => {
                changed.authenticated_at = now;
                changed.assurance = assurance;
                SessionEventKind::SteppedUp
            }
        };
        let advance = self.epochs.advance_on_drop(&record.subject);
        if self.is_stateless() {
            changed.last_seen_at = now;
            // If it cannot be issued under another id, the session stays as it was.
            let opened = self.open(self.tickets.issue(changed)?, stale)?;
            if !self.end_token(record).await? {
                advance.forget();
                return Err(Error::unauthenticated(Refusal::Unknown));
            }
            self.tell_successor(kind, record, opened.id(), origin).await;
            return Ok(opened);
        }
        for _ in 0..ATTEMPTS {
            let issued = self.tickets.issue(changed.clone())?;
            let replaced = self.store.replace(record, &issued.record, now).await;
            match self.answer("replace", replaced)? {
                Replaced::Done => {
                    self.tell_successor(kind, record, issued.record.id, origin)
                        .await;
                    return self.open(issued, stale);
                }
                Replaced::Gone => {
                    advance.forget();
                    return Err(Error::unauthenticated(Refusal::Unknown));
                }
                Replaced::IdTaken => {}
            }
        }
        advance.forget();
        Err(self.no_free_id())
    }

    /// Writes the use of a session at once, and returns when it ends if it is not used again.
    pub(crate) async fn extend(
        &self,
        record: &KnownSession,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Extended> {
        let used = self.used(record, self.now());
        if self.is_stateless() {
            let until = used.idle_expires_at;
            self.tell_of(SessionEventKind::Extended, &used, origin)
                .await;
            let opened = self.reseal(record.with(used), stale)?;
            return Ok(Extended { until, opened });
        }
        // No epoch advances: a cached entry has an earlier end, and is reloaded by then.
        if !self.answer("touch", self.store.touch(&used).await)? {
            return Err(Error::unauthenticated(Refusal::Unknown));
        }
        self.tell_of(SessionEventKind::Extended, &used, origin)
            .await;
        Ok(Extended {
            until: used.idle_expires_at,
            opened: None,
        })
    }

    /// Re-issues a stateless session's token with this record; `None` under another strategy.
    pub(crate) fn reseal(&self, used: KnownSession, stale: &Stale) -> Result<Option<Opened>> {
        let stateless = self.tickets.stateless();
        let issued = stateless
            .map(|stateless| stateless.seal(used))
            .transpose()?;
        issued.map(|issued| self.open(issued, stale)).transpose()
    }

    /// Returns the record of a session used at `now`. A clock that is behind the one of the last use shortens
    /// nothing.
    pub(crate) fn used(&self, record: &SessionRecord, now: DateTime<Utc>) -> SessionRecord {
        let idle = self.settings.limits(record.persistent).idle;
        let last_seen_at = now.max(record.last_seen_at);
        let idle_expires_at = last_seen_at.checked_add_signed(idle);
        let idle_expires_at = idle_expires_at.unwrap_or(record.expires_at);
        SessionRecord {
            last_seen_at,
            idle_expires_at: idle_expires_at.min(record.expires_at),
            ..record.clone()
        }
    }

    pub(crate) async fn touched(&self, record: &SessionRecord) {
        // A load is shared by concurrent requests, so the event has no single origin.
        self.tell_of(SessionEventKind::Touched, record, &Origin::default())
            .await;
    }

    /// Ends one session. `end` is the end of its token, where that is known.
    pub(crate) async fn revoke(
        &self,
        id: SessionId,
        subject: &Subject,
        end: Option<DateTime<Utc>>,
        why: Revocation,
        origin: &Origin,
    ) -> Result<bool> {
        let advance = self.epochs.advance_on_drop(subject);
        let ended = if self.is_stateless() {
            // INVARIANT (line): successors of a first id end with it. For a later id the second denial has no
            // effect.
            let denied = self.deny(id, subject, end).await?;
            self.deny_line(id, subject, end).await? || denied
        } else {
            self.answer("delete", self.store.delete(id, subject).await)?
        };
        if ended {
            drop(advance);
            let kind = SessionEventKind::Revoked(why);
            self.tell(kind, Some(id), Some(subject), origin).await;
        } else {
            advance.forget();
        }
        Ok(ended)
    }

    pub(crate) async fn revoke_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
        origin: &Origin,
    ) -> Result<u64> {
        // Stores represent everyone by no subject, and nobody signs in as the empty one.
        if subject.as_str().is_empty() {
            return Ok(0);
        }
        subject.require_storable()?;
        if self.is_stateless() && keep.is_some() {
            return Err(Error::misuse(
                "the other stateless sessions of a subject can be revoked only by the one to keep: call `revoke_other_sessions` in a request of it",
            ));
        }
        let advance = self.epochs.advance_on_drop(subject);
        let ended = if self.is_stateless() {
            self.end_generation(Some(subject)).await.map(|()| 0)?
        } else {
            self.answer("delete", self.store.delete_all(subject, keep).await)?
        };
        // A user may press "sign out elsewhere" again and again, and only the first press ends sessions.
        if keep.is_some() && ended == 0 {
            advance.forget();
        } else {
            drop(advance);
        }
        let kind = SessionEventKind::RevokedMany(ended);
        self.tell(kind, None, Some(subject), origin).await;
        Ok(ended)
    }

    pub(crate) async fn revoke_everyone(&self) -> Result<u64> {
        let _advance = Changing::everybody(Arc::clone(&self.epochs));
        let ended = if self.is_stateless() {
            self.end_generation(None).await.map(|()| 0)?
        } else {
            self.answer("delete", self.store.delete_everyone().await)?
        };
        let kind = SessionEventKind::RevokedEveryone;
        self.tell(kind, None, None, &Origin::default()).await;
        Ok(ended)
    }

    pub(crate) fn is_stateless(&self) -> bool {
        self.tickets.stateless().is_some()
    }

    /// Refuses operations that only a store supports.
    pub(super) fn needs_records(&self) -> Result<()> {
        if self.is_stateless() {
            return Err(Error::misuse(
                "stateless sessions have neither a list nor data: choose `Strategy::Hybrid` or `Strategy::Database`",
            ));
        }
        Ok(())
    }

    pub(crate) async fn list(&self, subject: &Subject) -> Result<Vec<SessionRecord>> {
        self.needs_records()?;
        self.answer("list", self.store.list(subject, self.now()).await)
    }

    pub(crate) async fn sweep(&self) -> Result<u64> {
        let swept = self.answer("sweep", self.store.sweep(self.now()).await)?;
        let kind = SessionEventKind::Swept(swept);
        self.tell(kind, None, None, &Origin::default()).await;
        Ok(swept)
    }

    /// Records that a sign-in is refused, and returns the error for it.
    pub(crate) async fn refuse_sign_in(
        &self,
        why: SignInRefusal,
        subject: &Subject,
        origin: &Origin,
    ) -> Error {
        let kind = SessionEventKind::SignInRefused(why);
        self.tell(kind, None, Some(subject), origin).await;
        match why {
            SignInRefusal::Limit => Error::too_many_sessions(),
            SignInRefusal::Hook | SignInRefusal::Unintended => Error::forbidden(),
        }
    }

    /// Records that a session continues under the id `next`.
    pub(super) async fn tell_successor(
        &self,
        kind: SessionEventKind,
        record: &SessionRecord,
        next: SessionId,
        origin: &Origin,
    ) {
        let subject = Some(&record.subject);
        let event = SessionEvent::new(self.now(), kind, Some(next), subject, origin);
        self.events.tell(event.succeeding(record.id)).await;
    }

    pub(super) async fn tell_of(
        &self,
        kind: SessionEventKind,
        record: &SessionRecord,
        origin: &Origin,
    ) {
        self.tell(kind, Some(record.id), Some(&record.subject), origin)
            .await;
    }

    pub(crate) async fn tell(
        &self,
        kind: SessionEventKind,
        session: Option<SessionId>,
        subject: Option<&Subject>,
        origin: &Origin,
    ) {
        let event = SessionEvent::new(self.now(), kind, session, subject, origin);
        self.events.tell(event).await;
    }

    pub(crate) fn answer<T>(&self, step: &'static str, answer: Result<T, StoreError>) -> Result<T> {
        answer.map_err(|error| {
            events::session_store_failed(step, error);
            match error.kind {
                StoreErrorKind::Outage => Error::unavailable("the session store"),
                StoreErrorKind::Malformed => Error::internal("a stored session is malformed"),
            }
        })
    }

    /// Returns whether a record is within the timeouts of the current settings, and within those of the day
    /// on which it was written.
    pub(crate) fn lives(&self, record: &SessionRecord, now: DateTime<Utc>) -> bool {
        let limits = self.settings.limits(record.persistent);
        record.idle_expires_at > now
            && record.expires_at > now
            && now.signed_duration_since(record.last_seen_at) < limits.idle
            && now.signed_duration_since(record.created_at) < limits.absolute
    }

    pub(super) fn no_free_id(&self) -> Error {
        Error::internal("the session store reported every new session id as taken")
    }
}

pub(super) fn later(instant: DateTime<Utc>, delta: TimeDelta) -> Result<DateTime<Utc>> {
    instant.checked_add_signed(delta).ok_or_else(out_of_range)
}

pub(super) fn out_of_range() -> Error {
    Error::internal("the clock is out of range")
}
