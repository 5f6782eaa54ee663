//! The scope in which code asks for its request: a property of who polls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;

use super::RequestContext;
use crate::error::{Error, Result};
use crate::session::Verified;
use crate::viewer::Viewer;

tokio::task_local! {
    /// `None` where work was taken out of the request's scope; see [`outside_of_requests`].
    static CURRENT: Option<RequestContext>;
}

const OUTSIDE: &str = "no request is in scope: add the session layer to the router, bind the task with `clearance::spawn` or `in_current_scope`, or use `context.scope`";

impl RequestContext {
    /// The context of the request that this code runs in.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when it runs in none: there is no identity to fall back on.
    pub fn current() -> Result<Self> {
        Self::try_current().ok_or_else(|| Error::misuse(OUTSIDE))
    }

    pub(crate) fn try_current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// Runs `future` in this request's scope. Whoever polls it, it sees this request and no other.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.clone().bind(future)
    }

    pub(crate) fn bind<F: Future>(self, future: F) -> Scoped<F> {
        Scoped {
            future: CURRENT.scope(Some(self), Renewing::new(future)),
        }
    }

    /// Runs `work`, which is not async, in this request's scope.
    pub fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Some(self.clone()), work)
    }
}

pin_project! {
    /// A future that sees its request whoever polls it.
    pub(crate) struct Scoped<F> {
        #[pin]
        future: TaskLocalFuture<Option<RequestContext>, Renewing<F>>,
    }
}

impl<F> Scoped<F> {
    /// The request, when the future has nothing more to do.
    pub(crate) fn into_context(self: Pin<&mut Self>) -> Option<RequestContext> {
        self.project().future.take_value().flatten()
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
        self.project().future.poll(cx)
    }
}

pin_project! {
    /// A future that has its request find the viewer anew when it goes on.
    struct Renewing<F> {
        #[pin]
        future: F,
        waited: bool,
    }
}

impl<F> Renewing<F> {
    const fn new(future: F) -> Self {
        let waited = false;
        Self { future, waited }
    }
}

impl<F: Future> Future for Renewing<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Most never wait, and what they find is as young as they are.
        if std::mem::replace(this.waited, true) {
            let _none = CURRENT.try_with(|current| current.as_ref().map(RequestContext::renew));
        }
        this.future.poll(cx)
    }
}

/// The viewer of the request that this code runs in; see [`RequestContext::verify_session`].
///
/// # Errors
///
/// As [`RequestContext::verify_session`], and [`Error::is_misuse`] outside of a request.
pub async fn verify_session<V: Viewer>() -> Result<Verified<V>> {
    let ready = |current: &Option<RequestContext>| current.as_ref().and_then(RequestContext::ready);
    if let Ok(Some(verified)) = CURRENT.try_with(ready) {
        return Ok(verified);
    }
    verify_first().await
}

/// The part of [`verify_session`] that only a request's first call needs.
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

/// Runs `future` in no request's scope, whoever polls it.
///
/// For work whose outcome other requests share: it must not act as the one request that happens
/// to wait for it, nor ask that request for the very answer it waits for.
pub(crate) fn outside_of_requests<F: Future>(future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(None, future)
}
