//! Steps that are done again because another one was in their way.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::token::key::fill_random;

/// How often a step is done again because another one was in its way, and for how long at most: an
/// engine that waited for a lock itself has been patient already.
const ATTEMPTS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(1);

/// The attempts at one step. Nothing is decided by this time but when to give up, so that it is the
/// machine's own and not that of the sessions.
pub(super) struct Attempts {
    begun: Instant,
    made: u32,
}

impl Attempts {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            made: 0,
        }
    }

    /// Whether a step that ended so is to be done again, once it is time for that.
    pub(super) async fn go_on<T>(&mut self, outcome: &Result<T>) -> bool {
        outcome.as_ref().is_err_and(Error::is_retryable) && self.wait().await
    }

    /// Waits until it is time for another attempt; tells whether there is to be one.
    ///
    /// Of many that are in each other's way, an engine that locks nothing lets one through and refuses
    /// the rest together. They come back one after another, each at a moment of its own.
    pub(super) async fn wait(&mut self) -> bool {
        self.made += 1;
        if self.made >= ATTEMPTS || self.begun.elapsed() >= PATIENCE {
            return false;
        }
        let mut chance = [0];
        // Without randomness all of them come back together, as they came.
        let _ = fill_random(&mut chance);
        let longest = Duration::from_millis(1 << self.made);
        tokio::time::sleep(longest * u32::from(chance[0]) / 256).await;
        true
    }
}
