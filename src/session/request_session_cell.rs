//! The lazily built session state of a request: most requests never use it.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::cookie::CookieHeaders;
use super::request_session::{ErasedRequestSession, RequestSession};
use super::verifier::Verifier;
use crate::viewer::Viewer;

/// A request's session state, or its ingredients until it is first used.
pub(crate) enum RequestSessionCell {
    Given(Box<dyn ErasedRequestSession>),
    Request {
        slot: OnceLock<Box<dyn ErasedRequestSession>>,
        service: Arc<dyn ErasedService>,
        cookies: CookieHeaders,
        counts: bool,
    },
}

/// Sessions with the viewer's type erased.
pub(crate) trait ErasedService: Send + Sync {
    fn slot(self: Arc<Self>, cookies: CookieHeaders, counts: bool)
    -> Box<dyn ErasedRequestSession>;
    fn now(&self) -> DateTime<Utc>;
}

impl<V: Viewer> ErasedService for Verifier<V> {
    fn slot(
        self: Arc<Self>,
        cookies: CookieHeaders,
        counts: bool,
    ) -> Box<dyn ErasedRequestSession> {
        Box::new(RequestSession::new(self, cookies, counts))
    }

    fn now(&self) -> DateTime<Utc> {
        self.core.now()
    }
}

impl RequestSessionCell {
    /// Prepares a request's session state. `counts` says whether the request is a use of the session.
    pub(crate) fn new<V: Viewer>(
        service: Arc<Verifier<V>>,
        cookies: CookieHeaders,
        counts: bool,
    ) -> Self {
        Self::Request {
            slot: OnceLock::new(),
            service,
            cookies,
            counts,
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> &dyn ErasedRequestSession {
        match self {
            Self::Given(slot) => &**slot,
            Self::Request {
                slot,
                service,
                cookies,
                counts,
            } => {
                let make = || Arc::clone(service).slot(cookies.clone(), *counts);
                &**slot.get_or_init(make)
            }
        }
    }

    /// Returns the current time by the sessions' clock.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Given(slot) => slot.now(),
            Self::Request { service, .. } => Some(service.now()),
        }
    }
}
