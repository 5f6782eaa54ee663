//! The lazily built session state of a request: most requests never use it.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::cookie::CookieHeaders;
use super::service::Service;
use super::slot::{ErasedSlot, Slot};
use crate::viewer::Viewer;

/// A request's session state, or its ingredients until it is first used.
pub(crate) enum SlotCell {
    Given(Box<dyn ErasedSlot>),
    Request {
        slot: OnceLock<Box<dyn ErasedSlot>>,
        service: Arc<dyn ErasedService>,
        cookies: CookieHeaders,
        counts: bool,
    },
}

/// Sessions with the viewer's type erased.
pub(crate) trait ErasedService: Send + Sync {
    fn slot(self: Arc<Self>, cookies: CookieHeaders, counts: bool) -> Box<dyn ErasedSlot>;
    fn now(&self) -> DateTime<Utc>;
}

impl<V: Viewer> ErasedService for Service<V> {
    fn slot(self: Arc<Self>, cookies: CookieHeaders, counts: bool) -> Box<dyn ErasedSlot> {
        Box::new(Slot::new(self, cookies, counts))
    }

    fn now(&self) -> DateTime<Utc> {
        self.core.now()
    }
}

impl SlotCell {
    /// Prepares a request's session state. `counts` says whether the request is a use of the session.
    pub(crate) fn new<V: Viewer>(
        service: Arc<Service<V>>,
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
    pub(crate) fn get(&self) -> &dyn ErasedSlot {
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
