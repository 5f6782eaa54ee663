//! Inspection of a session cookie without a store.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use super::cookie::CookieHeaders;
use super::groups::{GroupRule, Groups};
use super::ticket::{Strategy, Ticket};
use super::tickets::Tickets;
use crate::clock::Clock;
use crate::token::SessionClaims;

/// An inspector of session cookies. It has no store, so it cannot query one.
pub(crate) struct CookieInspector {
    pub(super) tickets: Arc<Tickets>,
    pub(super) cookie: Arc<str>,
    pub(super) groups_claim: String,
    pub(super) clock: Arc<dyn Clock>,
}

/// The state of a request's cookie.
pub(crate) enum Seen {
    /// No cookie that could be a session's.
    Nobody,
    /// A cookie that cannot be checked without the store.
    Present,
    /// A cookie that this server sealed, and that has not expired; with its groups, if it contains any.
    Sealed(Option<Groups>),
}

impl CookieInspector {
    pub(crate) fn strategy(&self) -> Strategy {
        self.tickets.strategy()
    }

    /// Inspects the session cookie among these headers.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Seen {
        let now = self.clock.now();
        let cookies = CookieHeaders::of(headers);
        let opened = cookies.find(&self.cookie);
        let opened = opened.and_then(|value| self.tickets.open(&value, now));
        match opened {
            Ok(ticket) if ticket.credential.expires_at > now.timestamp() => match self.strategy() {
                Strategy::Database => Seen::Present,
                Strategy::Hybrid | Strategy::Stateless => Seen::Sealed(self.groups(&ticket)),
            },
            Ok(_) | Err(_) => Seen::Nobody,
        }
    }

    fn groups(&self, ticket: &Ticket) -> Option<Groups> {
        let token = ticket.token.as_ref()?;
        let claims = SessionClaims::from_json(&token.claims).ok()?;
        Some(Groups::from_claims(&claims, &self.groups_claim))
    }
}

impl fmt::Debug for CookieInspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlook").finish_non_exhaustive()
    }
}

impl Seen {
    pub(crate) const fn is_there(&self) -> bool {
        matches!(self, Self::Present | Self::Sealed(_))
    }

    pub(crate) const fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// Returns whether the cookie says that its subject is in the groups that a rule requires.
    pub(crate) fn is_in(&self, rule: &GroupRule) -> bool {
        match self {
            Self::Sealed(Some(groups)) => rule.allows(groups),
            Self::Sealed(None) | Self::Present | Self::Nobody => false,
        }
    }
}
