//! Extractors and responses for axum.

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::optional;
use crate::error::Error;
use crate::repository::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

/// Extracts the viewer of the request; without one the handler does not run.
impl<V: Viewer, S: Sync> FromRequestParts<S> for Verified<V> {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        verify_session().await
    }
}

/// Extracts the viewer, or `None` when nobody is signed in. An outage stays an error, and so does a viewer of
/// whom a [hook](crate::session::SessionHooks::on_verify) wants another proof: 401.
impl<V: Viewer, S: Sync> OptionalFromRequestParts<S> for Verified<V> {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        optional(verify_session().await)
    }
}

/// Extracts the viewer, read from the store before the handler runs.
impl<V: Viewer, S: Sync> FromRequestParts<S> for Current<V> {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        RequestContext::current()?.verify_current().await
    }
}

/// Extracts the request context, to sign in or out.
impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::current()
    }
}

/// Extracts the JSON body without parsing it. The handler runs whatever the body contains, so that a client
/// who may not send one does not learn what a valid one looks like. [Opening](Untrusted::open) a body whose
/// `Content-Type` is neither `application/json` nor a `+json` type fails with 415. axum's `DefaultBodyLimit`
/// limits its size.
impl<T, S: Send + Sync> FromRequest<S> for Untrusted<T> {
    type Rejection = BytesRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, BytesRejection> {
        let media_type = request.headers().get(CONTENT_TYPE).cloned();
        let body = Bytes::from_request(request, state).await?;
        Ok(Self::body(media_type.as_ref(), body))
    }
}

/// Responds with [`Error::to_response`].
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.to_response().map(Body::from)
    }
}
