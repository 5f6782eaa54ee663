//! Filters and replies for warp.
//!
//! [`SessionLayer`](crate::SessionLayer) goes around [`warp::service`], and so do
//! [gates](crate::route::Gate): both are layers of tower. `warp::serve` takes filters alone, so the
//! service is served by hyper, as `examples/warp.rs` does. Inside of it `verify_session` and
//! repositories find their request, and these filters give a handler what it asks for.
//!
//! A filter that refuses rejects, and warp tries the next route. Name the path and the method first, so that
//! nothing is refused for the sake of another route, and end all routes with [`recover`]: warp's own response
//! to an unknown rejection is a 500.
//!
//! A task from `tokio::spawn` has no request and is refused; [`clearance::spawn`](crate::spawn) inherits it.
//! The callback of `warp::ws::Ws::on_upgrade` runs in such a task: take [`context()`] before it, and
//! [fork](RequestContext::fork) that once for each message. A streamed body runs in the request's scope.
//!
//! # Example
//!
//! ```
//! use clearance::adapter::warp::{optional, recover, verified};
//! use clearance::{Error, Sessions, SessionLayer, Verified, Viewer};
//! use tower::ServiceBuilder;
//! use warp::{Filter, Rejection, Reply};
//!
//! #[derive(Viewer)]
//! struct Member { id: i64 }
//!
//! fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
//!     let account = warp::path!("account")
//!         .and(warp::get())
//!         .and(verified::<Member>())
//!         .map(|member: Verified<Member>| format!("account {}", member.viewer().id));
//!     let home = warp::path::end()
//!         .and(warp::get())
//!         .and(optional::<Member>())
//!         .map(|member: Option<Verified<Member>>| match member {
//!             Some(_) => "welcome back",
//!             None => "welcome",
//!         });
//!     account.or(home).recover(recover)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # use clearance::session::MemorySessionStore;
//! # use clearance::{Key, SourceError, Subject, ViewerSource, async_trait};
//! # struct Members;
//! # #[async_trait]
//! # impl ViewerSource<Member> for Members {
//! #     async fn load(&self, _: &Subject) -> Result<Option<Member>, SourceError> { Ok(None) }
//! # }
//! # let sessions = Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), Members)
//! #     .app_url("https://app.example").build().unwrap();
//! let service = ServiceBuilder::new()
//!     .layer(SessionLayer::new(sessions))
//!     .service(warp::service(routes()));
//! # use tower::ServiceExt;
//! # let request = |path| http::Request::get(path).body(String::new()).unwrap();
//! # let status = |path| { let call = service.clone().oneshot(request(path)); async { call.await.unwrap().status() } };
//! # assert_eq!(status("/").await, 200);
//! # assert_eq!(status("/account").await, 401);
//! # assert_eq!(status("/other").await, 404);
//! # }
//! ```

use std::fmt;

use http::header::CONTENT_TYPE;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use warp::path::FullPath;
use warp::reject::Reject;
use warp::{Filter, Rejection, Reply};

use super::optional as or_nobody;
use crate::error::Error;
use crate::repository::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::route::Gate;
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

/// Extracts the viewer of the request; without one it rejects with the error.
pub fn verified<V: Viewer>()
-> impl Filter<Extract = (Verified<V>,), Error = Rejection> + Copy + use<V> {
    warp::any().and_then(|| async { verify_session::<V>().await.map_err(Rejection::from) })
}

/// Extracts the viewer, or `None` when nobody is signed in. An outage stays an error, and so does a viewer of
/// whom a [hook](crate::session::SessionHooks::on_verify) wants another proof: 401.
pub fn optional<V: Viewer>()
-> impl Filter<Extract = (Option<Verified<V>>,), Error = Rejection> + Copy + use<V> {
    warp::any()
        .and_then(|| async { or_nobody(verify_session::<V>().await).map_err(Rejection::from) })
}

/// Extracts the viewer, read from the store before the handler runs.
pub fn current<V: Viewer>()
-> impl Filter<Extract = (Current<V>,), Error = Rejection> + Copy + use<V> {
    warp::any().and_then(|| async {
        let context = RequestContext::current()?;
        Ok::<_, Rejection>(context.verify_current().await?)
    })
}

/// Extracts the request context, to sign in or out, or to keep for work that outlives the request.
pub fn context() -> impl Filter<Extract = (RequestContext,), Error = Rejection> + Copy {
    warp::any().and_then(|| async { RequestContext::current().map_err(Rejection::from) })
}

/// Extracts a JSON body of at most `most_bytes` without parsing it. The handler runs whatever the body
/// contains, so that a client who may not send one does not learn what a valid one looks like.
/// [Opening](Untrusted::open) a body whose `Content-Type` is neither `application/json` nor a `+json` type
/// fails with 415.
///
/// warp limits no body by itself, so the limit is a parameter: it is that of
/// [`warp::body::content_length_limit`], which answers 413 to a longer body, and 411 to one without a
/// `Content-Length`.
pub fn untrusted<T: Send + 'static>(
    most_bytes: u64,
) -> impl Filter<Extract = (Untrusted<T>,), Error = Rejection> + Copy + use<T> {
    let media_type = warp::header::value(CONTENT_TYPE.as_str())
        .map(Some)
        .or(warp::any().map(|| None))
        .unify();
    warp::body::content_length_limit(most_bytes)
        .and(media_type)
        .and(warp::body::bytes())
        .map(|media_type: Option<_>, body| Untrusted::body(media_type.as_ref(), body))
}

/// Checks requests with [a gate](Gate), and rejects those that it refuses with its response. It is for single
/// routes, with a [`Protect`](crate::route::Protect) for example: a gate that writes headers on every
/// response, such as [`SecurityHeaders`](crate::route::SecurityHeaders), goes around the service.
pub fn gate(gate: Gate) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    let query = warp::query::raw()
        .map(|query| format!("?{query}"))
        .or(warp::any().map(String::new))
        .unify();
    warp::method()
        .and(warp::host::optional())
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and_then(
            move |method, host: Option<Authority>, path: FullPath, query: String, headers| {
                let gate = gate.clone();
                async move {
                    let mut uri = Uri::builder().path_and_query(path.as_str().to_owned() + &query);
                    if let Some(host) = host {
                        uri = uri.scheme(Scheme::HTTP).authority(host);
                    }
                    let (mut head, ()) = Request::new(()).into_parts();
                    head.uri = uri.build().map_err(|_| warp::reject::not_found())?;
                    head.method = method;
                    head.headers = headers;
                    let refused = |answer| Rejected(Why::Gate(answer));
                    gate.check(&head).await.map_err(refused)?;
                    Ok::<_, Rejection>(())
                }
            },
        )
        .untuple_one()
}

/// The rejection of this library's filters: [`Rejection::find`] finds it.
///
/// An [`Error`] is not a [`Reject`] by itself, because warp shows a client the debug output of a rejection
/// that nobody [recovers](recover): that of this type is a status.
pub struct Rejected(Why);

enum Why {
    Error(Error),
    Gate(Response<String>),
}

impl Rejected {
    /// Returns the error, unless a gate rejected.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        match &self.0 {
            Why::Error(error) => Some(error),
            Why::Gate(_) => None,
        }
    }

    /// Returns the response: that of the gate, or [`Error::to_response`].
    #[must_use]
    pub fn to_response(&self) -> Response<String> {
        match &self.0 {
            Why::Error(error) => error.to_response(),
            Why::Gate(answer) => answer.clone(),
        }
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match &self.0 {
            Why::Error(error) => error.status(),
            Why::Gate(answer) => answer.status().as_u16(),
        };
        f.debug_tuple("Rejected").field(&status).finish()
    }
}

impl Reject for Rejected {}

/// Makes `?` reject in the functions given to [`Filter::and_then`].
impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        warp::reject::custom(Rejected(Why::Error(error)))
    }
}

/// Responds to a rejection [of this library](Rejected), and passes any other on. Give it to
/// [`Filter::recover`], around all routes.
///
/// # Errors
///
/// Any other rejection.
pub async fn recover(rejection: Rejection) -> Result<impl Reply, Rejection> {
    match rejection.find() {
        Some(rejected) => Ok(Rejected::to_response(rejected)),
        None => Err(rejection),
    }
}

/// Responds with [`Error::to_response`].
impl Reply for Error {
    fn into_response(self) -> warp::reply::Response {
        self.to_response().into_response()
    }
}
