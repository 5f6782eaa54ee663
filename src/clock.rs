//! The one source of time.

use std::fmt::Debug;

use chrono::{DateTime, SubsecRound, Utc};

/// Where every part of the library takes the time from.
///
/// Tests replace it, so that expiry and rules over `context.now` are shown without waiting.
///
/// # Example
///
/// ```
/// use clearance::{Clock, SystemClock};
///
/// assert!(SystemClock.now().timestamp() > 0);
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present instant, in UTC. The library keeps microseconds, the finest step that every
    /// supported database stores.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
