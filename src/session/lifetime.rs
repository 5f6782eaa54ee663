//! The lifetime of a session: its idle and absolute timeout.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Error, Result};

/// The idle timeout and the absolute timeout of a session.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use clearance::session::Lifetime;
///
/// let hour = Duration::from_secs(60 * 60);
/// let lifetime = Lifetime::sliding(hour, 8 * hour);
/// let signed_in = "2026-01-01T00:00:00Z".parse().unwrap();
/// let used = "2026-01-01T07:30:00Z".parse().unwrap();
/// assert_eq!(lifetime.expiry(signed_in, used).to_rfc3339(), "2026-01-01T08:00:00+00:00");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    idle: Duration,
    absolute: Duration,
}

impl Lifetime {
    /// Builds an absolute timeout alone: a session ends `duration` after the sign-in, used or not.
    #[must_use]
    pub const fn fixed(duration: Duration) -> Self {
        Self {
            idle: duration,
            absolute: duration,
        }
    }

    /// Builds a sliding lifetime: a session ends after `idle` without use, and `absolute` after the sign-in
    /// however much it is used.
    #[must_use]
    pub const fn sliding(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute }
    }

    /// Returns when a session ends that was created and last used at these instants.
    #[must_use]
    pub fn expiry(&self, created: DateTime<Utc>, used: DateTime<Utc>) -> DateTime<Utc> {
        let after = |instant: DateTime<Utc>, duration| {
            TimeDelta::from_std(duration)
                .ok()
                .and_then(|delta| instant.checked_add_signed(delta))
                .unwrap_or(DateTime::<Utc>::MAX_UTC)
        };
        after(used, self.idle).min(after(created, self.absolute))
    }

    /// Returns the idle timeout.
    #[must_use]
    pub const fn idle_limit(&self) -> Duration {
        self.idle
    }

    /// Returns the absolute timeout.
    #[must_use]
    pub const fn absolute_limit(&self) -> Duration {
        self.absolute
    }
}

pub(super) fn delta(duration: Duration) -> Result<TimeDelta> {
    TimeDelta::from_std(duration).map_err(|_| Error::configuration("a duration is out of range"))
}

/// A lifetime that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) idle: TimeDelta,
    pub(crate) absolute: TimeDelta,
}
