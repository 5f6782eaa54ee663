//! What stands before handlers, whatever the framework.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use http::{HeaderMap, Response};

/// What a gate does.
#[async_trait]
pub(crate) trait Check: Send + Sync + 'static {
    /// Lets the request pass, or answers it.
    async fn check(&self, head: &Parts) -> Result<(), Response<String>>;

    /// What every response gets, whoever made it.
    fn finish(&self, _: &mut HeaderMap) {}
}

/// Stands before handlers: it lets a request pass, or answers it in their place.
///
/// Each of [`RouteRules`](super::RouteRules), [`Protect`](super::Protect), [`Csrf`](super::Csrf),
/// [`GrpcCalls`](super::GrpcCalls), [`ResourceIsolation`](super::ResourceIsolation) and [`SecurityHeaders`](super::SecurityHeaders) ends
/// as one, and every adapter takes it as its framework takes a middleware. A gate is a convenience: without
/// it, repositories refuse by themselves.
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

    /// Lets a request with this head pass, or gives the answer in the handler's place.
    ///
    /// # Errors
    ///
    /// The answer.
    pub async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        self.check.check(head).await
    }

    /// Writes what every response gets from this gate, that of the gate itself too.
    pub fn finish(&self, headers: &mut HeaderMap) {
        self.check.finish(headers);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
