//! The scope of a request: a thread-local that is set while a future of the request is polled (decision 44).

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::RequestContext;
use crate::error::{Error, Result};
use crate::session::Verified;
use crate::viewer::Viewer;

thread_local! {
    static CURRENT: RefCell<Option<RequestContext>> = const { RefCell::new(None) };
}

const OUTSIDE: &str = "no request is in scope: add the session layer to the router, bind the task with `clearance::spawn` or `in_current_scope`, or use `context.scope`";

impl RequestContext {
    /// Returns the context of the request that this code runs in.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when it runs in none: there is no identity to fall back on.
    pub fn current() -> Result<Self> {
        Self::try_current().ok_or_else(|| Error::misuse(OUTSIDE))
    }

    pub(crate) fn try_current() -> Option<Self> {
        with_current(|current| Some(current.clone()))
    }

    /// Runs `future` in this request's scope. It sees this request and no other, whichever task polls it.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.clone().bind(future)
    }

    pub(crate) fn bind<F: Future>(self, future: F) -> Scoped<F> {
        Scoped::new(Some(self), future)
    }

    /// Runs `work`, which is not async, in this request's scope.
    pub fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        within(&mut Some(self.clone()), work)
    }

    /// Binds the future that `work` makes in this request's scope.
    #[cfg(any(feature = "actix-web", feature = "tower"))]
    pub(crate) fn call<F: Future>(self, work: impl FnOnce() -> F) -> Scoped<F> {
        let mut context = Some(self);
        let future = within(&mut context, work);
        Scoped::new(context, future)
    }
}

/// Runs `work` in the scope of this request, or of none, and then leaves the scope, also when `work` panics.
#[inline]
fn within<T>(context: &mut Option<RequestContext>, work: impl FnOnce() -> T) -> T {
    struct Leave<'a>(&'a mut Option<RequestContext>);

    impl Drop for Leave<'_> {
        #[inline]
        fn drop(&mut self) {
            swap(self.0);
        }
    }

    /// A thread that is ending has no scope any more, so that code that runs there is refused.
    #[inline]
    fn swap(context: &mut Option<RequestContext>) {
        let _ending = CURRENT.try_with(|current| *context = current.replace(context.take()));
    }

    swap(context);
    let _leave = Leave(context);
    work()
}

/// Applies `look` to the context of the request that this code runs in, if there is one.
#[inline]
fn with_current<T>(look: impl FnOnce(&RequestContext) -> Option<T>) -> Option<T> {
    CURRENT
        .try_with(|current| current.borrow().as_ref().and_then(look))
        .ok()
        .flatten()
}

pin_project! {
    /// A future that is polled in its request's scope, whichever task polls it. A poll after a wait drops a
    /// viewer that is older than the cache bound (decision 42).
    pub(crate) struct Scoped<F> {
        #[pin]
        future: Option<F>,
        context: Option<RequestContext>,
        waited: bool,
    }

    impl<F> PinnedDrop for Scoped<F> {
        // The values that the future holds are dropped in its scope.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                within(this.context, || this.future.set(None));
            }
        }
    }
}

impl<F> Scoped<F> {
    const fn new(context: Option<RequestContext>, future: F) -> Self {
        Self {
            future: Some(future),
            context,
            waited: false,
        }
    }

    /// Takes the context out, once the future has completed.
    #[cfg(any(feature = "actix-web", feature = "tower"))]
    pub(crate) fn into_context(self: Pin<&mut Self>) -> Option<RequestContext> {
        self.project().context.take()
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // Most futures never wait, so the first poll skips the check: what they find is as recent as they are
        // (decision 42).
        if std::mem::replace(this.waited, true)
            && let Some(context) = this.context
        {
            context.renew();
        }
        within(this.context, || {
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

/// Returns the viewer of the request that this code runs in; see [`RequestContext::verify_session`].
///
/// # Errors
///
/// As [`RequestContext::verify_session`], and [`Error::is_misuse`] outside of a request.
pub async fn verify_session<V: Viewer>() -> Result<Verified<V>> {
    if let Some(verified) = with_current(RequestContext::ready) {
        return Ok(verified);
    }
    verify_first().await
}

/// Verifies the session on a request's first call: the cold path of [`verify_session`].
async fn verify_first<V: Viewer>() -> Result<Verified<V>> {
    let request = RequestContext::current()?;
    let slot = request.slot::<V>()?;
    slot.verify(&request.inner.first, || request.origin()).await
}

/// Spawns `future` on tokio, in the scope of this request. A task from `tokio::spawn` has no
/// request, so it is refused.
///
/// The task keeps the request's context alive for as long as it runs.
///
/// # Errors
///
/// [`Error::is_misuse`] outside of a request.
pub fn spawn<F>(future: F) -> Result<tokio::task::JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(tokio::spawn(in_current_scope(future)?))
}

/// Binds `future` to this request, for when another task polls it.
///
/// # Errors
///
/// [`Error::is_misuse`] outside of a request.
pub fn in_current_scope<F: Future>(future: F) -> Result<impl Future<Output = F::Output> + use<F>> {
    Ok(RequestContext::current()?.bind(future))
}

/// Runs `future` outside of every request's scope, whichever task polls it.
///
/// It is for work whose result other requests share (single flight): that must not act as the one request
/// that happens to poll it, nor wait for that request's own lookup.
pub(crate) fn outside_of_requests<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Scoped::new(None, future)
}
