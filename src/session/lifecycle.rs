//! A session's life: how it begins, goes on and ends.

use std::sync::Arc;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use http::HeaderValue;

use super::cookie::{Cookie, Stale};
use super::csrf::CsrfTokens;
use super::cursor::CursorSealer;
use super::epoch::{Changing, Epochs};
use super::nodes::Nodes;
use super::origin::Origin;
use super::settings::Settings;
use super::sign_in::SignIn;
use super::stateless::denial;
use super::store::{
    Assurance, Created, Replaced, SecretHash, SessionId, SessionRecord, SessionStore, StoreError,
    StoreErrorKind,
};
use super::ticket::{Issued, Ticket, Tickets};
use crate::audit::{
    self, Revocation, SessionEvent, SessionEventKind, SessionEvents, SignInRefusal,
};
use crate::clock::Clock;
use crate::error::{Error, Refusal, Result};
use crate::sql::DatabaseId;
use crate::viewer::Subject;

/// How often a new id is drawn because it is taken.
const ATTEMPTS: usize = 8;

/// What sessions are, whatever the viewer type.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn SessionStore>,
    /// The database of which `store` is a table.
    pub(crate) database: Option<DatabaseId>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) cursors: CursorSealer,
    pub(crate) csrf: CsrfTokens,
    pub(crate) cookie: Cookie,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) nodes: Option<Arc<Nodes>>,
    pub(crate) events: SessionEvents,
}

/// A session that was just stored, and the cookies that lead to it.
pub(crate) struct Opened {
    pub(crate) ticket: Ticket,
    pub(crate) set_cookies: Vec<HeaderValue>,
}

impl Opened {
    pub(crate) const fn id(&self) -> SessionId {
        self.ticket.credential.id
    }
}

/// When a session ends that was extended, and its cookies where they changed with it.
pub(crate) struct Extended {
    pub(crate) until: DateTime<Utc>,
    pub(crate) opened: Option<Opened>,
}

/// How many other sessions of a subject were ended, and the cookies of the one that was kept where
/// they changed with it.
pub(crate) struct Others {
    pub(crate) ended: u64,
    pub(crate) opened: Option<Opened>,
}

/// Why a session goes on under a new id.
#[derive(Debug)]
pub(crate) enum Rotation {
    /// What it is good for changed.
    Privilege,
    /// This subject proved again who it is.
    StepUp {
        subject: Subject,
        assurance: Assurance,
    },
}

impl Core {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// How old a cached answer may be at `now`, in microseconds.
    pub(crate) fn bound_at(&self, now: DateTime<Utc>) -> i64 {
        match &self.nodes {
            Some(nodes) => nodes.bound_at(now),
            None => self.settings.bound.num_microseconds().unwrap_or_default(),
        }
    }

    /// Stores a new session under a new id and secret.
    pub(crate) async fn create(
        &self,
        sign_in: &SignIn,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Opened> {
        if sign_in.subject.as_str().is_empty() {
            return Err(Error::misuse(
                "an empty subject cannot sign in: pass the id of the user who was authenticated",
            ));
        }
        let record = self.new_record(sign_in, origin)?;
        if self.is_stateless() {
            let issued = self.tickets.issue(record)?;
            return self.created(issued, Vec::new(), origin, stale).await;
        }
        for _ in 0..ATTEMPTS {
            let issued = self.tickets.issue(record.clone())?;
            let created = self.store.create(&issued.record, self.settings.most).await;
            match self.answer("create", created)? {
                Created::Stored(ended) => {
                    return self.created(issued, ended, origin, stale).await;
                }
                Created::LimitReached => {
                    let (why, subject) = (SignInRefusal::Limit, &sign_in.subject);
                    return Err(self.refuse_sign_in(why, subject, origin).await);
                }
                Created::IdTaken => {}
            }
        }
        Err(self.no_free_id())
    }

    fn new_record(&self, sign_in: &SignIn, origin: &Origin) -> Result<SessionRecord> {
        let now = self.now();
        let persistent = sign_in
            .remember
            .unwrap_or(self.settings.remembers_by_default());
        let limits = self.settings.limits(persistent);
        let claims = sign_in.claims.to_json()?;
        if claims.len() > self.settings.payload {
            return Err(Error::payload_too_large(
                claims.len(),
                self.settings.payload,
            ));
        }
        // Whole seconds, so that the cookie and the store agree on the end.
        let expires_at = later(now, limits.absolute)?
            .duration_trunc(TimeDelta::seconds(1))
            .map_err(|_| out_of_range())?;
        Ok(SessionRecord {
            // Given by the ticket.
            id: SessionId::from_bytes([0; 16]),
            secret_hash: SecretHash::from_bytes([0; 32]),
            subject: sign_in.subject.clone(),
            created_at: now,
            authenticated_at: now,
            assurance: sign_in.assurance,
            last_seen_at: now,
            idle_expires_at: later(now, limits.idle)?.min(expires_at),
            expires_at,
            persistent,
            address: origin.address,
            agent: origin.agent.clone(),
            claims,
        })
    }

    async fn created(
        &self,
        issued: Issued,
        ended: Vec<SessionId>,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Opened> {
        let record = issued.record.clone();
        // A cookie that cannot be written is no sign-in.
        let opened = self.open(issued, stale)?;
        if !ended.is_empty() {
            self.epochs.advance(&self.epochs.shard(&record.subject));
        }
        for id in ended {
            let kind = SessionEventKind::Revoked(Revocation::Limit);
            self.tell(kind, Some(id), Some(&record.subject), origin)
                .await;
        }
        self.tell_of(SessionEventKind::Created, &record, origin)
            .await;
        Ok(opened)
    }

    /// The cookies of a session that is stored.
    fn open(&self, issued: Issued, stale: &Stale) -> Result<Opened> {
        let Issued {
            record,
            ticket,
            value,
        } = issued;
        // A stateless session's cookie is of no use once its token is past its time.
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

    /// The stored session of a ticket, if there is one.
    pub(crate) async fn stored(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>> {
        let Ticket { credential, token } = ticket;
        if let Some(token) = token {
            return self.standing(token).await;
        }
        let stored = self.answer("load", self.store.load(credential.id, now).await)?;
        Ok(stored.filter(|record| {
            record.id == credential.id && record.secret_hash == credential.secret_hash
        }))
    }

    /// The session of a token, unless it was ended.
    async fn standing(&self, token: &SessionRecord) -> Result<Option<SessionRecord>> {
        let id = denial(token.id, &token.subject);
        let standing = self.store.standing(id, &token.subject).await;
        let standing = self.answer("standing", standing)?;
        let cut_off = |at| token.created_at <= at;
        let over = standing.denied || standing.cut_off.is_some_and(cut_off);
        Ok((!over).then(|| token.clone()))
    }

    /// The session of a ticket, if it lives.
    pub(crate) async fn living(&self, ticket: &Ticket) -> Result<SessionRecord> {
        let now = self.now();
        let stored = self.stored(ticket, now).await?;
        let record = stored.ok_or_else(|| Error::unauthenticated(Refusal::Unknown))?;
        if self.lives(&record, now) {
            Ok(record)
        } else {
            Err(Error::unauthenticated(Refusal::Expired))
        }
    }

    /// Puts a session under a new id and secret. The old ones lead nowhere from now on.
    pub(crate) async fn rotate(
        &self,
        record: &SessionRecord,
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
        let _advance = self.epochs.advance_on_drop(&record.subject);
        if self.is_stateless() {
            changed.last_seen_at = now;
            self.end_token(record).await?;
            let issued = self.tickets.issue(changed)?;
            self.tell_successor(kind, record, issued.record.id, origin)
                .await;
            return self.open(issued, stale);
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
                Replaced::Gone => return Err(Error::unauthenticated(Refusal::Unknown)),
                Replaced::IdTaken => {}
            }
        }
        Err(self.no_free_id())
    }

    /// Notes the use of a session at once, and tells when it ends if it is not used again.
    pub(crate) async fn extend(
        &self,
        record: &SessionRecord,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Extended> {
        let used = self.used(record, self.now());
        if self.is_stateless() {
            let until = used.idle_expires_at;
            self.tell_of(SessionEventKind::Extended, &used, origin)
                .await;
            let opened = self.reseal(used, stale)?;
            return Ok(Extended { until, opened });
        }
        // What is cached knows an earlier end.
        let _advance = self.epochs.advance_on_drop(&record.subject);
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

    /// A stateless session's token made anew.
    pub(crate) fn reseal(&self, used: SessionRecord, stale: &Stale) -> Result<Option<Opened>> {
        let stateless = self.tickets.stateless();
        let issued = stateless
            .map(|stateless| stateless.seal(used))
            .transpose()?;
        issued.map(|issued| self.open(issued, stale)).transpose()
    }

    /// The record of a session that is used at `now`.
    pub(crate) fn used(&self, record: &SessionRecord, now: DateTime<Utc>) -> SessionRecord {
        let idle = self.settings.limits(record.persistent).idle;
        let idle_expires_at = now.checked_add_signed(idle).unwrap_or(record.expires_at);
        SessionRecord {
            last_seen_at: now,
            idle_expires_at: idle_expires_at.min(record.expires_at),
            ..record.clone()
        }
    }

    pub(crate) async fn touched(&self, record: &SessionRecord) {
        // Requests of one session share a load, so that it is none of theirs.
        self.tell_of(SessionEventKind::Touched, record, &Origin::default())
            .await;
    }

    pub(crate) async fn revoke(
        &self,
        id: SessionId,
        subject: &Subject,
        why: Revocation,
        origin: &Origin,
    ) -> Result<bool> {
        let _advance = self.epochs.advance_on_drop(subject);
        let ended = if self.is_stateless() {
            let denied = self.store.deny(denial(id, subject), self.far()).await;
            self.answer("deny", denied)?
        } else {
            self.answer("delete", self.store.delete(id, subject).await)?
        };
        if ended {
            let kind = SessionEventKind::Revoked(why);
            self.tell(kind, Some(id), Some(subject), origin).await;
        }
        Ok(ended)
    }

    pub(crate) async fn revoke_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
        origin: &Origin,
    ) -> Result<u64> {
        let _advance = self.epochs.advance_on_drop(subject);
        let ended = if self.is_stateless() {
            if keep.is_some() {
                return Err(Error::misuse(
                    "one of many stateless sessions cannot be kept from outside: call `revoke_other_sessions` in a request of it",
                ));
            }
            self.cut_off(Some(subject), self.now()).await.map(|()| 0)?
        } else {
            self.answer("delete", self.store.delete_all(subject, keep).await)?
        };
        let kind = SessionEventKind::RevokedMany(ended);
        self.tell(kind, None, Some(subject), origin).await;
        Ok(ended)
    }

    pub(crate) async fn revoke_everyone(&self) -> Result<u64> {
        let _advance = Changing::everybody(Arc::clone(&self.epochs));
        let ended = if self.is_stateless() {
            self.cut_off(None, self.now()).await.map(|()| 0)?
        } else {
            self.answer("delete", self.store.delete_everyone().await)?
        };
        let kind = SessionEventKind::RevokedEveryone;
        self.tell(kind, None, None, &Origin::default()).await;
        Ok(ended)
    }

    /// Ends the stateless sessions of a subject but one, which goes on under a new id as if it began
    /// after all the others.
    ///
    /// `now` is read before it is found out that the session lives, so that whoever ends all of them
    /// meanwhile ends this one, too.
    pub(crate) async fn outlive(
        &self,
        record: &SessionRecord,
        now: DateTime<Utc>,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Opened> {
        let _advance = self.epochs.advance_on_drop(&record.subject);
        self.end_token(record).await?;
        self.cut_off(Some(&record.subject), now).await?;
        let kind = SessionEventKind::RevokedMany(0);
        self.tell(kind, None, Some(&record.subject), origin).await;
        let issued = self.tickets.issue(SessionRecord {
            created_at: now + TimeDelta::microseconds(1),
            last_seen_at: now,
            ..record.clone()
        })?;
        let kind = SessionEventKind::Rotated;
        self.tell_successor(kind, record, issued.record.id, origin)
            .await;
        self.open(issued, stale)
    }

    /// Ends a stateless session that goes on under another id, unless somebody else ended it: then
    /// it must not go on.
    async fn end_token(&self, record: &SessionRecord) -> Result<()> {
        let id = denial(record.id, &record.subject);
        let denied = self.store.deny(id, record.expires_at).await;
        if self.answer("deny", denied)? {
            Ok(())
        } else {
            Err(Error::unauthenticated(Refusal::Unknown))
        }
    }

    async fn cut_off(&self, subject: Option<&Subject>, at: DateTime<Utc>) -> Result<()> {
        let cut_off = self.store.cut_off(subject, at, self.far()).await;
        self.answer("cut_off", cut_off)
    }

    /// When every token that there is now is past its time.
    fn far(&self) -> DateTime<Utc> {
        let longest = self.settings.longest() + TimeDelta::seconds(1);
        let far = self.now().checked_add_signed(longest);
        far.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    pub(crate) fn is_stateless(&self) -> bool {
        self.tickets.stateless().is_some()
    }

    /// Refuses what only a store can do.
    fn needs_records(&self) -> Result<()> {
        if self.is_stateless() {
            return Err(Error::misuse(
                "stateless sessions have neither a list nor data: choose `Strategy::Hybrid` or `Strategy::Database`",
            ));
        }
        Ok(())
    }

    /// Ends the session of a ticket, if there still is one.
    pub(crate) async fn end(
        &self,
        ticket: &Ticket,
        why: Revocation,
        origin: &Origin,
    ) -> Result<()> {
        match self.stored(ticket, self.now()).await? {
            Some(record) => self
                .revoke(record.id, &record.subject, why, origin)
                .await
                .map(|_ended| ()),
            None => Ok(()),
        }
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

    pub(crate) async fn data(&self, record: &SessionRecord) -> Result<Option<Vec<u8>>> {
        self.needs_records()?;
        self.answer("data", self.store.data(record.id, self.now()).await)
    }

    pub(crate) async fn set_data(&self, record: &SessionRecord, data: Option<&[u8]>) -> Result<()> {
        self.needs_records()?;
        let kept = self.store.set_data(record.id, self.now(), data).await;
        if self.answer("set_data", kept)? {
            Ok(())
        } else {
            Err(Error::unauthenticated(Refusal::Unknown))
        }
    }

    /// Tells that a subject is not signed in, and gives the error for it.
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

    /// Tells that a session goes on under the id `next`.
    async fn tell_successor(
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

    async fn tell_of(&self, kind: SessionEventKind, record: &SessionRecord, origin: &Origin) {
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
            audit::session_store_failed(step, error);
            match error.kind {
                StoreErrorKind::Outage => Error::unavailable("the session store"),
                StoreErrorKind::Malformed => Error::internal("a stored session is malformed"),
            }
        })
    }

    /// Whether a record lives by the limits as they are set today, not only by those of the day on
    /// which it was written.
    pub(crate) fn lives(&self, record: &SessionRecord, now: DateTime<Utc>) -> bool {
        let limits = self.settings.limits(record.persistent);
        record.idle_expires_at > now
            && record.expires_at > now
            && now.signed_duration_since(record.last_seen_at) < limits.idle
            && now.signed_duration_since(record.created_at) < limits.absolute
    }

    fn no_free_id(&self) -> Error {
        Error::internal("the session store gives no free session id")
    }
}

fn later(instant: DateTime<Utc>, delta: TimeDelta) -> Result<DateTime<Utc>> {
    instant.checked_add_signed(delta).ok_or_else(out_of_range)
}

fn out_of_range() -> Error {
    Error::internal("the clock is out of range")
}
