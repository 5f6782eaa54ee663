//! The clock, the one source of time.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SubsecRound, Utc};

/// The source of time of every part of the library.
///
/// Tests replace it, to check expiry and rules over `context.now` without waiting.
///
/// # Example
///
/// ```
/// use clearance::{Clock, SystemClock};
///
/// assert!(SystemClock.now().timestamp() > 0);
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the current time, in UTC. The library keeps microseconds, the finest step that every supported
    /// database stores.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|elapsed| i64::try_from(elapsed.as_micros()).ok())
            .and_then(DateTime::from_timestamp_micros);
        // The machine's clock is before 1970.
        micros.unwrap_or_else(|| Utc::now().trunc_subsecs(6))
    }
}
