//! The context of a rule: the input besides the viewer and the row.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// The context of one use of an [`Access`](crate::Access), which a rule reads as `context.now` and
/// `context.address`.
///
/// Rule time is the time of use. One answer, with the related rows that it shows, has one instant; the next
/// use of the same access has its own, and so have each write, each page and each row of a stream whose
/// rules read the time.
///
/// # Example
///
/// ```
/// use clearance::policy::Context;
///
/// let context = Context::new("2026-01-01T00:00:00Z".parse().unwrap());
/// assert_eq!(context.address, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The instant of the use, by the clock of the sessions, in UTC, to the microsecond.
    pub now: DateTime<Utc>,
    /// The address of the peer, where the adapter knows it.
    pub address: Option<IpAddr>,
}

impl Context {
    /// Creates a context at `now`, with an unknown address.
    #[must_use]
    pub const fn new(now: DateTime<Utc>) -> Self {
        Self { now, address: None }
    }

    /// Sets the address.
    #[must_use]
    pub const fn from_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }
}
