//! The count of a request's changes, on which its memoized answers depend.

use std::sync::Mutex;

use super::lock;

/// The count of a request's changes, on which the validity of its memoized values depends.
#[derive(Default)]
pub(crate) struct Changes(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    begun: u64,
    under_way: u64,
}

impl Changes {
    /// Invalidates the values memoized so far.
    pub(super) fn note(&self) {
        let mut counts = lock(&self.0);
        counts.begun = counts.begun.wrapping_add(1);
    }

    pub(crate) fn begin(&self) {
        let mut counts = lock(&self.0);
        counts.begun = counts.begun.wrapping_add(1);
        counts.under_way = counts.under_way.saturating_add(1);
    }

    pub(crate) fn end(&self) {
        let mut counts = lock(&self.0);
        counts.under_way = counts.under_way.saturating_sub(1);
    }

    /// Returns the number of changes begun, if none is under way.
    pub(crate) fn settled(&self) -> Option<u64> {
        let counts = lock(&self.0);
        (counts.under_way == 0).then_some(counts.begun)
    }
}
