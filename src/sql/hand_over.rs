//! A connection that goes on to a request's next statement, with no way back to the pool between.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

thread_local! {
    /// What a statement that has ended well left.
    static LEFT: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
    /// Whether statements leave their connection.
    static LEAVES: Cell<bool> = const { Cell::new(false) };
    /// The poll of a request that is under way, by the address of what it is polled with.
    static POLL: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Leaves a connection for the next statement, where [`hand_over`] says so.
pub(super) fn leave<T: Any>(connection: T) {
    if LEAVES.get() {
        LEFT.set(Some(Box::new(connection)));
    }
}

/// The connection that was left, if it is one of those sought.
pub(super) fn take<T: Any>(is_sought: impl FnOnce(&T) -> bool) -> Option<T> {
    let left = LEFT.take()?;
    if left.downcast_ref().is_some_and(is_sought) {
        return left.downcast().ok().map(|left| *left);
    }
    LEFT.set(Some(left));
    None
}

fn give_back() {
    // A thread that is ending has nothing.
    let _ending = LEFT.try_with(Cell::take);
}

/// Polls a request. A connection that was left meanwhile and that nobody took is given back to its pool
/// before anything else can run, also when `poll` panics.
#[inline]
pub(crate) fn within_poll<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    struct End(Option<usize>);

    impl Drop for End {
        #[inline]
        fn drop(&mut self) {
            POLL.set(self.0);
            give_back();
        }
    }

    let _end = End(POLL.replace(Some(address(cx))));
    poll(cx)
}

fn address(cx: &Context<'_>) -> usize {
    std::ptr::from_ref(cx).addr()
}

pin_project! {
    pub(crate) struct HandOver<F> {
        #[pin]
        future: F,
    }
}

/// Has the statements of `future` leave their connection for the next one of the request.
///
/// None is kept while the request waits, for [`within_poll`] gives it back then. That sees a wait only if
/// `future` is polled within the poll of the request and not by something of its own, such as what blocks
/// the thread until `future` is ready. Where it is, nothing is left.
pub(crate) const fn hand_over<F: Future>(future: F) -> HandOver<F> {
    HandOver { future }
}

impl<F: Future> Future for HandOver<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        struct End(bool);

        impl Drop for End {
            fn drop(&mut self) {
                LEAVES.set(self.0);
            }
        }

        let is_seen = POLL.get() == Some(address(cx));
        let _end = End(LEAVES.replace(is_seen));
        self.project().future.poll(cx)
    }
}
