//! The answers of `#[memo]` methods that a request keeps: so many, and on which instants they rest.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::memo::Key;

/// How many answers a request keeps at most. Those that were used last stay.
const MOST: usize = 1_024;

/// The answers of a request, and what calls at the same time wait for.
///
/// They are kept in two halves: what was used since the younger one was begun, and what was last used
/// before that. When the younger one is full the older one goes, so that no more than [`MOST`] are kept
/// and the half that was used last always is. What is under way and goes too is kept by its callers.
#[derive(Default)]
pub(crate) struct Answers(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: Half,
    old: Half,
}

type Half = HashMap<Call, Kept>;
type Kept = Arc<dyn Any + Send + Sync>;

/// A method, and what it was called with.
#[derive(PartialEq, Eq, Hash)]
struct Call {
    method: TypeId,
    key: Key,
}

impl Answers {
    /// Returns the kept answer of this call, or a new `T`.
    pub(super) fn of<T: Any + Send + Sync + Default>(&self, method: TypeId, key: Key) -> Arc<T> {
        let (kept, gone) = self.find(Call { method, key }, || Arc::new(T::default()));
        // Whatever an answer does when it is dropped, it does without the lock.
        drop(gone);
        // What was put in under the method's own type has this type.
        kept.downcast().unwrap_or_default()
    }

    fn find(&self, call: Call, new: impl FnOnce() -> Kept) -> (Kept, Half) {
        let mut halves = lock(&self.0);
        if let Some(kept) = halves.young.get(&call) {
            return (Arc::clone(kept), Half::new());
        }
        let kept = halves.old.remove(&call).unwrap_or_else(new);
        let mut gone = Half::new();
        if halves.young.len() >= MOST / 2 {
            let full = std::mem::take(&mut halves.young);
            gone = std::mem::replace(&mut halves.old, full);
        }
        halves.young.insert(call, Arc::clone(&kept));
        (kept, gone)
    }

    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *lock(&self.0));
        drop(gone);
    }
}

/// The instants that rules read, for the answers that are being worked out meanwhile.
#[derive(Default)]
pub(crate) struct Instants(Mutex<Vec<Arc<AtomicI64>>>);

/// No rule has read the time.
const NONE: i64 = i64::MAX;

impl Instants {
    /// A rule may have read this instant.
    pub(crate) fn note(&self, at: DateTime<Utc>) {
        self.note_micros(at.timestamp_micros());
    }

    fn note_micros(&self, at: i64) {
        for earliest in &*lock(&self.0) {
            earliest.fetch_min(at, Ordering::AcqRel);
        }
    }

    /// An answer that was given rests on this instant, and so does what is made of it.
    pub(super) fn note_again(&self, at: i64) {
        self.note_micros(at);
    }

    pub(super) fn watch(&self) -> Watch<'_> {
        let earliest = Arc::new(AtomicI64::new(NONE));
        lock(&self.0).push(Arc::clone(&earliest));
        Watch {
            instants: self,
            earliest,
        }
    }
}

/// An answer that is being worked out. What rules read for other calls meanwhile counts for it too, by
/// which it is kept for less long.
pub(super) struct Watch<'a> {
    instants: &'a Instants,
    earliest: Arc<AtomicI64>,
}

impl Watch<'_> {
    /// The earliest instant that a rule read meanwhile, in microseconds.
    pub(super) fn earliest(&self) -> Option<i64> {
        Some(self.earliest.load(Ordering::Acquire)).filter(|at| *at != NONE)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.instants.0);
        under_way.retain(|earliest| !Arc::ptr_eq(earliest, &self.earliest));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every holder changes the value in one step, so a panic elsewhere left it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_21_what_was_used_last_is_kept_and_no_more_than_that() {
        let answers = Answers::default();
        let of = |number: usize| {
            let key = Key::new(&number);
            answers.of::<Mutex<usize>>(TypeId::of::<usize>(), key)
        };
        for number in 0..10 * MOST {
            *lock(&of(number)) = number;
            // Used all the time.
            assert_eq!(*lock(&of(0)), 0);
            // Each step uses two that no other one of its time does.
            let recent = number.saturating_sub(MOST / 4 - 2);
            assert_eq!(*lock(&of(recent)), recent);
            let halves = lock(&answers.0);
            assert!(halves.young.len() + halves.old.len() <= MOST);
        }
        answers.clear();
        assert_eq!(*lock(&of(10 * MOST - 1)), 0);
    }

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
