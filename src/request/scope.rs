//! The scope of a request: a thread-local that is set while a future of the request is polled (decision 44).

use std::cell::RefCell;
use std::future::Future;

use super::RequestContext;
use crate::error::{Error, Result};
use crate::scope::{Belonging, Scoped, ThreadState, is_outside_of_requests, within};
use crate::session::Verified;
use crate::viewer::Viewer;

thread_local! {
    static CURRENT: RefCell<Option<RequestContext>> = const { RefCell::new(None) };
}

const OUTSIDE: &str = "no request is in scope: add the session layer to the router, bind the task with `clearance::spawn` or `in_current_scope`, or use `context.scope`";

/// The scope of a request. A poll after a wait drops a viewer that is older than the cache bound (decision 42).
pub(crate) struct RequestScope {
    context: Option<RequestContext>,
    belonging: Belonging,
}

impl RequestScope {
    fn new(context: RequestContext) -> Self {
        Self {
            context: Some(context),
            belonging: Belonging::to_request(),
        }
    }

    /// Takes the context out, once the work in the scope is done.
    #[cfg(any(feature = "actix-web", feature = "tower"))]
    pub(crate) fn take(&mut self) -> Option<RequestContext> {
        self.context.take()
    }
}

impl ThreadState for RequestScope {
    #[inline]
    fn exchange(&mut self) {
        // A thread that is ending has no scope any more, so that code that runs there is refused.
        let _ending =
            CURRENT.try_with(|current| self.context = current.replace(self.context.take()));
        self.belonging.exchange();
    }

    fn resume(&self) {
        if let Some(context) = &self.context {
            context.renew();
        }
    }
}

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

    pub(crate) fn bind<F: Future>(self, future: F) -> Scoped<RequestScope, F> {
        Scoped::new(RequestScope::new(self), future)
    }

    /// Runs `work`, which is not async, in this request's scope.
    pub fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        within(&mut RequestScope::new(self.clone()), work)
    }

    /// Binds the future that `work` makes in this request's scope.
    #[cfg(any(feature = "actix-web", feature = "tower"))]
    pub(crate) fn call<F: Future>(self, work: impl FnOnce() -> F) -> Scoped<RequestScope, F> {
        let mut scope = RequestScope::new(self);
        let future = within(&mut scope, work);
        Scoped::new(scope, future)
    }
}

/// Applies `look` to the context of the request that this code runs in, if there is one.
#[inline]
fn with_current<T>(look: impl FnOnce(&RequestContext) -> Option<T>) -> Option<T> {
    if is_outside_of_requests() {
        return None;
    }
    CURRENT
        .try_with(|current| current.borrow().as_ref().and_then(look))
        .ok()
        .flatten()
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
