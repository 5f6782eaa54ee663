//! Scopes: state of the thread that belongs to a future while it is polled, whichever task polls it (decision 44).

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

thread_local! {
    static OUTSIDE: Cell<bool> = const { Cell::new(false) };
}

/// State that a thread has while work runs in a scope.
pub(crate) trait ThreadState {
    /// Exchanges this state with the thread's. The first call enters the scope, and the next one leaves it.
    fn exchange(&mut self);

    /// Prepares for a poll after a wait, before the scope is entered again.
    fn resume(&self) {}
}

/// The scope of work that belongs to a request or to none, whatever the scope around it is.
///
/// It is a mark of its own beside the state of a request, so that those who leave every request need not know what
/// a request is.
#[derive(Debug)]
pub(crate) struct Belonging {
    outside: bool,
}

impl Belonging {
    pub(crate) const fn to_request() -> Self {
        Self { outside: false }
    }

    const fn to_none() -> Self {
        Self { outside: true }
    }
}

impl ThreadState for Belonging {
    #[inline]
    fn exchange(&mut self) {
        self.outside = OUTSIDE.replace(self.outside);
    }
}

/// Returns whether this code runs outside of every request, whatever request runs around it.
#[inline]
pub(crate) fn is_outside_of_requests() -> bool {
    OUTSIDE.get()
}

/// Runs `work` in `scope`, and then leaves the scope, also when `work` panics.
#[inline]
pub(crate) fn within<S: ThreadState, T>(scope: &mut S, work: impl FnOnce() -> T) -> T {
    struct Leave<'a, S: ThreadState>(&'a mut S);

    impl<S: ThreadState> Drop for Leave<'_, S> {
        #[inline]
        fn drop(&mut self) {
            self.0.exchange();
        }
    }

    scope.exchange();
    let _leave = Leave(scope);
    work()
}

pin_project! {
    /// A future that is polled and dropped in its scope, whichever task polls it.
    pub(crate) struct Scoped<S: ThreadState, F> {
        #[pin]
        future: Option<F>,
        scope: S,
        waited: bool,
    }

    impl<S: ThreadState, F> PinnedDrop for Scoped<S, F> {
        // The values that the future holds are dropped in its scope.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                within(this.scope, || this.future.set(None));
            }
        }
    }
}

impl<S: ThreadState, F> Scoped<S, F> {
    pub(crate) const fn new(scope: S, future: F) -> Self {
        Self {
            future: Some(future),
            scope,
            waited: false,
        }
    }

    #[cfg(any(feature = "actix-web", feature = "tower"))]
    pub(crate) fn scope(self: Pin<&mut Self>) -> &mut S {
        self.project().scope
    }
}

impl<S: ThreadState, F> fmt::Debug for Scoped<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

impl<S: ThreadState, F: Future> Future for Scoped<S, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // Most futures never wait, so the first poll skips the check: what they find is as recent as they are
        // (decision 42).
        if std::mem::replace(this.waited, true) {
            this.scope.resume();
        }
        within(this.scope, || {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                // Reached only by a poll after completion.
                return Poll::Pending;
            };
            let polled = future.poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        })
    }
}

/// Runs `future` outside of every request's scope, whichever task polls it.
///
/// It is for work whose result other requests share (single flight): that must not act as the one request
/// that happens to poll it, nor wait for that request's own lookup.
pub(crate) fn outside_of_requests<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Scoped::new(Belonging::to_none(), future)
}
