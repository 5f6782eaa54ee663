//! Status conversions for tonic, and the session layer around its services.
//!
//! [`SessionLayer`](crate::SessionLayer) goes on `tonic::transport::Server::builder().layer(..)`. It
//! reads the credential from the metadata `cookie`. A service's methods then call `verify_session` and
//! repositories like any other handler, also while they read the messages of a client, and so do the
//! streams that they return; [`RequestContext::current`](crate::RequestContext::current) is the explicit
//! handle, and an interceptor has it too. `?` turns an [`Error`] into a [`Status`].
//!
//! Messages that come from a task of their own, such as those of a channel, are made outside of the
//! request when that task is from `tokio::spawn`, and refused there: use [`clearance::spawn`](crate::spawn).
//!
//! A [gate](crate::route::Gate) answers in HTTP, and without a body here, so that clients see
//! `UNAUTHENTICATED` for its 401 and `PERMISSION_DENIED` for its 403. Put
//! [`GrpcCalls`](crate::route::GrpcCalls) around all services: tonic reads the messages of a call whatever
//! its media type is, and a page of another site can have a browser send some with the user's cookie. Without
//! that gate such a call can change nothing through this library, and sign nobody in or out.
//!
//! # Example
//!
//! ```
//! use clearance::{Viewer, verify_session};
//! use tonic::{Code, Request, Response, Status};
//!
//! #[derive(Viewer)]
//! struct Member { id: i64 }
//!
//! async fn whoami(_: Request<()>) -> Result<Response<i64>, Status> {
//!     let member = verify_session::<Member>().await?;
//!     Ok(Response::new(member.viewer().id))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let nobody = clearance::testing::as_nobody();
//! let status = nobody.scope(whoami(Request::new(()))).await.unwrap_err();
//! assert_eq!(status.code(), Code::Unauthenticated);
//! assert_eq!(status.metadata().get("www-authenticate").unwrap(), "Cookie");
//! # }
//! ```

use std::any::TypeId;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::error::{Error, ErrorKind};
use crate::route::is_grpc;

/// Returns whether a request to services of tonic is no gRPC call. The type of the body shows that the
/// services are tonic's.
pub(super) fn is_no_call<A: 'static>(headers: &HeaderMap) -> bool {
    TypeId::of::<A>() == TypeId::of::<Body>() && !is_grpc(headers)
}

/// Converts the error to a gRPC status ([status codes](https://grpc.io/docs/guides/status-codes/)), by the
/// status that [`Error::status`] gives over HTTP:
///
/// | HTTP | gRPC |
/// |---|---|
/// | 400, 415, 422 | `INVALID_ARGUMENT` |
/// | 401 | `UNAUTHENTICATED` |
/// | 403 | `PERMISSION_DENIED` |
/// | 404 | `NOT_FOUND` |
/// | 409 | `ABORTED` |
/// | 500 | `INTERNAL` |
/// | 503 | `UNAVAILABLE` |
///
/// A conflict is never `ALREADY_EXISTS`, which would reveal the kind of the constraint: it could concern a
/// row that the viewer may not see. The message is that of the error where it tells clients about their own
/// request, and empty for `INTERNAL` and `UNAVAILABLE`. `UNAUTHENTICATED` has the challenge of
/// [`Error::to_response`] as metadata `www-authenticate`, which distinguishes a [step-up](Error::is_step_up).
///
/// The cause of an `INTERNAL` is logged as an event when this is called.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = code(error.kind());
        let message = match code {
            Code::Internal | Code::Unavailable => String::new(),
            _ => error.to_string(),
        };
        let mut answer = error.to_response();
        let mut metadata = HeaderMap::new();
        if let Some(challenge) = answer.headers_mut().remove(WWW_AUTHENTICATE) {
            metadata.insert(WWW_AUTHENTICATE, challenge);
        }
        Self::with_metadata(code, message, MetadataMap::from_headers(metadata))
    }
}

const fn code(kind: &ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid
        | ErrorKind::Malformed
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::Unprocessable(_) => Code::InvalidArgument,
        ErrorKind::Unauthenticated(_) | ErrorKind::StepUp => Code::Unauthenticated,
        ErrorKind::Forbidden | ErrorKind::TooManySessions => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Conflict | ErrorKind::Stale => Code::Aborted,
        ErrorKind::Unavailable(_) | ErrorKind::Contended => Code::Unavailable,
        ErrorKind::PayloadTooLarge { .. }
        | ErrorKind::CookieTooLarge { .. }
        | ErrorKind::Misuse(_)
        | ErrorKind::Configuration(_)
        | ErrorKind::Internal(_)
        | ErrorKind::Unreadable => Code::Internal,
    }
}
