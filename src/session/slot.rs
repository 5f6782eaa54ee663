//! A request's own cell: its credential, and what was found out about it.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::HeaderValue;

use super::cache::Answer;
use super::cookie::CookieHeaders;
use super::cursor::CursorSealer;
use super::epoch::Epochs;
use super::level::{Current, First, Optimistic, Verified};
use super::service::{Core, Service};
use super::store::SessionId;
use super::token::Credential;
use crate::audit;
use crate::error::{Error, Refusal, Result};
use crate::sql::DatabaseId;
use crate::viewer::{Subject, Viewer};

/// What a request can do with its session without knowing the viewer's type.
#[async_trait]
pub(crate) trait ErasedSlot: Any + Send + Sync {
    fn optimistic(&self) -> Result<Optimistic>;
    async fn sign_in(&self, first: &First, subject: &Subject) -> Result<(SessionId, HeaderValue)>;
    async fn sign_out(&self, first: &First) -> Result<HeaderValue>;
    fn now(&self) -> Option<DateTime<Utc>>;
    fn database(&self) -> Option<DatabaseId>;
    /// What seals the cursors of pages; none where there are no sessions.
    fn cursors(&self) -> Option<&CursorSealer> {
        None
    }
    /// By what a viewer is found out to have changed; none where there are no sessions.
    fn epochs(&self) -> Option<&Arc<Epochs>> {
        None
    }
    /// Refuses a request for another viewer type than this one's.
    fn other_viewer(&self) -> Error {
        Error::misuse(
            "this request's sessions have another viewer type: ask for the type that the layer's `Sessions` was built with",
        )
    }
}

/// The slot of a request that came through sessions of `V`, or that has a given viewer.
pub(crate) struct Slot<V> {
    /// Absent when the viewer is given, in tests.
    service: Option<Arc<Service<V>>>,
    /// The last answer; whoever finds it out holds the gate, so that one does and the rest wait.
    /// The gate opens when its holder panics or is dropped, and the next waiter takes over.
    gate: tokio::sync::Mutex<Option<Answer<V>>>,
    credential: Mutex<Presented>,
    reported: AtomicBool,
}

enum Presented {
    Unread(CookieHeaders),
    Read(std::result::Result<Credential, Refusal>),
}

impl<V: Viewer> Slot<V> {
    pub(crate) fn new(service: Arc<Service<V>>, cookies: CookieHeaders) -> Self {
        Self {
            service: Some(service),
            gate: tokio::sync::Mutex::new(None),
            credential: Mutex::new(Presented::Unread(cookies)),
            reported: AtomicBool::new(false),
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn fixed() -> Self {
        Self {
            service: None,
            gate: tokio::sync::Mutex::new(None),
            credential: Mutex::new(Presented::Read(Err(Refusal::Missing))),
            reported: AtomicBool::new(false),
        }
    }

    pub(crate) async fn verify(&self, first: &First) -> Result<Verified<V>> {
        let service = self.service()?;
        let mut gate = self.gate.lock().await;
        if let Some(verified) = first.ready() {
            return Ok(verified);
        }
        if let Some(answer) = gate.as_ref().filter(|answer| answer.holds()) {
            return answer.clone().into_result();
        }
        let now = service.core.now();
        let answer = match self.credential(&service.core, now) {
            Err(refusal) => Answer::refused(refusal),
            Ok(credential) => service.verify(&credential, now).await?,
        };
        self.report(&answer);
        if let Answer::Live(verified) = &answer {
            first.set(verified);
        }
        *gate = Some(answer.clone());
        answer.into_result()
    }

    pub(crate) async fn current(&self, first: &First) -> Result<Current<V>> {
        let Some(service) = &self.service else {
            return first
                .ready()
                .map(Current)
                .ok_or_else(|| Error::unauthenticated(Refusal::Missing));
        };
        let credential = match self.credential(&service.core, service.core.now()) {
            Ok(credential) => credential,
            Err(refusal) => {
                let answer = Answer::<V>::refused(refusal);
                self.report(&answer);
                return answer.into_result().map(Current);
            }
        };
        let answer = service.current(&credential).await?;
        self.report(&answer);
        if let Answer::Refused(_) = answer {
            // The cache and this request's own cell may still believe in it.
            service.cache.forget(&credential.fingerprint()).await;
            forget_first(first, &service.core);
        }
        answer.into_result().map(Current)
    }

    fn service(&self) -> Result<&Service<V>> {
        self.service.as_deref().ok_or_else(|| {
            Error::misuse(
                "a context with a given viewer has no sessions: build one from `Sessions` to sign in or out",
            )
        })
    }

    /// The credential that the request came with, or signed in with.
    fn credential(
        &self,
        core: &Core,
        now: DateTime<Utc>,
    ) -> std::result::Result<Credential, Refusal> {
        let mut presented = self.presented();
        if let Presented::Unread(cookies) = &*presented {
            let read = read(cookies, core);
            *presented = Presented::Read(read);
        }
        match &*presented {
            Presented::Read(read) => *read,
            Presented::Unread(_) => Err(Refusal::Missing),
        }
        .and_then(|credential| {
            if credential.expires_at > now.timestamp() {
                Ok(credential)
            } else {
                Err(Refusal::Expired)
            }
        })
    }

    fn presented(&self) -> MutexGuard<'_, Presented> {
        self.credential
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// One event for each request with a refused credential, however often it asks.
    fn report(&self, answer: &Answer<V>) {
        if let Answer::Refused(refused) = answer
            && refused.refusal != Refusal::Missing
            && !self.reported.swap(true, Ordering::Relaxed)
        {
            audit::credential_refused(refused.refusal);
        }
    }

    /// Ends the session that the request came with. A cookie that does not open ends nothing: it
    /// may name anybody's session.
    async fn end(&self, first: &First, service: &Service<V>) -> Result<()> {
        if let Ok(credential) = self.credential(&service.core, service.core.now()) {
            service.core.end(&credential).await?;
            service.cache.forget(&credential.fingerprint()).await;
        }
        forget_first(first, &service.core);
        Ok(())
    }
}

/// Makes what this request found stale, in this request and in the cache.
fn forget_first(first: &First, core: &Core) {
    if let Some(loaded) = first.loaded() {
        core.epochs.advance(&loaded.shard);
    }
}

fn read(cookies: &CookieHeaders, core: &Core) -> std::result::Result<Credential, Refusal> {
    let value = cookies.find(core.cookie.name())?;
    core.sealer.open(value).ok_or(Refusal::Invalid)
}

#[async_trait]
impl<V: Viewer> ErasedSlot for Slot<V> {
    fn optimistic(&self) -> Result<Optimistic> {
        let core = &self.service()?.core;
        let credential = self.credential(core, core.now()).map_err(|refusal| {
            self.report(&Answer::refused(refusal));
            Error::unauthenticated(refusal)
        })?;
        let expires_at = DateTime::from_timestamp(credential.expires_at, 0)
            .ok_or_else(|| Error::unauthenticated(Refusal::Invalid))?;
        Ok(Optimistic { expires_at })
    }

    async fn sign_in(&self, first: &First, subject: &Subject) -> Result<(SessionId, HeaderValue)> {
        let service = self.service()?;
        // Nobody finds out about the old session while the new one takes its place.
        let mut gate = self.gate.lock().await;
        self.end(first, service).await?;
        *gate = None;
        *self.presented() = Presented::Read(Err(Refusal::Missing));
        let opened = service.core.create(subject).await?;
        let id = opened.credential.id;
        *self.presented() = Presented::Read(Ok(opened.credential));
        Ok((id, opened.set_cookie))
    }

    async fn sign_out(&self, first: &First) -> Result<HeaderValue> {
        let service = self.service()?;
        let mut gate = self.gate.lock().await;
        self.end(first, service).await?;
        *gate = None;
        *self.presented() = Presented::Read(Err(Refusal::Missing));
        service.core.cookie.removal()
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

/// The slot of a request that has nobody, in tests.
#[cfg(feature = "testing")]
pub(crate) struct Nobody;

#[cfg(feature = "testing")]
impl Nobody {
    fn refused<T>() -> Result<T> {
        Err(Error::unauthenticated(Refusal::Missing))
    }
}

#[cfg(feature = "testing")]
#[async_trait]
impl ErasedSlot for Nobody {
    fn optimistic(&self) -> Result<Optimistic> {
        Self::refused()
    }

    async fn sign_in(&self, _: &First, _: &Subject) -> Result<(SessionId, HeaderValue)> {
        Err(Error::misuse(
            "a context with nobody has no sessions: build one from `Sessions` to sign in",
        ))
    }

    async fn sign_out(&self, _: &First) -> Result<HeaderValue> {
        Err(Error::misuse(
            "a context with nobody has no sessions: build one from `Sessions` to sign out",
        ))
    }

    fn now(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn database(&self) -> Option<DatabaseId> {
        None
    }

    fn other_viewer(&self) -> Error {
        Error::unauthenticated(Refusal::Missing)
    }
}
