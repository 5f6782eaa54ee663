//! A gate that lets gRPC calls pass alone, against cross-site requests to gRPC services.

use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::answers::for_this_cookie;
use super::gate::{Check, Gate};
use crate::answer::problem;
use crate::events;
use crate::request::verify_session;
use crate::viewer::Viewer;

const GRPC: &[u8] = b"application/grpc";

/// A gate that lets gRPC calls pass, and nothing else: put it around every service, inside of the session
/// layer.
///
/// A gRPC server reads the body of any request as messages. A page of another site can have a browser send a
/// `POST` with the user's cookie and any bytes, without a CORS preflight, as long as its media type is that
/// of a form, `text/plain`, or none. The media types of gRPC and of
/// [gRPC-Web](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md), `application/grpc` and those
/// that begin so, are none of these: for them a browser sends a preflight, and a server that does not answer
/// with CORS headers refuses it.
///
/// Anything else is refused before a message is read and before any handler. Like a body that is no JSON, it
/// gets 401 where nobody is signed in, whatever the method, and otherwise 415 with problem details, as [gRPC
/// over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) specifies. gRPC clients never
/// see that.
///
/// With gRPC-Web put [`Csrf`](super::Csrf) around it, too: pages of other hosts of the same site, and those
/// that CORS headers let in, send the right media type.
///
/// # Example
///
/// ```
/// use clearance::Viewer;
/// use clearance::route::{Gate, GrpcCalls};
///
/// #[derive(Viewer)]
/// struct Member { id: i64 }
///
/// fn gate() -> Gate {
///     GrpcCalls::<Member>::new().build()
/// }
/// ```
pub struct GrpcCalls<V> {
    viewer: PhantomData<fn() -> V>,
}

impl<V: Viewer> GrpcCalls<V> {
    /// Builds the check for services whose viewers are of this type.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            viewer: PhantomData,
        }
    }

    /// Builds the gate.
    #[must_use]
    pub fn build(self) -> Gate {
        Gate::new(self)
    }
}

impl<V: Viewer> Default for GrpcCalls<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> fmt::Debug for GrpcCalls<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcCalls").finish_non_exhaustive()
    }
}

/// Returns whether the request has one media type, and it is gRPC's. Of two, the handler may take either.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let beginning = value.as_bytes().get(..GRPC.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(GRPC))
}

#[async_trait]
impl<V: Viewer> Check for GrpcCalls<V> {
    async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        if is_grpc(&head.headers) {
            return Ok(());
        }
        // INVARIANT (viewer first): as for a body that is no JSON.
        if let Err(error) = verify_session::<V>().await {
            return Err(for_this_cookie(error.to_response()));
        }
        events::forged_request("no media type of gRPC");
        let detail = "a call of gRPC is sent as `application/grpc`";
        let mut answer = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, Some(detail), &[]);
        let accepted = HeaderValue::from_static("application/grpc");
        answer.headers_mut().insert(ACCEPT, accepted);
        Err(answer)
    }
}
