//! The one source of time.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

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
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|elapsed| i64::try_from(elapsed.as_micros()).ok())
            .and_then(DateTime::from_timestamp_micros);
        // A machine whose clock stands before 1970.
        micros.unwrap_or_else(|| Utc::now().trunc_subsecs(6))
    }
}
