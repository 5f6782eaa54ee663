//! Steps that are done again because another one was in their way.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How often a step is done again because another one was in its way, and for how long at most: an
/// engine that waited for a lock itself has been patient already.
const ATTEMPTS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(1);

/// The attempts at one step. Nothing is decided by this time but when to give up, so that it is the
/// machine's own and not that of the sessions.
pub(super) struct Attempts {
    begun: Instant,
    made: usize,
}

impl Attempts {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            made: 0,
        }
    }

    /// Whether a step that ended so is to be done again.
    pub(super) fn go_on<T>(&mut self, outcome: &Result<T>) -> bool {
        self.made += 1;
        let was_in_the_way = outcome.as_ref().is_err_and(Error::is_retryable);
        was_in_the_way && self.made < ATTEMPTS && self.begun.elapsed() < PATIENCE
    }
}
