//! What a rule may read besides the viewer and the row.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// The circumstances of a request, fixed for its whole length: a rule reads them as
/// `context.now` and `context.address`.
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
    /// The instant at which the request began, in UTC, to the microsecond.
    pub now: DateTime<Utc>,
    /// The address of the peer, where the adapter knows it.
    pub address: Option<IpAddr>,
}

impl Context {
    /// Circumstances at `now`, from an unknown address.
    #[must_use]
    pub const fn new(now: DateTime<Utc>) -> Self {
        Self { now, address: None }
    }

    /// The same circumstances, from `address`.
    #[must_use]
    pub const fn from_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }
}
