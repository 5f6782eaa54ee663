//! Verification of credentials: cache, store and viewer source combined.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::cache::{Cache, Cached, Refused, Verification};
use super::event::SignInRefusal;
use super::groups::Groups;
use super::hooks::{RequestOrigin, SessionHooks};
use super::known_session::KnownSession;
use super::level::{LoadNumber, LoadedSession, Verified};
use super::lifecycle::SessionManager;
use super::origin::Origin;
use super::sign_in::SignIn;
use super::store::SessionRecord;
use super::ticket::Ticket;
use super::viewer_source::ViewerSource;
use super::with_viewer::WithViewer;
use crate::error::{Error, Refusal, Result};
use crate::events;
use crate::scope::outside_of_requests;
use crate::token::SessionClaims;
use crate::viewer::{Subject, Viewer};

/// The maximum number of loads that a revocation may overtake, before the store is queried alone (decision
/// 58).
const ATTEMPTS: usize = 2;

pub(crate) struct Verifier<V> {
    pub(crate) core: SessionManager,
    pub(crate) source: Arc<dyn ViewerSource<V>>,
    pub(crate) with_viewer: Option<Arc<dyn WithViewer<V>>>,
    pub(crate) hooks: Option<Arc<dyn SessionHooks<V>>>,
    pub(crate) cache: Cache<V>,
}

impl<V: Viewer> Verifier<V> {
    /// Verifies a credential at `now`, from the cache within its bound.
    pub(crate) async fn verify(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
        counts: bool,
    ) -> Result<Verification<V>> {
        // Boxed, so that the future stays small for a verification that hits the cache.
        if self.cache.is_off() {
            return Box::pin(self.current(ticket, counts)).await;
        }
        let found = self.cache.get(&ticket.fingerprint).await;
        match found {
            Some(cached) if self.is_fresh(&cached, now) => Ok(cached.answer),
            found => Box::pin(self.verify_again(ticket, found, counts)).await,
        }
    }

    /// Returns what is known of a cookie at `now`, which then need not be opened: it was opened when its answer
    /// was cached. Its own end is compared again, as the age, the limits and the epochs of the answer are.
    pub(crate) async fn known(&self, cookie: &[u8], now: DateTime<Utc>) -> Option<Cached<V>> {
        if self.cache.is_off() {
            return None;
        }
        let fingerprint = self.core.tickets.fingerprint(cookie);
        let cached = self.cache.get(&fingerprint).await?;
        let lives = cached.ticket.credential.expires_at > now.timestamp();
        (lives && self.is_fresh(&cached, now)).then_some(cached)
    }

    async fn verify_again(
        &self,
        ticket: &Ticket,
        found: Option<Cached<V>>,
        counts: bool,
    ) -> Result<Verification<V>> {
        let fingerprint = ticket.fingerprint;
        let mut stale = found;
        for _ in 0..ATTEMPTS {
            if let Some(stale) = &stale {
                self.cache.discard(fingerprint, stale).await;
            }
            let cached = self
                .cache
                .get_or_load(fingerprint, self.load(ticket, counts))
                .await?;
            // The clock is read only now: another request may have loaded since this one began.
            if self.is_fresh(&cached, self.core.now()) {
                return Ok(cached.answer);
            }
            stale = Some(cached);
        }
        self.ask_alone(ticket, counts).await
    }

    /// Applies the sign-in hook: returns the sign-in as the application wants it, or refuses it.
    pub(crate) async fn admitted(&self, sign_in: &SignIn, origin: &Origin) -> Result<SignIn> {
        match &self.hooks {
            Some(hooks) => {
                let from = RequestOrigin::new(origin.clone());
                let admitted = outside_of_requests(hooks.on_sign_in(sign_in.clone(), &from));
                let admitted = admitted.await.map_err(|error| match error.downcast() {
                    // An error of the library itself in the hook, about a claim's name for instance.
                    Ok(error) => *error,
                    // The text is the application's and may hold anything.
                    Err(_) => {
                        events::hook_failed("on_sign_in");
                        Error::unavailable("the sign-in")
                    }
                })?;
                match admitted {
                    Some(admitted) => Ok(admitted),
                    None => {
                        let (why, subject) = (SignInRefusal::Hook, sign_in.subject());
                        Err(self.core.refuse_sign_in(why, subject, origin).await)
                    }
                }
            }
            None => Ok(sign_in.clone()),
        }
    }

    /// Queries the store and the viewer source in this very call.
    pub(crate) async fn current(&self, ticket: &Ticket, counts: bool) -> Result<Verification<V>> {
        for _ in 0..ATTEMPTS {
            let loaded = self.load(ticket, counts).await?;
            if loaded.answer.holds() {
                return Ok(loaded.answer);
            }
        }
        self.ask_alone(ticket, counts).await
    }

    /// Queries the store for this session in this very call, however many revocations of other sessions
    /// overtake it.
    ///
    /// INVARIANT (alone): the result is returned to its caller only, and not cached. The store was queried
    /// after the call began, so that a session that had ended by then is not returned. Its epoch may not hold
    /// any more, and then the next call queries again (decision 58).
    async fn ask_alone(&self, ticket: &Ticket, counts: bool) -> Result<Verification<V>> {
        let loaded = self.load(ticket, counts).await?;
        Ok(loaded.answer)
    }

    /// Returns whether a request may continue with a viewer that it found, however it found it.
    pub(crate) fn is_recent(&self, loaded: &LoadedSession, now: DateTime<Utc>) -> bool {
        // With a bound of zero a request would otherwise query the store after each wait (decision 42).
        const LEAST: i64 = 1_000_000;
        let age = now
            .signed_duration_since(loaded.asked_at)
            .num_microseconds();
        let bound = self.core.bound_at(now, loaded.asked_at.timestamp_micros());
        age.is_some_and(|age| (0..bound.max(LEAST)).contains(&age))
            && loaded.idle_expires_at > now
            && loaded.expires_at > now
    }

    fn is_fresh(&self, cached: &Cached<V>, now: DateTime<Utc>) -> bool {
        if !cached.answer.holds() {
            return false;
        }
        let age = now.timestamp_micros() - cached.asked_at;
        // A clock that was set back makes everything stale rather than fresh for longer.
        let young = (0..self.core.bound_at(now, cached.asked_at)).contains(&age);
        young
            && match &cached.answer {
                Verification::Live(verified) => {
                    let loaded = verified.loaded();
                    loaded.idle_expires_at > now && loaded.expires_at > now
                }
                Verification::Refused(_) => true,
            }
    }

    /// Loads a session and its viewer from the store and the viewer source. `counts` says whether this is a
    /// use of the session, which restarts its idle timeout.
    async fn load(&self, ticket: &Ticket, counts: bool) -> Result<Cached<V>> {
        let core = &self.core;
        // INVARIANT (epoch): read before the store.
        let epoch = core.epochs.now();
        let asked_at = core.now();
        let refused = |refusal, since, dead| {
            let refused = Refused {
                refusal,
                since,
                dead,
            };
            Ok(Cached {
                ticket: ticket.clone(),
                answer: Verification::Refused(refused),
                asked_at: asked_at.timestamp_micros(),
            })
        };

        let (session, viewer) = self.stored(ticket, asked_at).await?;
        let Some(session) = session else {
            // A response that removes the cookie could overtake the one that sets its successor's.
            let dead = core.may_go_on(ticket, asked_at).await.is_ok_and(|may| !may);
            return refused(Refusal::Unknown, None, dead);
        };
        let token = core.token_guard(&session).map(Box::new);
        let mut record = session.record;
        let shard = core.epochs.shard(&record.subject);
        let since = Some((shard.clone(), epoch));
        if !core.lives(&record, asked_at) {
            return refused(Refusal::Expired, since, true);
        }
        let touches = counts && ticket.token.is_none();
        if touches && !self.touch(&mut record, asked_at).await? {
            return refused(Refusal::Unknown, since, false);
        }
        let claims = SessionClaims::from_json(&record.claims)?;
        let viewer = match viewer {
            Some(viewer) => Some(viewer),
            None => self.load_viewer(&record.subject, &claims).await?,
        };
        let Some(viewer) = viewer else {
            return refused(Refusal::NoViewer, since, false);
        };
        // With another subject, a session would act for somebody who did not sign in.
        if viewer.subject() != record.subject {
            return Err(Error::internal(
                "the viewer source returned a viewer with another subject than the requested one",
            ));
        }
        Ok(Cached {
            ticket: ticket.clone(),
            answer: Verification::Live(Verified::new(viewer, |viewer| LoadedSession {
                viewer,
                id: record.id,
                secret_hash: record.secret_hash,
                subject: record.subject,
                groups: Groups::from_claims(&claims, &core.settings.groups_claim),
                claims,
                created_at: record.created_at,
                authenticated_at: record.authenticated_at,
                assurance: record.assurance,
                idle_expires_at: record.idle_expires_at,
                expires_at: record.expires_at,
                persistent: record.persistent,
                shard,
                epoch,
                number: LoadNumber::next(),
                asked_at,
                token,
            })),
            asked_at: asked_at.timestamp_micros(),
        })
    }

    /// Returns the session of a ticket, if there is one, and its viewer if the store's statement returns it
    /// too.
    async fn stored(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<(Option<KnownSession>, Option<V>)> {
        if let (Some(with_viewer), None) = (&self.with_viewer, &ticket.token) {
            let found = outside_of_requests(with_viewer.find(ticket.credential.id, now)).await;
            if let Some((record, viewer)) = self.core.answer("load", found)? {
                let is_theirs = ticket.is_of(&record);
                return Ok(if is_theirs {
                    (Some(KnownSession::stored(record)), Some(viewer))
                } else {
                    (None, None)
                });
            }
        }
        Ok((self.core.stored(ticket, now).await?, None))
    }

    /// Writes the use of a session, at most once per touch interval; returns whether the session still
    /// exists. A failed write refuses nobody: the session was just read.
    async fn touch(&self, record: &mut SessionRecord, now: DateTime<Utc>) -> Result<bool> {
        let core = &self.core;
        if now.signed_duration_since(record.last_seen_at) < core.settings.touch {
            return Ok(true);
        }
        let touched = core.used(record, now);
        match core.store.touch(&touched).await {
            Ok(there) => {
                *record = touched;
                if there {
                    core.touched(record).await;
                }
                Ok(there)
            }
            Err(error) => {
                events::session_store_failed("touch", error);
                Ok(true)
            }
        }
    }

    async fn load_viewer(&self, subject: &Subject, claims: &SessionClaims) -> Result<Option<V>> {
        // Concurrent requests may share this load, and its viewer is not yet known to any.
        let viewer = outside_of_requests(self.source.load_with(subject, claims));
        viewer.await.map_err(|_error| {
            // The text is the application's and may hold anything.
            events::viewer_source_failed(std::any::type_name::<V>());
            Error::unavailable("the viewer source")
        })
    }
}
