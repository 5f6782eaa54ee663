//! The instants that rules read in a request, on which its memoized answers depend.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::lock;

/// The instants that rules read while answers are being computed.
#[derive(Default)]
pub(crate) struct Instants(Mutex<Vec<Arc<AtomicI64>>>);

/// The marker that no rule has read the time.
const NONE: i64 = i64::MAX;

impl Instants {
    /// Notes that a rule may have read this instant.
    pub(crate) fn note(&self, at: DateTime<Utc>) {
        self.note_micros(at.timestamp_micros());
    }

    fn note_micros(&self, at: i64) {
        for earliest in &*lock(&self.0) {
            earliest.fetch_min(at, Ordering::AcqRel);
        }
    }

    /// Notes that a reused answer depends on this instant, and so does anything computed from it.
    pub(crate) fn note_again(&self, at: i64) {
        self.note_micros(at);
    }

    pub(crate) fn watch(&self) -> Watch<'_> {
        let earliest = Arc::new(AtomicI64::new(NONE));
        lock(&self.0).push(Arc::clone(&earliest));
        Watch {
            instants: self,
            earliest,
        }
    }
}

/// An answer that is being computed. Instants that rules read for other calls meanwhile count for it
/// too, which shortens its reuse.
pub(crate) struct Watch<'a> {
    instants: &'a Instants,
    earliest: Arc<AtomicI64>,
}

impl Watch<'_> {
    /// Returns the earliest instant that a rule read meanwhile, in microseconds.
    pub(crate) fn earliest(&self) -> Option<i64> {
        Some(self.earliest.load(Ordering::Acquire)).filter(|at| *at != NONE)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.instants.0);
        under_way.retain(|earliest| !Arc::ptr_eq(earliest, &self.earliest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rf_27_what_rules_read_meanwhile_is_noted_for_what_is_under_way() {
        let instants = Instants::default();
        let at = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        instants.note(at(1));
        let outer = instants.watch();
        assert_eq!(outer.earliest(), None);
        {
            let inner = instants.watch();
            instants.note(at(7));
            instants.note_again(5);
            assert_eq!(inner.earliest(), Some(5));
        }
        instants.note(at(9));
        assert_eq!(outer.earliest(), Some(5));
        drop(outer);
        assert_eq!(lock(&instants.0).len(), 0);
    }
}
