//! Filters and replies for warp.
//!
//! [`SessionLayer`](crate::SessionLayer) goes around [`warp::service`], and so do
//! [gates](crate::route::Gate): both are layers of tower. `warp::serve` takes filters alone, so the
//! service is served by hyper, as `examples/warp.rs` does. Inside of it `verify_session` and
//! repositories find their request, and these filters give a handler what it asks for.
//!
//! A filter that refuses rejects, and warp goes on to the next route. Name the path and the method
//! first, so that nothing is refused for the sake of another route, and end all routes with
//! [`recover`]: warp's own answer to a rejection that it does not know is a 500.
//!
//! A task from `tokio::spawn` has no request and is refused; [`clearance::spawn`](crate::spawn)
//! inherits it. What `warp::ws::Ws::on_upgrade` is given runs in such a task: take [`context()`] before it,
//! and [fork](RequestContext::fork) that once for each message. A streamed body runs in the
//! request's scope.
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
use crate::input::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::route::Gate;
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

/// The viewer of the request; without one it rejects with the error.
pub fn verified<V: Viewer>()
-> impl Filter<Extract = (Verified<V>,), Error = Rejection> + Copy + use<V> {
    warp::any().and_then(|| async { verify_session::<V>().await.map_err(Rejection::from) })
}

/// The viewer, or `None` when nobody is signed in. An outage is an error, not nobody. So is a viewer
/// of whom a [hook](crate::session::SessionHooks::on_verify) wants another proof: 401.
pub fn optional<V: Viewer>()
-> impl Filter<Extract = (Option<Verified<V>>,), Error = Rejection> + Copy + use<V> {
    warp::any()
        .and_then(|| async { or_nobody(verify_session::<V>().await).map_err(Rejection::from) })
}

/// The viewer, read from the store before the handler runs.
pub fn current<V: Viewer>()
-> impl Filter<Extract = (Current<V>,), Error = Rejection> + Copy + use<V> {
    warp::any().and_then(|| async {
        let context = RequestContext::current()?;
        Ok::<_, Rejection>(context.verify_current().await?)
    })
}

/// The request itself, to sign in or out, or to keep for what outlives it.
pub fn context() -> impl Filter<Extract = (RequestContext,), Error = Rejection> + Copy {
    warp::any().and_then(|| async { RequestContext::current().map_err(Rejection::from) })
}

/// What the client sent to be written, unread: a body of JSON of at most `most_bytes`. The handler runs
/// whatever it says, so that nobody learns what a valid body is who may not send one. One whose
/// `Content-Type` is not `application/json`, or ends in `+json`, is refused with 415 where it is opened.
///
/// warp limits no body by itself, so the limit is asked for here: it is that of
/// [`warp::body::content_length_limit`], which answers 413 to a longer body, and 411 to one that does
/// not say how long it is.
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

/// Lets a request pass that [a gate](Gate) lets pass, and rejects any other with its answer. For one
/// route, such as what [`Protect`](crate::route::Protect) stands before: a gate that writes headers on
/// every response, such as [`SecurityHeaders`](crate::route::SecurityHeaders), goes around the service.
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

/// What the filters of this library reject with: [`Rejection::find`] finds it.
///
/// An [`Error`] is not a [`Reject`] by itself, because warp shows a client the debug output of a rejection
/// that nobody [recovers](recover): that of this type is a status.
pub struct Rejected(Why);

enum Why {
    Error(Error),
    Gate(Response<String>),
}

impl Rejected {
    /// Why, where it was not a gate.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        match &self.0 {
            Why::Error(error) => Some(error),
            Why::Gate(_) => None,
        }
    }

    /// The answer: that of the gate, or as [`Error::to_response`] says.
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

/// So that `?` rejects in what is given to [`Filter::and_then`].
impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        warp::reject::custom(Rejected(Why::Error(error)))
    }
}

/// Answers a rejection that is [of this library](Rejected), and passes any other on. To be given to
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

/// As [`Error::to_response`] says.
impl Reply for Error {
    fn into_response(self) -> warp::reply::Response {
        self.to_response().into_response()
    }
}
