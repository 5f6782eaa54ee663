//! The work on sessions: store, cache and viewer source put together.

use std::sync::Arc;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use http::HeaderValue;

use super::cache::{Answer, Cache, Cached, Refused};
use super::config::Limits;
use super::cookie::Cookie;
use super::cursor::CursorSealer;
use super::epoch::Epochs;
use super::level::{LoadNumber, Loaded, Verified};
use super::nodes::Nodes;
use super::store::{
    Assurance, Created, SessionId, SessionRecord, SessionStore, StoreError, StoreErrorKind,
};
use super::token::{Credential, Sealer};
use crate::audit;
use crate::clock::Clock;
use crate::error::{Error, Refusal, Result};
use crate::request::outside_of_requests;
use crate::sql::DatabaseId;
use crate::viewer::{Subject, Viewer, ViewerSource};

/// How often a load is repeated because a revocation came in between, and how often a new id is
/// drawn because it is taken.
const ATTEMPTS: usize = 8;

/// What sessions are, whatever the viewer type.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn SessionStore>,
    /// The database of which `store` is a table.
    pub(crate) database: Option<DatabaseId>,
    pub(crate) sealer: Sealer,
    pub(crate) cursors: CursorSealer,
    pub(crate) cookie: Cookie,
    pub(crate) limits: Limits,
    pub(crate) capacity: u64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) nodes: Option<Arc<Nodes>>,
}

pub(crate) struct Service<V> {
    pub(crate) core: Core,
    pub(crate) source: Arc<dyn ViewerSource<V>>,
    pub(crate) cache: Cache<V>,
}

/// A session that was just created, and the one cookie that leads to it.
pub(crate) struct Opened {
    pub(crate) credential: Credential,
    pub(crate) set_cookie: HeaderValue,
}

impl Core {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// How old a cached answer may be at `now`, in microseconds.
    pub(crate) fn bound_at(&self, now: DateTime<Utc>) -> i64 {
        match &self.nodes {
            Some(nodes) => nodes.bound_at(now),
            None => self.limits.bound.num_microseconds().unwrap_or_default(),
        }
    }

    /// Stores a new session under a new id and secret.
    pub(crate) async fn create(&self, subject: &Subject) -> Result<Opened> {
        if subject.as_str().is_empty() {
            return Err(Error::misuse(
                "an empty subject cannot sign in: pass the id of the user who was authenticated",
            ));
        }
        let now = self.now();
        // Whole seconds, so that the cookie and the store agree on the end.
        let expires_at = later(now, self.limits.absolute)?
            .duration_trunc(TimeDelta::seconds(1))
            .map_err(|_| out_of_range())?;
        for _ in 0..ATTEMPTS {
            let (credential, secret) = Credential::generate(expires_at.timestamp())?;
            let value = self.sealer.seal(&credential, &secret)?;
            let set_cookie = self
                .cookie
                .set(&value, now.timestamp(), credential.expires_at)?;
            let record = SessionRecord {
                id: credential.id,
                secret_hash: credential.secret_hash,
                subject: subject.clone(),
                created_at: now,
                authenticated_at: now,
                assurance: Assurance::Aal1,
                last_seen_at: now,
                idle_expires_at: later(now, self.limits.idle)?.min(expires_at),
                expires_at,
                persistent: true,
                address: None,
                agent: None,
                claims: "{}".to_owned(),
            };
            match self.answer("create", self.store.create(&record, None).await)? {
                Created::Stored(_) => {
                    audit::session_created(record.id);
                    return Ok(Opened {
                        credential,
                        set_cookie,
                    });
                }
                Created::IdTaken | Created::LimitReached => {}
            }
        }
        Err(Error::internal(
            "the session store gives no free session id",
        ))
    }

    pub(crate) async fn revoke(&self, id: SessionId, subject: &Subject) -> Result<bool> {
        let _advance = self.epochs.advance_on_drop(subject);
        let ended = self.answer("delete", self.store.delete(id, subject).await)?;
        if ended {
            audit::session_revoked(id);
        }
        Ok(ended)
    }

    pub(crate) async fn revoke_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64> {
        let _advance = self.epochs.advance_on_drop(subject);
        let ended = self.answer("delete", self.store.delete_all(subject, keep).await)?;
        audit::sessions_revoked(ended);
        Ok(ended)
    }

    /// Ends the session of a credential, if there still is one.
    pub(crate) async fn end(&self, credential: &Credential) -> Result<()> {
        let loaded = self.store.load(credential.id, self.now()).await;
        match self.answer("load", loaded)? {
            Some(record) if record.secret_hash == credential.secret_hash => self
                .revoke(record.id, &record.subject)
                .await
                .map(|_ended| ()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn list(&self, subject: &Subject) -> Result<Vec<SessionRecord>> {
        self.answer("list", self.store.list(subject, self.now()).await)
    }

    pub(crate) async fn sweep(&self) -> Result<u64> {
        self.answer("sweep", self.store.sweep(self.now()).await)
    }

    fn answer<T>(&self, step: &'static str, answer: Result<T, StoreError>) -> Result<T> {
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
    fn lives(&self, record: &SessionRecord, now: DateTime<Utc>) -> bool {
        record.idle_expires_at > now
            && record.expires_at > now
            && now.signed_duration_since(record.last_seen_at) < self.limits.idle
            && now.signed_duration_since(record.created_at) < self.limits.absolute
    }
}

impl<V: Viewer> Service<V> {
    /// What is known of a credential at `now`, within the bound.
    pub(crate) async fn verify(
        &self,
        credential: &Credential,
        now: DateTime<Utc>,
    ) -> Result<Answer<V>> {
        let fingerprint = credential.fingerprint();
        let found = self.cache.get(&fingerprint).await;
        match found {
            Some(cached) if self.is_fresh(&cached, now) => Ok(cached.answer),
            // On the heap, so that a verification that finds its answer is a small future.
            found => Box::pin(self.verify_again(credential, found)).await,
        }
    }

    async fn verify_again(
        &self,
        credential: &Credential,
        found: Option<Cached<V>>,
    ) -> Result<Answer<V>> {
        if self.cache.is_off() {
            return self.current(credential).await;
        }
        let fingerprint = credential.fingerprint();
        let mut stale = found;
        for _ in 0..ATTEMPTS {
            if let Some(stale) = &stale {
                self.cache.discard(fingerprint, stale).await;
            }
            let cached = self
                .cache
                .get_or_load(fingerprint, self.load(credential))
                .await?;
            // Read only now: another request may have loaded since this one began.
            if self.is_fresh(&cached, self.core.now()) {
                return Ok(cached.answer);
            }
            stale = Some(cached);
        }
        Err(self.unsettled())
    }

    /// What the store and the viewer source say in this very call.
    pub(crate) async fn current(&self, credential: &Credential) -> Result<Answer<V>> {
        for _ in 0..ATTEMPTS {
            let loaded = self.load(credential).await?;
            if loaded.answer.holds() {
                return Ok(loaded.answer);
            }
        }
        Err(self.unsettled())
    }

    /// Revocations came faster than loads: nothing can be said that still holds.
    fn unsettled(&self) -> Error {
        audit::session_store_failed("load", StoreError::outage());
        Error::unavailable("the session store")
    }

    fn is_fresh(&self, cached: &Cached<V>, now: DateTime<Utc>) -> bool {
        if !cached.answer.holds() {
            return false;
        }
        let age = now.timestamp_micros() - cached.asked_at;
        // A clock that was set back makes everything stale rather than fresh for longer.
        let young = (0..self.core.bound_at(now)).contains(&age);
        young
            && match &cached.answer {
                Answer::Live(verified) => {
                    let loaded = verified.loaded();
                    loaded.idle_expires_at > now && loaded.expires_at > now
                }
                Answer::Refused(_) => true,
            }
    }

    async fn load(&self, credential: &Credential) -> Result<Cached<V>> {
        let core = &self.core;
        // INVARIANT (epoch): read before the store.
        let epoch = core.epochs.now();
        let asked_at = core.now();
        let refused = |refusal, since| {
            Ok(Cached {
                answer: Answer::Refused(Refused { refusal, since }),
                asked_at: asked_at.timestamp_micros(),
            })
        };

        let stored = core.store.load(credential.id, asked_at).await;
        let Some(mut record) = core.answer("load", stored)? else {
            return refused(Refusal::Unknown, None);
        };
        if record.id != credential.id || record.secret_hash != credential.secret_hash {
            return refused(Refusal::Unknown, None);
        }
        let shard = core.epochs.shard(&record.subject);
        let since = Some((shard.clone(), epoch));
        if !core.lives(&record, asked_at) {
            return refused(Refusal::Expired, since);
        }
        if !self.touch(&mut record, asked_at).await? {
            return refused(Refusal::Unknown, since);
        }
        let Some(viewer) = self.load_viewer(&record.subject).await? else {
            return refused(Refusal::NoViewer, since);
        };
        Ok(Cached {
            answer: Answer::Live(Verified::new(viewer, |viewer| Loaded {
                viewer,
                id: record.id,
                secret_hash: record.secret_hash,
                subject: record.subject,
                created_at: record.created_at,
                idle_expires_at: record.idle_expires_at,
                expires_at: record.expires_at,
                shard,
                epoch,
                number: LoadNumber::next(),
            })),
            asked_at: asked_at.timestamp_micros(),
        })
    }

    /// Notes that the session was used, now and then; tells whether it is still there. That the
    /// note cannot be written is no reason to refuse somebody whose session was just read.
    async fn touch(&self, record: &mut SessionRecord, now: DateTime<Utc>) -> Result<bool> {
        let core = &self.core;
        if now.signed_duration_since(record.last_seen_at) < core.limits.touch {
            return Ok(true);
        }
        let touched = SessionRecord {
            last_seen_at: now,
            idle_expires_at: later(now, core.limits.idle)?.min(record.expires_at),
            ..record.clone()
        };
        match core.store.touch(&touched).await {
            Ok(there) => {
                *record = touched;
                Ok(there)
            }
            Err(error) => {
                audit::session_store_failed("touch", error);
                Ok(true)
            }
        }
    }

    async fn load_viewer(&self, subject: &Subject) -> Result<Option<V>> {
        // Several requests may share this load, and its viewer is not yet known to any.
        let viewer = outside_of_requests(self.source.load(subject));
        let viewer = viewer.await.map_err(|_error| {
            // The text is the application's and may hold anything.
            audit::viewer_source_failed(std::any::type_name::<V>());
            Error::unavailable("the viewer source")
        })?;
        match viewer {
            // Were it another one, a session would act for somebody who did not sign in.
            Some(viewer) if viewer.subject() != *subject => Err(Error::internal(
                "the viewer source gave a viewer whose subject is not the one asked for",
            )),
            viewer => Ok(viewer),
        }
    }
}

fn later(instant: DateTime<Utc>, delta: TimeDelta) -> Result<DateTime<Utc>> {
    instant.checked_add_signed(delta).ok_or_else(out_of_range)
}

fn out_of_range() -> Error {
    Error::internal("the clock is out of range")
}
