//! Middleware, extractors and responses for poem.
//!
//! [`SessionLayer`] and every [`Gate`] is a [`Middleware`]: `route.with(gate).with(layer)`, the last one
//! outermost. Inside, handlers take [`Verified`], [`Optional`], [`Current`], [`RequestContext`] and
//! [`Untrusted`], and return [`Result`](crate::Result).
//!
//! # Example
//!
//! ```
//! use clearance::adapter::Optional;
//! use clearance::{Result, Sessions, SessionLayer, Verified, Viewer};
//! use poem::{Endpoint, EndpointExt, Route, get, handler};
//!
//! #[derive(Viewer)]
//! struct Member { id: i64 }
//!
//! #[handler]
//! async fn account(member: Verified<Member>) -> String {
//!     format!("account {}", member.viewer().id)
//! }
//!
//! #[handler]
//! async fn home(Optional(member): Optional<Member>) -> &'static str {
//!     if member.is_some() { "welcome back" } else { "welcome" }
//! }
//!
//! fn app(sessions: Sessions<Member>) -> impl Endpoint {
//!     Route::new()
//!         .at("/account", get(account))
//!         .at("/", get(home))
//!         .with(SessionLayer::new(sessions))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # use clearance::session::MemorySessionStore;
//! # use clearance::{Key, SourceError, Subject, ViewerSource, async_trait};
//! # struct Members;
//! # #[async_trait]
//! # impl ViewerSource<Member> for Members {
//! #     async fn load(&self, _: &Subject) -> std::result::Result<Option<Member>, SourceError> { Ok(None) }
//! # }
//! # let sessions = Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), Members)
//! #     .app_url("https://app.example").build().unwrap();
//! # let app = app(sessions);
//! # let status = async |path: &'static str| {
//! #     let request = poem::Request::builder().uri(path.parse().unwrap()).finish();
//! #     app.get_response(request).await.status()
//! # };
//! # assert_eq!(status("/").await, 200);
//! # assert_eq!(status("/account").await, 401);
//! # assert_eq!(status("/other").await, 404);
//! # }
//! ```
//!
//! # What to know
//!
//! - A task from `tokio::spawn` has no request and is refused; [`clearance::spawn`](crate::spawn) inherits
//!   it. A streamed body and server-sent events run in their request's scope.
//! - What `WebSocket::on_upgrade` is given runs in a task of its own: take [`RequestContext`] in the
//!   handler, and [fork](RequestContext::fork) it once for each message.
//! - `Option<Verified<V>>` is poem's own, and `None` for an outage too: take [`Optional`].
//! - An error becomes its response where it passes a layer or a gate, because cookies and headers are
//!   written on responses: `catch_error` and the like go inside.
//! - A gate judges the URI as the client sent it, whatever `nest` has cut off or a middleware has
//!   rewritten.
//! - poem reads bodies of any size, unless `SizeLimit` is around the route.

use std::fmt;
use std::net::SocketAddr;

use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use poem::error::ResponseError;
use poem::{Body, Endpoint, FromRequest, IntoResponse, Middleware, Request, RequestBody, Response};

use super::body::ScopedBody;
use super::{Optional, SessionLayer, head};
use crate::error::Error;
use crate::repository::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::route::Gate;
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

impl<V: Viewer, E: Endpoint> Middleware<E> for SessionLayer<V> {
    type Output = SessionEndpoint<V, E>;

    fn transform(&self, inner: E) -> Self::Output {
        SessionEndpoint {
            inner,
            layer: self.clone(),
        }
    }
}

/// The endpoint that [`SessionLayer`] wraps around another one.
pub struct SessionEndpoint<V, E> {
    inner: E,
    layer: SessionLayer<V>,
}

impl<V, E> fmt::Debug for SessionEndpoint<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEndpoint").finish_non_exhaustive()
    }
}

impl<V: Viewer, E: Endpoint> Endpoint for SessionEndpoint<V, E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
        let context = self
            .layer
            .context(request.method(), request.headers(), peer);
        let mut response = context.scope(self.inner.get_response(request)).await;
        let body = BoxBody::from(response.take_body());
        let body = ScopedBody::finish(context, response.headers_mut(), body);
        // poem's own conversions between bodies lose the length.
        response.set_body(BoxBody::new(body));
        Ok(response)
    }
}

impl<E: Endpoint> Middleware<E> for Gate {
    type Output = GateEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        GateEndpoint {
            inner,
            gate: self.clone(),
        }
    }
}

/// The endpoint that a [`Gate`] wraps around another one.
pub struct GateEndpoint<E> {
    inner: E,
    gate: Gate,
}

impl<E> fmt::Debug for GateEndpoint<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateEndpoint").finish_non_exhaustive()
    }
}

impl<E: Endpoint> Endpoint for GateEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let head = head(request.method(), uri(&request), request.headers());
        let mut response = match self.gate.check(&head).await {
            Ok(()) => self.inner.get_response(request).await,
            Err(answer) => respond(answer),
        };
        self.gate.finish(response.headers_mut());
        Ok(response)
    }
}

/// Returns the URI as the client sent it. Requests that no server received, such as those of poem's test
/// client, have only the current one.
fn uri(request: &Request) -> &Uri {
    let sent = request.original_uri();
    if *sent == Uri::default() {
        request.uri()
    } else {
        sent
    }
}

fn respond(answer: http::Response<String>) -> Response {
    let (head, text) = answer.into_parts();
    (head.status, head.headers, Body::from(text)).into_response()
}

/// Extracts the viewer of the request; without one the handler does not run.
impl<'a, V: Viewer> FromRequest<'a> for Verified<V> {
    async fn from_request(_: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(verify_session().await?)
    }
}

/// Extracts the viewer, or `None` when nobody is signed in.
impl<'a, V: Viewer> FromRequest<'a> for Optional<V> {
    async fn from_request(_: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::find().await?)
    }
}

/// Extracts the viewer, read from the store before the handler runs.
impl<'a, V: Viewer> FromRequest<'a> for Current<V> {
    async fn from_request(_: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(RequestContext::current()?.verify_current().await?)
    }
}

/// Extracts the request context, to sign in or out.
impl<'a> FromRequest<'a> for RequestContext {
    async fn from_request(_: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::current()?)
    }
}

/// Extracts the JSON body without parsing it. The handler runs whatever the body contains, so that a client
/// who may not send one does not learn what a valid one looks like. [Opening](Untrusted::open) a body whose
/// `Content-Type` is neither `application/json` nor a `+json` type fails with 415. poem's `SizeLimit` limits
/// its size, where that is around the route.
impl<'a, T> FromRequest<'a> for Untrusted<T> {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = body.take()?.into_vec().await?;
        Ok(Self::body(request.headers().get(CONTENT_TYPE), bytes))
    }
}

/// Responds with [`Error::to_response`].
impl ResponseError for Error {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn as_response(&self) -> Response {
        respond(self.to_response())
    }
}
