//! Memoization of `#[memo]` methods for the length of a request, with single flight.
//!
//! A memoized value is reused only at the moment at which it was computed: no write of the request has
//! begun since, none is under way, and the viewer is of the same load, which is still valid. A value
//! for which a rule read the time is reused for less than a second (decision 48). The guard of the
//! method runs before any of this, with each call.

use std::any::{Any, TypeId};
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::access::Access;
use super::grant::{BySession as _, Held, Public, Read};
use crate::error::{Error, Result};
use crate::request::{KeyPart, RequestContext, WeakContext};
use crate::session::{LoadNumber, LoadedSession};
use crate::viewer::Viewer;

/// A change under way. If it is dropped without an end it may still take effect, so the request
/// memoizes nothing from then on.
#[must_use = "a change that does not end keeps the request from remembering"]
pub(super) struct WriteMark(WeakContext);

impl WriteMark {
    pub(super) fn begin(request: &RequestContext) -> Self {
        request.changes().begin();
        Self(request.downgrade())
    }

    pub(super) fn end(&self) {
        if let Some(request) = self.0.upgrade() {
            request.changes().end();
        }
    }
}

/// The lifetime of a write access, from its guard until it is dropped.
pub(super) struct WhileHeld(WriteMark);

impl WhileHeld {
    pub(super) fn begin(request: &RequestContext) -> Self {
        Self(WriteMark::begin(request))
    }
}

impl Drop for WhileHeld {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The request and viewer that ask for a memoized value.
pub struct Recall {
    request: RequestContext,
    viewer: Option<Arc<LoadedSession>>,
}

/// The moment at which a value was computed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moment {
    changes: u64,
    viewer: Option<LoadNumber>,
}

impl Recall {
    /// Returns the present moment, or `None` if a value computed now could already be stale.
    fn moment(&self) -> Option<Moment> {
        // A public method has no viewer of its own, but its body may call methods that do.
        let viewer = self.viewer.as_deref().or_else(|| self.request.found());
        if viewer.is_some_and(|loaded| !loaded.holds()) {
            return None;
        }
        Some(Moment {
            changes: self.request.changes().settled()?,
            viewer: viewer.map(|loaded| loaded.number),
        })
    }

    /// Returns the entry of the method `M` under `key`.
    fn entry<M: 'static, T: Send + 'static>(&self, key: MemoKey) -> Arc<Entry<T>> {
        self.request.memo().of(TypeId::of::<(M, T)>(), key.0)
    }
}

/// The outcome of one call (single flight). The call that computes it holds the gate, and the others
/// wait. The gate opens if its holder panics or is dropped, and the next call takes over.
struct Entry<T> {
    gate: tokio::sync::Mutex<Option<MemoState<T>>>,
    finished: AtomicU64,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self {
            gate: tokio::sync::Mutex::new(None),
            finished: AtomicU64::new(0),
        }
    }
}

struct MemoState<T> {
    outcome: Result<T>,
    moment: Moment,
    /// The number of the method's run that gave this outcome.
    run: u64,
    /// The earliest instant that a rule read during the run, in microseconds.
    rests_on: Option<i64>,
}

impl<T: Clone> MemoState<T> {
    fn new<E: 'static>(
        outcome: &Result<T, E>,
        moment: Moment,
        run: u64,
        rests_on: Option<i64>,
    ) -> Option<Self> {
        let outcome = match outcome {
            Ok(value) => Ok(value.clone()),
            // An error of the application's own cannot be copied.
            Err(error) => Err((error as &dyn Any).downcast_ref::<Error>()?.copy()),
        };
        Some(Self {
            outcome,
            moment,
            run,
            rests_on,
        })
    }

    /// Returns whether a call that arrived at this instant may reuse the outcome, as far as rules read
    /// the time. A call that `waited` for it arrived before the instant that they read, or right after.
    fn is_recent(&self, arrived_at: i64, waited: bool) -> bool {
        const SECOND: i64 = 1_000_000;
        self.rests_on.is_none_or(|at| {
            let age = arrived_at.saturating_sub(at);
            (0..SECOND).contains(&age) || (waited && age < 0)
        })
    }

    /// Returns whether later calls may reuse the outcome, and not only those that waited for it.
    fn lasts(&self) -> bool {
        match &self.outcome {
            Ok(_) => true,
            Err(error) => error.is_not_found() || error.is_forbidden(),
        }
    }

    fn outcome<E: From<Error>>(&self) -> Result<T, E> {
        match &self.outcome {
            Ok(value) => Ok(value.clone()),
            Err(error) => Err(error.copy().into()),
        }
    }
}

/// Returns the outcome of the method `M` under `key`: the memoized one, or that of `run`. Called by
/// generated code.
pub async fn remember<M, T, E, F>(recall: Result<Recall>, key: MemoKey, run: F) -> Result<T, E>
where
    M: 'static,
    T: Remembered,
    E: From<Error> + 'static,
    F: Future<Output = Result<T, E>>,
{
    let recall = recall?;
    if recall.moment().is_none() {
        return run.await;
    }
    let entry = recall.entry::<M, T>(key);
    let arrived = entry.finished.load(Ordering::Acquire);
    let arrived_at = recall.request.now().timestamp_micros();
    let mut gate = entry.gate.lock().await;
    let Some(moment) = recall.moment() else {
        drop(gate);
        return run.await;
    };
    if let Some(known) = &*gate
        && known.moment == moment
        && (known.lasts() || known.run > arrived)
        && known.is_recent(arrived_at, known.run > arrived)
    {
        if let Some(at) = known.rests_on {
            recall.request.instants().note_again(at);
        }
        return known.outcome();
    }
    let watch = recall.request.instants().watch();
    let outcome = run.await;
    let rests_on = watch.earliest();
    drop(watch);
    let finished = entry.finished.fetch_add(1, Ordering::AcqRel) + 1;
    // The moment before the run: a change during the run makes it differ from later moments.
    *gate = MemoState::new(&outcome, moment, finished, rests_on);
    outcome
}

/// An access under which values are memoized: one that reads, inside a request.
pub trait Recalls: sealed::Sealed {
    #[doc(hidden)]
    fn __seen(&self) -> Held<'_>;
}

impl<V: Viewer> Recalls for Read<V> {
    fn __seen(&self) -> Held<'_> {
        Held(Some(self.verified().loaded()))
    }
}

impl Recalls for Public {
    fn __seen(&self) -> Held<'_> {
        Held(None)
    }
}

mod sealed {
    pub trait Sealed {}

    impl<V: crate::viewer::Viewer> Sealed for super::Read<V> {}
    impl Sealed for super::Public {}
}

/// Prepares a memo lookup for the access; called by generated code, after the guard.
pub fn recall<P: Recalls>(access: &Access<P>) -> Result<Recall> {
    let Held(viewer) = access.seen();
    let viewer = viewer.cloned();
    match access.request()? {
        Some(request) => Ok(Recall { request, viewer }),
        None => Err(Error::internal("a read without a request")),
    }
}

/// A value that a `#[memo]` method can return more than once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be memoized for the request",
    label = "this cannot be returned twice",
    note = "the result of a `#[memo]` method is cloned for each caller: add `#[derive(Clone)]` to the DTO",
    note = "a stream is read once: return a `Vec`, or remove `#[memo]`"
)]
pub trait Remembered: Clone + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + 'static> Remembered for T {}

/// Fixes the output type of a method's block; called by generated code.
pub const fn run<O, F: Future<Output = O>>(run: F) -> F {
    run
}

/// The key of a memoized value: the repository and the arguments.
pub struct MemoKey(Vec<Box<dyn KeyPart>>);

/// An argument of a `#[memo]` method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared with other arguments, so no result can be memoized for it",
    label = "an argument of a `#[memo]` method",
    note = "it is part of the memo's key: its type needs `Clone`, `Eq` and `Hash`, and must own its data"
)]
pub trait Argument {
    #[doc(hidden)]
    fn __keep(&self) -> Box<dyn KeyPart>;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned + ?Sized> Argument for T
where
    T::Owned: Eq + Hash + Send + 'static,
{
    fn __keep(&self) -> Box<dyn KeyPart> {
        Box::new(self.to_owned())
    }
}

/// A repository with `#[memo]` methods.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared with other repositories of its type, so no result of its methods can be memoized",
    label = "a repository with a `#[memo]` method",
    note = "two of them may use different databases: add `#[derive(Clone, PartialEq, Eq, Hash)]` to it; a `Db` equals its own clones only"
)]
pub trait MemoOwner: Clone + Eq + Hash + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Eq + Hash + Send + 'static> MemoOwner for T {}

/// Called by generated code.
impl MemoKey {
    /// Makes the key of a method without arguments.
    pub fn new<T: MemoOwner>(repository: &T) -> Self {
        Self(vec![Box::new(repository.clone())])
    }

    /// Adds one more argument.
    #[must_use]
    pub fn and<T: Argument + ?Sized>(mut self, argument: &T) -> Self {
        self.0.push(argument.__keep());
        self
    }
}
