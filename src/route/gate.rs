//! Gates: checks of requests before their handlers, for every framework.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use http::{HeaderMap, Response};

/// The behaviour of a gate.
#[async_trait]
pub(crate) trait Check: Send + Sync + 'static {
    /// Lets the request pass, or returns a response in the handler's place.
    async fn check(&self, head: &Parts) -> Result<(), Response<String>>;

    /// Adds the headers that every response gets, the gate's own too.
    fn finish(&self, _: &mut HeaderMap) {}
}

/// A check before handlers: it lets a request pass, or responds in the handler's place.
///
/// [`RouteRules`](super::RouteRules), [`Protect`](super::Protect), [`Csrf`](super::Csrf),
/// [`GrpcCalls`](super::GrpcCalls), [`ResourceIsolation`](super::ResourceIsolation) and
/// [`SecurityHeaders`](super::SecurityHeaders) each build one, and every adapter takes it as its framework
/// takes a middleware. A gate is defence in depth: without it, repositories refuse by themselves.
///
/// # Example
///
/// Without an adapter:
///
/// ```
/// use clearance::route::Csrf;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> clearance::Result<()> {
/// let gate = Csrf::new().build()?;
/// let (head, ()) = http::Request::post("/transfer")
///     .header("sec-fetch-site", "cross-site")
///     .body(())
///     .unwrap()
///     .into_parts();
/// let answer = gate.check(&head).await.unwrap_err();
/// assert_eq!(answer.status(), 403);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Gate {
    check: Arc<dyn Check>,
}

impl Gate {
    pub(crate) fn new(check: impl Check) -> Self {
        Self {
            check: Arc::new(check),
        }
    }

    /// Lets a request with this head pass, or returns the response in the handler's place.
    ///
    /// # Errors
    ///
    /// The response.
    pub async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        self.check.check(head).await
    }

    /// Writes the headers that this gate adds to every response, its own too.
    pub fn finish(&self, headers: &mut HeaderMap) {
        self.check.finish(headers);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
