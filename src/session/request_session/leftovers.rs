//! The cookies that a response sets on its own: re-issued and removed ones.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderValue;

use super::RequestSession;
use crate::error::Result;
use crate::session::known_session::KnownSession;
use crate::session::level::{First, LoadedSession};
use crate::session::lifecycle::{Opened, SessionManager};
use crate::session::store::SessionRecord;
use crate::session::ticket::Strategy;
use crate::session::verifier::Verifier;
use crate::token::SessionClaims;
use crate::viewer::Viewer;

impl<V: Viewer> RequestSession<V> {
    /// Returns the cookies to re-issue for the request's session, or to remove.
    pub(super) fn cookies_left(&self, first: &First) -> Vec<HeaderValue> {
        let Some(service) = &self.service else {
            return Vec::new();
        };
        let core = &service.core;
        if self.ended.load(Ordering::Acquire) {
            return core.cookie.removal(&self.stale(core)).unwrap_or_default();
        }
        // A re-issued cookie must not outlive the verified session, so one that no longer holds gets none.
        let current = self.current.get().map(Arc::as_ref);
        let mut found = first.loaded().into_iter().chain(current);
        let Some(found) = found.find(|loaded| loaded.holds()) else {
            return Vec::new();
        };
        let made_anew = match core.tickets.strategy() {
            Strategy::Database => None,
            Strategy::Hybrid => self.sealed_anew(core, found),
            Strategy::Stateless => {
                let ticket = self.ticket(core, core.now()).ok();
                let token = ticket.and_then(|ticket| ticket.token);
                token
                    .and_then(|token| self.slid(service, &token))
                    .map(|opened| opened.set_cookies)
            }
        };
        made_anew.unwrap_or_default()
    }

    /// Re-issues a token that is older than a touch interval. A failure refuses nobody: the old token is
    /// still valid.
    fn slid(&self, service: &Verifier<V>, token: &KnownSession) -> Option<Opened> {
        let core = &service.core;
        let now = core.now();
        if now.signed_duration_since(token.last_seen_at) < core.settings.touch {
            return None;
        }
        let session = self.refreshed(service, token.clone()).ok()?;
        let used = session.with(core.used(&session, now));
        core.reseal(used, &self.stale(core)).ok()?
    }

    /// Re-issues the cookie of a sealed session, if a retired key sealed it or its end differs from the
    /// session's by the current settings. Its secret stays, and other clients with the same cookie stay
    /// signed in.
    fn sealed_anew(
        &self,
        core: &SessionManager,
        found: &LoadedSession,
    ) -> Option<Vec<HeaderValue>> {
        let ticket = self.ticket(core, core.now()).ok()?;
        let end = core.shown_end(found)?;
        if ticket.credential.id != found.id
            || (!ticket.retired && ticket.credential.expires_at == end.timestamp())
        {
            return None;
        }
        let text = self.cookies.find(core.cookie.name()).ok()?;
        core.seal_anew(&text, end, found.persistent, &self.stale(core))
    }

    /// Applies the refresh hook: returns the record of a stateless session with the claims that the
    /// application wants from now on.
    pub(super) fn refreshed(
        &self,
        service: &Verifier<V>,
        session: KnownSession,
    ) -> Result<KnownSession> {
        let Some(hooks) = service
            .hooks
            .as_ref()
            .filter(|_| service.core.is_stateless())
        else {
            return Ok(session);
        };
        let claims = hooks.on_refresh(SessionClaims::from_json(&session.claims)?);
        Ok(session.with(SessionRecord {
            claims: claims.to_json()?,
            ..session.record.clone()
        }))
    }
}
