//! The work that other rooms leave for the end of a transaction.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use super::notes::Notes;

/// The party that ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The library, within the one call that began it.
    Call,
    /// The application, at any later time.
    Application,
}

/// The work that is left for the end of one transaction.
pub(crate) struct OnCommit {
    extent: Extent,
    left: Mutex<Option<Left>>,
}

#[derive(Default)]
struct Left {
    held: Notes,
    committed: Vec<Box<dyn FnOnce() + Send>>,
    afterwards: Vec<BoxFuture<'static, ()>>,
}

impl OnCommit {
    pub(super) fn new(extent: Extent) -> Self {
        Self {
            extent,
            left: Mutex::new(Some(Left::default())),
        }
    }

    /// Runs `work` at the commit if that is part of the same call, and at once otherwise.
    pub(crate) fn committed(&self, work: impl FnOnce() + Send + 'static) {
        match &mut *self.left() {
            Some(left) if self.extent == Extent::Call => left.committed.push(Box::new(work)),
            _ => work(),
        }
    }

    /// Keeps `work` until the transaction ends, when no rollback reaches what it writes and no connection
    /// waits for another one. Returns it if the transaction has ended already.
    pub(crate) fn afterwards<W>(&self, work: W) -> Option<W>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        match &mut *self.left() {
            Some(left) => left.afterwards.push(Box::pin(work)),
            None => return Some(work),
        }
        None
    }

    /// Adds to the guard of type `G` that is held until the transaction ends. If it has ended, there is none.
    pub(crate) fn hold<G: Any + Default + Send>(&self, add: impl FnOnce(&mut G)) {
        if let Some(left) = &mut *self.left() {
            left.held.with(add);
        }
    }

    /// Does the work at the end of the transaction, and returns what is still to be run.
    pub(super) fn settle(&self, committed: bool) -> Vec<BoxFuture<'static, ()>> {
        let Some(left) = self.left().take() else {
            return Vec::new();
        };
        // First, because their drop makes stale what was loaded before the commit (decision 10).
        drop(left.held);
        if committed {
            for work in left.committed {
                work();
            }
        }
        left.afterwards
    }

    fn left(&self) -> MutexGuard<'_, Option<Left>> {
        // Every holder changes the state in one step, so it is intact even if a panic poisoned the lock.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the work that is due after a transaction, even if the caller's future is dropped meanwhile.
pub(crate) async fn run_to_end(work: Vec<BoxFuture<'static, ()>>) {
    if work.is_empty() {
        return;
    }
    let all = async {
        for one in work {
            one.await;
        }
    };
    match tokio::runtime::Handle::try_current() {
        // A client may disconnect as soon as its write is refused, which drops the caller's future.
        Ok(runtime) => drop(runtime.spawn(all).await),
        Err(_) => all.await,
    }
}
