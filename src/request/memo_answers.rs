//! The bounded store of a request's memoized answers.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use super::lock;

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
    arguments: Vec<Box<dyn KeyPart>>,
}

impl MemoAnswers {
    /// Returns the kept answer of this call, or a new `T`.
    pub(crate) fn of<T: Any + Send + Sync + Default>(
        &self,
        method: TypeId,
        arguments: Vec<Box<dyn KeyPart>>,
    ) -> Arc<T> {
        let (kept, gone) = self.find(Call { method, arguments }, || Arc::new(T::default()));
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

    pub(super) fn clear(&self) {
        let gone = std::mem::take(&mut *lock(&self.0));
        drop(gone);
    }
}

/// An argument of a method as a part of a key, type-erased: compared, and not only hashed.
pub trait KeyPart: Any + Send {
    #[doc(hidden)]
    fn __equals(&self, other: &dyn KeyPart) -> bool;

    #[doc(hidden)]
    fn __hash(&self, state: &mut dyn Hasher);
}

impl<T: Eq + Hash + Send + 'static> KeyPart for T {
    fn __equals(&self, other: &dyn KeyPart) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<T>() == Some(self)
    }

    fn __hash(&self, mut state: &mut dyn Hasher) {
        self.hash(&mut state);
    }
}

impl PartialEq for dyn KeyPart {
    fn eq(&self, other: &Self) -> bool {
        self.__equals(other)
    }
}

impl Eq for dyn KeyPart {}

impl Hash for dyn KeyPart {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.__hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_21_what_was_used_last_is_kept_and_no_more_than_that() {
        let answers = MemoAnswers::default();
        let of = |number: usize| {
            let arguments: Vec<Box<dyn KeyPart>> = vec![Box::new(number)];
            answers.of::<Mutex<usize>>(TypeId::of::<usize>(), arguments)
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
}
