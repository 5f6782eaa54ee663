//! The bounded store of a request's memoized answers, and the instants that they depend on.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::memo::MemoKey;

/// The maximum number of answers that a request keeps. The least recently used ones are dropped.
const MOST: usize = 1_024;

/// The memoized answers of a request, and the entries for which concurrent calls wait.
///
/// They are kept in two halves: those used since the younger half was begun, and those last used before
/// that. When the younger half is full the older one is dropped, so that at most [`MOST`] are kept and
/// always the half that was used last. An entry under way that is dropped is kept alive by its callers.
#[derive(Default)]
pub(crate) struct MemoAnswers(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: Half,
    old: Half,
}

type Half = HashMap<Call, Kept>;
type Kept = Arc<dyn Any + Send + Sync>;

/// The key of an answer: a method and its arguments.
#[derive(PartialEq, Eq, Hash)]
struct Call {
    method: TypeId,
    key: MemoKey,
}

impl MemoAnswers {
    /// Returns the kept answer of this call, or a new `T`.
    pub(super) fn of<T: Any + Send + Sync + Default>(
        &self,
        method: TypeId,
        key: MemoKey,
    ) -> Arc<T> {
        let (kept, gone) = self.find(Call { method, key }, || Arc::new(T::default()));
        // Dropped without the lock, because a drop can run arbitrary code.
        drop(gone);
        // The entry was stored under the method's own type, so it has this type.
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

/// An answer that is being computed. Instants that rules read for other calls meanwhile count for it
/// too, which shortens its reuse.
pub(super) struct Watch<'a> {
    instants: &'a Instants,
    earliest: Arc<AtomicI64>,
}

impl Watch<'_> {
    /// Returns the earliest instant that a rule read meanwhile, in microseconds.
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
    // Every holder changes the value in one step, so a panic elsewhere left it consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_21_what_was_used_last_is_kept_and_no_more_than_that() {
        let answers = MemoAnswers::default();
        let of = |number: usize| {
            let key = MemoKey::new(&number);
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
