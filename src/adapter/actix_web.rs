//! Middleware, extractors and responses for actix-web 4.
//!
//! [`SessionLayer`](crate::SessionLayer) and [`Gate`](crate::route::Gate) are middleware: they go into
//! `wrap`, of an `App`, of a scope or of a resource. The last `wrap` is the outermost. Handlers take
//! [`Verified<V>`], [`Current<V>`], [`Optional<V>`], [`RequestContext`] and [`Untrusted<T>`], or nothing, and
//! return `clearance::Result<impl Responder>`.
//!
//! ```
//! use actix_web::{App, HttpServer, web};
//! use clearance::{SessionLayer, Sessions, Verified};
//!
//! # #[derive(clearance::Viewer)]
//! # struct Member { id: i64, name: String }
//! async fn hello(member: Verified<Member>) -> String {
//!     format!("Hello {}", member.viewer().name)
//! }
//!
//! async fn serve(sessions: Sessions<Member>) -> std::io::Result<()> {
//!     // Outside of the closure, which runs once in each worker.
//!     let layer = SessionLayer::new(sessions);
//!     HttpServer::new(move || {
//!         App::new()
//!             .route("/", web::get().to(hello))
//!             .wrap(layer.clone())
//!     })
//!     .h1_allow_half_closed(false)
//!     .bind(("127.0.0.1", 8080))?
//!     .run()
//!     .await
//! }
//! ```
//!
//! - **Tasks.** [`clearance::spawn`](crate::spawn) gives a task the request's scope. A future that is not
//!   `Send` goes to `actix_web::rt::spawn` through [`in_current_scope`](crate::in_current_scope), and a
//!   closure of `web::block` through [`RequestContext::sync_scope`]. A task without one of them is in no
//!   request, so it is refused.
//! - **Upgrades.** A WebSocket outlives its handler: take the [`RequestContext`], and
//!   [`fork`](RequestContext::fork) it once for each message.
//! - **Optional viewers.** `Option<Verified<V>>` compiles, because actix-web has an `Option` of every
//!   extractor, and is `None` for an outage too. [`Optional<V>`] tells them apart.
//! - **Clients that go away.** actix-web lets HTTP/1 clients close their half of a connection and still read
//!   the response, so it notices a disconnected client only when it writes again: until then it keeps the
//!   handler or body that waits, and its request with it. `HttpServer::h1_allow_half_closed(false)` ends them
//!   at once.

mod convert;
mod middleware;

use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use futures_util::future::LocalBoxFuture;

use self::convert::{edit, value};
pub use self::middleware::{GateService, ScopedBody, ScopedFuture, SessionService};
use super::Optional;
use crate::error::{Error, Result};
use crate::repository::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

/// Extracts the viewer of the request; without one the handler does not run.
impl<V: Viewer> FromRequest for Verified<V> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(verify_session())
    }
}

/// Extracts the viewer, or `None` when nobody is signed in; actix-web's own `Option` of an extractor is
/// `None` for every error.
impl<V: Viewer> FromRequest for Optional<V> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::find())
    }
}

/// Extracts the viewer, read from the store before the handler runs.
impl<V: Viewer> FromRequest for Current<V> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(async { RequestContext::current()?.verify_current().await })
    }
}

/// Extracts the request context, to sign in or out.
impl FromRequest for RequestContext {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::current())
    }
}

/// Extracts the JSON body without parsing it. The handler runs whatever the body contains, so that a client
/// who may not send one does not learn what a valid one looks like. [Opening](Untrusted::open) a body whose
/// `Content-Type` is neither `application/json` nor a `+json` type fails with 415. actix-web's
/// `PayloadConfig` limits its size.
impl<T: 'static> FromRequest for Untrusted<T> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = request.headers().get(CONTENT_TYPE).and_then(value);
        let body = Bytes::from_request(request, payload);
        Box::pin(async move { Ok(Self::body(media_type.as_ref(), body.await?)) })
    }
}

/// Responds with [`Error::to_response`].
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        response(self.to_response())
    }
}

/// Converts a response of this library, such as that of [`session_state`](crate::route::session_state), to
/// one of actix-web.
///
/// # Example
///
/// ```
/// use actix_web::HttpResponse;
/// use clearance::{adapter::actix_web::response, route::session_state};
///
/// # #[derive(clearance::Viewer)]
/// # struct Member { id: i64 }
/// async fn state() -> HttpResponse {
///     response(session_state::<Member>().await)
/// }
/// # let _ = actix_web::web::get().to(state);
/// ```
#[must_use]
pub fn response(answer: http::Response<String>) -> HttpResponse {
    let (head, text) = answer.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(text));
    edit(response.headers_mut(), |headers| *headers = head.headers);
    response
}
