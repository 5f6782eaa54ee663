//! The session state of a request: its credential, and the memoized result of verifying it.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::HeaderValue;

use super::cache::{Refused, Verification};
use super::cookie::{CookieHeaders, Stale};
use super::cursor::CursorSealer;
use super::epoch::Epochs;
use super::event::Revocation;
use super::event_deduplication::EventDeduplication;
use super::hooks::{RequestOrigin, Verdict};
use super::known_session::KnownSession;
use super::level::{Current, First, LoadedSession, Optimistic, Presence, Sealed, Verified};
use super::lifecycle::{Extended, Opened, Others, Rotation, SessionManager};
use super::origin::Origin;
use super::sign_in::SignIn;
use super::store::SessionRecord;
use super::ticket::{Strategy, Ticket};
use super::verifier::Verifier;
use crate::driver::DatabaseId;
use crate::error::{Error, Refusal, Result};
use crate::scope::outside_of_requests;
use crate::viewer::{Subject, Viewer};

mod leftovers;

/// The operations of a request on its session that do not depend on the viewer's type.
#[async_trait]
pub(crate) trait ErasedRequestSession: Any + Send + Sync {
    fn optimistic(&self, origin: &dyn Fn() -> Origin) -> Result<Optimistic>;
    async fn sign_in(&self, first: &First, sign_in: &SignIn, origin: &Origin) -> Result<Opened>;
    async fn sign_out(&self, first: &First, origin: &Origin) -> Result<Vec<HeaderValue>>;
    async fn rotate(&self, first: &First, rotation: Rotation, origin: &Origin) -> Result<Opened>;
    /// Returns the session's subject even if a step-up is pending.
    async fn prover(&self, origin: &Origin) -> Result<Subject>;
    async fn extend(&self, first: &First, origin: &Origin) -> Result<Extended>;
    /// Ends all sessions of the request's subject but its own.
    async fn revoke_others(&self, origin: &Origin) -> Result<Others>;
    /// Returns the cookies that the response sets on its own: a session's cookie issued anew, or the removal
    /// of a useless one.
    fn leftovers(&self, first: &First) -> Vec<HeaderValue>;
    /// Returns the record of the request's session, if the application's hook admits it.
    async fn record(&self, first: &First, origin: &Origin) -> Result<SessionRecord>;
    fn core(&self) -> Result<&SessionManager>;
    /// Returns the contents of the cookie; its session may have ended.
    fn named(&self) -> Result<Ticket>;
    /// Verifies the request's session, as [`RequestSession::verify`] does, and returns it.
    async fn found(&self, first: &First, origin: &Origin) -> Result<Arc<LoadedSession>>;
    /// Returns whether a loaded session is recent enough for the request to continue with it.
    fn is_recent(&self, _: &LoadedSession) -> bool {
        true
    }
    /// Copies the credential, without any memoized result.
    fn fork(&self) -> Box<dyn ErasedRequestSession>;
    /// Marks the cached viewer stale if it is older than the cache bound (decision 42).
    fn renew(&self, first: &First);
    fn now(&self) -> Option<DateTime<Utc>>;
    fn database(&self) -> Option<DatabaseId>;
    /// Returns the sealer of page cursors; `None` where there are no sessions.
    fn cursors(&self) -> Option<&CursorSealer> {
        None
    }
    /// Returns the epochs by which changes of a viewer are detected; `None` where there are no sessions.
    fn epochs(&self) -> Option<&Arc<Epochs>> {
        None
    }
    /// Builds the error for a request with another viewer type than this one's.
    fn other_viewer(&self) -> Error {
        Error::misuse(
            "this request's sessions have another viewer type: ask for the type that the layer's `Sessions` was built with",
        )
    }
}

/// The session state of a request through sessions of `V`, or with a viewer that a test gave.
pub(crate) struct RequestSession<V> {
    /// Absent when a test gave the viewer.
    service: Option<Arc<Verifier<V>>>,
    /// The last answer. The lock is the gate: one caller verifies while it holds it, and the others wait
    /// (single flight). The gate opens when its holder panics or is dropped, and the next waiter takes over.
    gate: tokio::sync::Mutex<Option<Verification<V>>>,
    cookies: CookieHeaders,
    /// Set if this request counts as a use of the session, which restarts its idle timeout.
    counts: bool,
    presented: Mutex<Presented>,
    /// Set if the session ended without a sign-out in this request, so that the response removes its cookie.
    ended: AtomicBool,
    /// The result of the first successful `verify_current`, kept only to re-issue the cookie.
    current: OnceLock<Arc<LoadedSession>>,
    told: EventDeduplication,
}

enum Presented {
    Unread,
    Read(std::result::Result<Ticket, Refusal>),
}

impl<V: Viewer> RequestSession<V> {
    pub(crate) fn new(service: Arc<Verifier<V>>, cookies: CookieHeaders, counts: bool) -> Self {
        Self::of(Some(service), cookies, counts, Presented::Unread)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn fixed() -> Self {
        let presented = Presented::Read(Err(Refusal::Missing));
        Self::of(None, CookieHeaders::None, false, presented)
    }

    fn of(
        service: Option<Arc<Verifier<V>>>,
        cookies: CookieHeaders,
        counts: bool,
        presented: Presented,
    ) -> Self {
        Self {
            service,
            gate: tokio::sync::Mutex::new(None),
            cookies,
            counts,
            presented: Mutex::new(presented),
            ended: AtomicBool::new(false),
            current: OnceLock::new(),
            told: EventDeduplication::default(),
        }
    }

    pub(crate) async fn verify(
        &self,
        first: &First,
        origin: impl Fn() -> Origin,
    ) -> Result<Verified<V>> {
        let service = self.service()?;
        let mut gate = self.gate.lock().await;
        if let Some(verified) = first.ready() {
            return Ok(verified);
        }
        let now = service.core.now();
        let recent = |answer: &&Verification<V>| match answer {
            Verification::Live(verified) => {
                !first.is_outdated() || service.is_recent(verified.loaded(), now)
            }
            Verification::Refused(_) => true,
        };
        let kept = gate.as_ref().filter(|answer| answer.holds());
        if let Some(answer) = kept.filter(recent) {
            return answer.clone().into_result();
        }
        let answer = match self.known(service, now).await {
            Some(answer) => Ok(answer),
            None => match self.ticket(&service.core, now) {
                Ok(ticket) => Ok(service.verify(&ticket, now, self.counts).await?),
                Err(refusal) => Err(refusal),
            },
        };
        let answer = match answer {
            Ok(answer) => self.judge(answer, service, &origin).await?,
            Err(refusal) => Verification::refused(refusal),
        };
        self.report(&answer, &service.core, &origin).await;
        if let Verification::Live(verified) = &answer {
            first.set(verified);
        }
        *gate = Some(answer.clone());
        answer.into_result()
    }

    pub(crate) async fn current(
        &self,
        first: &First,
        origin: impl Fn() -> Origin,
    ) -> Result<Current<V>> {
        let Some(service) = &self.service else {
            return first
                .ready()
                .map(Current)
                .ok_or_else(|| Error::unauthenticated(Refusal::Missing));
        };
        let core = &service.core;
        let ticket = match self.ticket(core, core.now()) {
            Ok(ticket) => ticket,
            Err(refusal) => {
                let answer = Verification::<V>::refused(refusal);
                self.report(&answer, core, &origin).await;
                return answer.into_result().map(Current);
            }
        };
        let answer = service.current(&ticket, self.counts).await?;
        let answer = self.judge(answer, service, &origin).await?;
        self.report(&answer, core, &origin).await;
        match &answer {
            Verification::Live(verified) => {
                let _earlier = self.current.set(Arc::clone(verified.loaded()));
            }
            Verification::Refused(_) => {
                // The cache and this request's memo may still have the session.
                service.cache.forget(&ticket.fingerprint).await;
                forget_first(first, core);
            }
        }
        answer.into_result().map(Current)
    }

    fn service(&self) -> Result<&Verifier<V>> {
        self.service.as_deref().ok_or_else(|| {
            Error::misuse(
                "a context with a given viewer has no sessions: build one from `Sessions` to sign in or out",
            )
        })
    }

    /// Returns the cached answer to the cookie that the request came with, if nothing has opened it yet.
    async fn known(&self, service: &Verifier<V>, now: DateTime<Utc>) -> Option<Verification<V>> {
        if !matches!(&*self.presented(), Presented::Unread) {
            return None;
        }
        let cookie = self.cookies.find(service.core.cookie.name()).ok()?;
        let cached = service.known(&cookie, now).await?;
        let mut presented = self.presented();
        if let Presented::Unread = &*presented {
            *presented = Presented::Read(Ok(cached.ticket));
        }
        Some(cached.answer)
    }

    /// Returns the ticket that the request came with, or that of its own sign-in.
    fn ticket(
        &self,
        core: &SessionManager,
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        let mut presented = self.presented();
        if let Presented::Unread = &*presented {
            *presented = Presented::Read(self.read(core, now));
        }
        let ticket = match &*presented {
            Presented::Read(read) => read.clone()?,
            Presented::Unread => return Err(Refusal::Missing),
        };
        if ticket.credential.expires_at > now.timestamp() {
            Ok(ticket)
        } else {
            Err(Refusal::Expired)
        }
    }

    fn read(
        &self,
        core: &SessionManager,
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        core.tickets
            .open(&self.cookies.find(core.cookie.name())?, now)
    }

    /// Returns the cookies of the session's name that the request has.
    fn stale(&self, core: &SessionManager) -> Stale {
        self.cookies.stale(core.cookie.name())
    }

    /// Applies the application's hook to a session that this request uses, and refuses it if a step-up is
    /// required.
    async fn judge(
        &self,
        answer: Verification<V>,
        service: &Verifier<V>,
        origin: impl Fn() -> Origin,
    ) -> Result<Verification<V>> {
        let (answer, unproved) = self.heard(answer, service, &origin).await?;
        match &answer {
            Verification::Live(verified) if unproved => {
                self.tell_step_up(verified.loaded(), origin).await;
                Err(Error::step_up())
            }
            Verification::Live(_) | Verification::Refused(_) => Ok(answer),
        }
    }

    /// Applies the application's hook: returns the session, unless it was revoked, and whether a step-up is
    /// required.
    async fn heard(
        &self,
        answer: Verification<V>,
        service: &Verifier<V>,
        origin: impl Fn() -> Origin,
    ) -> Result<(Verification<V>, bool)> {
        let (Verification::Live(verified), Some(hooks)) = (&answer, &service.hooks) else {
            return Ok((answer, false));
        };
        let origin = origin();
        let from = RequestOrigin::new(origin.clone());
        match outside_of_requests(hooks.on_verify(verified, &from)).await {
            Verdict::Keep => Ok((answer, false)),
            Verdict::StepUp => Ok((answer, true)),
            Verdict::Revoke => {
                let core = &service.core;
                if let Ok(ticket) = self.ticket(core, core.now()) {
                    core.end(&ticket, Revocation::Hook, &origin).await?;
                }
                self.ended.store(true, Ordering::Release);
                Ok((Verification::refused(Refusal::Unknown), false))
            }
        }
    }

    /// Verifies the request's session, including the hook, and returns its ticket and record.
    async fn admitted(
        &self,
        core: &SessionManager,
        first: &First,
        origin: &Origin,
    ) -> Result<(Ticket, KnownSession)> {
        self.verify(first, || origin.clone()).await?;
        self.living(core).await
    }

    /// Returns the session that the request came with, if it is within its timeouts.
    async fn living(&self, core: &SessionManager) -> Result<(Ticket, KnownSession)> {
        let ticket = self
            .ticket(core, core.now())
            .map_err(Error::unauthenticated)?;
        let record = core.living(&ticket).await?;
        Ok((ticket, record))
    }

    fn presented(&self) -> MutexGuard<'_, Presented> {
        self.presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn report(
        &self,
        answer: &Verification<V>,
        core: &SessionManager,
        origin: impl Fn() -> Origin,
    ) {
        if let Verification::Refused(refused) = answer {
            if refused.dead {
                self.ended.store(true, Ordering::Release);
            }
            self.told.refused(refused.refusal, core, origin).await;
        }
    }

    /// Records that this request's session requires a step-up.
    pub(crate) async fn tell_step_up(&self, loaded: &LoadedSession, origin: impl Fn() -> Origin) {
        if let Some(service) = &self.service {
            self.told.step_up(loaded, &service.core, origin).await;
        }
    }

    /// Ends the session that the request came with. A cookie that does not open ends nothing: it may name
    /// anybody's session.
    async fn end(&self, first: &First, service: &Verifier<V>, origin: &Origin) -> Result<()> {
        let core = &service.core;
        if let Ok(ticket) = self.ticket(core, core.now()) {
            core.end(&ticket, Revocation::SignOut, origin).await?;
            service.cache.forget(&ticket.fingerprint).await;
        }
        forget_first(first, core);
        Ok(())
    }
}

/// Makes the memoized session stale, in this request and in the cache.
fn forget_first(first: &First, core: &SessionManager) {
    if let Some(loaded) = first.loaded() {
        core.epochs.advance(&loaded.shard);
    }
}

#[async_trait]
impl<V: Viewer> ErasedRequestSession for RequestSession<V> {
    fn optimistic(&self, origin: &dyn Fn() -> Origin) -> Result<Optimistic> {
        let core = &self.service()?.core;
        let ticket = self.ticket(core, core.now()).map_err(|refusal| {
            self.told.log(refusal, origin);
            if Refused::is_dead(refusal) {
                self.ended.store(true, Ordering::Release);
            }
            Error::unauthenticated(refusal)
        })?;
        match core.tickets.strategy() {
            Strategy::Database => Ok(Optimistic::Present(Presence(()))),
            Strategy::Hybrid | Strategy::Stateless => {
                DateTime::from_timestamp(ticket.credential.expires_at, 0)
                    .map(|expires_at| Optimistic::Sealed(Sealed { expires_at }))
                    .ok_or_else(|| Error::unauthenticated(Refusal::Invalid))
            }
        }
    }

    async fn sign_in(&self, first: &First, sign_in: &SignIn, origin: &Origin) -> Result<Opened> {
        let service = self.service()?;
        // A refused sign-in leaves the current session untouched.
        let sign_in = service.admitted(sign_in, origin).await?;
        // The gate is held while the new session replaces the old one, so that no verification runs in
        // between.
        let mut gate = self.gate.lock().await;
        let core = &service.core;
        let before = self.ticket(core, core.now()).ok();
        let opened = core
            .create(&sign_in, before.as_ref(), origin, &self.stale(core))
            .await?;
        if let Some(before) = before {
            service.cache.forget(&before.fingerprint).await;
        }
        forget_first(first, core);
        *gate = None;
        *self.presented() = Presented::Read(Ok(opened.ticket.clone()));
        Ok(opened)
    }

    async fn sign_out(&self, first: &First, origin: &Origin) -> Result<Vec<HeaderValue>> {
        let service = self.service()?;
        let mut gate = self.gate.lock().await;
        self.end(first, service, origin).await?;
        *gate = None;
        *self.presented() = Presented::Read(Err(Refusal::Missing));
        let core = &service.core;
        core.cookie.removal(&self.stale(core))
    }

    async fn rotate(&self, first: &First, rotation: Rotation, origin: &Origin) -> Result<Opened> {
        let service = self.service()?;
        let core = &service.core;
        match &rotation {
            Rotation::Privilege => self.verify(first, || origin.clone()).await.map(|_| ())?,
            // `verify` would refuse a session with a pending step-up, whose proof this is.
            Rotation::StepUp { .. } => self.prover(origin).await.map(|_| ())?,
        }
        let mut gate = self.gate.lock().await;
        let (old, record) = self.living(core).await?;
        let stale = self.stale(core);
        let opened = core.rotate(&record, rotation, origin, &stale).await?;
        service.cache.forget(&old.fingerprint).await;
        *gate = None;
        *self.presented() = Presented::Read(Ok(opened.ticket.clone()));
        Ok(opened)
    }

    async fn prover(&self, origin: &Origin) -> Result<Subject> {
        let service = self.service()?;
        let core = &service.core;
        let answer = match self.ticket(core, core.now()) {
            Err(refusal) => Verification::refused(refusal),
            Ok(ticket) => {
                let answer = service.current(&ticket, self.counts).await?;
                // A pending step-up is ignored: this is how its subject is found.
                let (answer, _) = self.heard(answer, service, || origin.clone()).await?;
                answer
            }
        };
        self.report(&answer, core, || origin.clone()).await;
        let verified = answer.into_result()?;
        Ok(verified.loaded().subject.clone())
    }

    async fn extend(&self, first: &First, origin: &Origin) -> Result<Extended> {
        let service = self.service()?;
        let core = &service.core;
        let (_, record) = self.admitted(core, first, origin).await?;
        let record = self.refreshed(service, record)?;
        let extended = core.extend(&record, origin, &self.stale(core)).await?;
        if let Some(opened) = &extended.opened {
            *self.presented() = Presented::Read(Ok(opened.ticket.clone()));
        }
        Ok(extended)
    }

    async fn revoke_others(&self, origin: &Origin) -> Result<Others> {
        let service = self.service()?;
        let core = &service.core;
        let mut gate = self.gate.lock().await;
        let (old, record) = self.living(core).await?;
        if !core.is_stateless() {
            let keep = Some(record.id);
            let ended = core.revoke_all(&record.subject, keep, origin).await?;
            return Ok(Others {
                ended,
                opened: None,
            });
        }
        let opened = core.outlive(&record, origin, &self.stale(core)).await?;
        service.cache.forget(&old.fingerprint).await;
        *gate = None;
        *self.presented() = Presented::Read(Ok(opened.ticket.clone()));
        Ok(Others {
            ended: 0,
            opened: Some(opened),
        })
    }

    fn leftovers(&self, first: &First) -> Vec<HeaderValue> {
        self.cookies_left(first)
    }

    async fn record(&self, first: &First, origin: &Origin) -> Result<SessionRecord> {
        let core = &self.service()?.core;
        let (_, session) = self.admitted(core, first, origin).await?;
        Ok(session.record)
    }

    fn core(&self) -> Result<&SessionManager> {
        Ok(&self.service()?.core)
    }

    fn named(&self) -> Result<Ticket> {
        let core = self.core()?;
        self.ticket(core, core.now())
            .map_err(Error::unauthenticated)
    }

    async fn found(&self, first: &First, origin: &Origin) -> Result<Arc<LoadedSession>> {
        let verified = self.verify(first, || origin.clone()).await?;
        Ok(Arc::clone(verified.loaded()))
    }

    fn is_recent(&self, loaded: &LoadedSession) -> bool {
        let service = self.service.as_ref();
        service.is_none_or(|service| service.is_recent(loaded, service.core.now()))
    }

    fn fork(&self) -> Box<dyn ErasedRequestSession> {
        let presented = match &*self.presented() {
            Presented::Unread => Presented::Unread,
            Presented::Read(read) => Presented::Read(read.clone()),
        };
        let cookies = self.cookies.clone();
        Box::new(Self::of(
            self.service.clone(),
            cookies,
            self.counts,
            presented,
        ))
    }

    fn renew(&self, first: &First) {
        if let (Some(service), Some(loaded)) = (&self.service, first.loaded())
            && !first.is_outdated()
            && !service.is_recent(loaded, service.core.now())
        {
            first.outdate();
        }
    }

    fn now(&self) -> Option<DateTime<Utc>> {
        self.service.as_ref().map(|service| service.core.now())
    }

    fn database(&self) -> Option<DatabaseId> {
        self.service.as_ref()?.core.database
    }

    fn cursors(&self) -> Option<&CursorSealer> {
        Some(&self.service.as_ref()?.core.cursors)
    }

    fn epochs(&self) -> Option<&Arc<Epochs>> {
        Some(&self.service.as_ref()?.core.epochs)
    }
}
