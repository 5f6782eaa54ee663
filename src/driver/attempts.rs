//! Retries after serialization failures and deadlocks.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::token::key::fill_random;

/// The maximum number of attempts at a step, and the maximum time for them: an engine that waited for a
/// lock itself has been patient already.
const ATTEMPTS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(1);

/// The attempts at one step. Their clock decides only when to give up, so it is the machine's own and not
/// that of the sessions.
pub(crate) struct Attempts {
    begun: Instant,
    made: u32,
}

impl Attempts {
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            made: 0,
        }
    }

    /// Waits for the next attempt if `outcome` can be retried; returns whether there is to be one.
    pub(crate) async fn go_on<T>(&mut self, outcome: &Result<T>) -> bool {
        outcome.as_ref().is_err_and(Error::is_retryable) && self.wait().await
    }

    /// Waits for the next attempt; returns whether there is to be one.
    ///
    /// An engine that locks nothing lets one of many conflicting transactions through and refuses the rest
    /// at the same time. A random backoff brings them back one after another.
    pub(crate) async fn wait(&mut self) -> bool {
        self.made += 1;
        if self.made >= ATTEMPTS || self.begun.elapsed() >= PATIENCE {
            return false;
        }
        let mut chance = [0];
        // If that fails the wait is zero, and all of them come back together, as they came.
        let _ = fill_random(&mut chance);
        let longest = Duration::from_millis(1 << self.made);
        tokio::time::sleep(longest * u32::from(chance[0]) / 256).await;
        true
    }
}
