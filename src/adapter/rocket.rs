//! Rocket 0.5: the session layer and gates as fairings, guards, responders.
//!
//! ```
//! use clearance::adapter::rocket::scoped;
//! use clearance::{SessionLayer, Sessions, Verified, Viewer};
//! use rocket::{Build, Rocket, get, routes};
//!
//! #[derive(Viewer)]
//! struct Member { id: i64 }
//!
//! #[get("/me")]
//! fn me(member: Verified<Member>) -> String {
//!     format!("You are {}", member.viewer().id)
//! }
//!
//! fn app(sessions: Sessions<Member>) -> Rocket<Build> {
//!     rocket::build()
//!         .attach(SessionLayer::new(sessions))
//!         .mount("/", scoped(routes![me]))
//! }
//! ```
//!
//! It takes two parts: the [`SessionLayer`], attached, gives each request its context and writes the headers
//! of each response, also where a catcher answers; [`scoped`] runs a route or a catcher in that context. A
//! fairing alone cannot do the second. Neither can be forgotten silently: Rocket does not launch with a guard
//! of this library and no session layer, and guards and repositories refuse a route that is not scoped.
//!
//! # Guards
//!
//! [`Verified`](crate::Verified), [`Current`](crate::Current) and [`RequestContext`] are request guards,
//! [`Untrusted`](crate::Untrusted) is a data guard. What a guard fails with, a scoped route answers as
//! [`Error::to_response`](crate::Error::to_response) says, unless a catcher is registered for that status.
//!
//! Rocket makes `None` of every error of an optional guard. Here an error other than that nobody is signed in
//! stays the answer of the request, whatever the handler made of `None`. The same holds for
//! `Result<Verified<V>, Error>`: to handle an outage, call [`verify_session`](crate::verify_session).
//!
//! # What goes on beside a request
//!
//! [`spawn`](crate::spawn) gives a task the request's scope; one of `rocket::tokio::spawn` has none, and is
//! refused. An upgraded connection outlives its request: [fork](RequestContext::fork) the context for each
//! message. Rocket notices only by writing that a client is gone: until then it keeps a body that waits, and
//! that body keeps its context.

mod body;
mod gate;
mod guards;
mod heads;

use std::io::Cursor;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Response as HttpResponse;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::response::{self, Responder};
use rocket::{Build, Catcher, Data, Request, Response, Rocket, Route, catcher, route};

pub use self::gate::behind;
use super::SessionLayer;
use crate::error::Error;
use crate::request::RequestContext;
use crate::viewer::Viewer;

/// Runs each of these routes or catchers in the context of its request: its guards, its handler and the
/// responder. The attached [`SessionLayer`] does the same for streamed bodies.
///
/// # Example
///
/// ```
/// use clearance::adapter::rocket::scoped;
/// use clearance::{Error, verify_session};
/// use rocket::{Build, Rocket, catch, catchers, get, routes};
///
/// # #[derive(clearance::Viewer)]
/// # struct Member { id: i64 }
/// #[get("/")]
/// async fn index() -> Result<String, Error> {
///     let member = verify_session::<Member>().await?;
///     Ok(format!("You are {}", member.viewer().id))
/// }
///
/// #[catch(404)]
/// async fn nothing_here() -> &'static str {
///     match verify_session::<Member>().await {
///         Ok(_) => "There is nothing here",
///         Err(_) => "Sign in first",
///     }
/// }
///
/// fn mount(rocket: Rocket<Build>) -> Rocket<Build> {
///     rocket
///         .mount("/", scoped(routes![index]))
///         .register("/", scoped(catchers![nothing_here]))
/// }
/// ```
#[must_use = "only what it returns is scoped"]
pub fn scoped<H: Handler>(handlers: Vec<H>) -> Vec<H> {
    handlers.into_iter().map(Handler::scoped).collect()
}

/// A handler that [`scoped`] accepts: a route or a catcher. The trait is sealed.
pub trait Handler: sealed::Sealed {
    #[doc(hidden)]
    #[must_use]
    fn scoped(self) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for rocket::Route {}
    impl Sealed for rocket::Catcher {}
}

impl Handler for Route {
    fn scoped(mut self) -> Self {
        self.handler = Box::new(Scoped(self.handler));
        self
    }
}

impl Handler for Catcher {
    fn scoped(mut self) -> Self {
        self.handler = Box::new(Scoped(self.handler));
        self
    }
}

/// A handler that runs in its request's scope, if the request has one.
#[derive(Clone)]
struct Scoped<H>(H);

#[rocket::async_trait]
impl route::Handler for Scoped<Box<dyn route::Handler>> {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        let outcome = match context(request) {
            Some(context) => {
                let handled = context.sync_scope(|| self.0.handle(request, data));
                context.bind(handled).await
            }
            None => self.0.handle(request, data).await,
        };
        answer(request, outcome)
    }
}

#[rocket::async_trait]
impl catcher::Handler for Scoped<Box<dyn catcher::Handler>> {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        match context(request) {
            Some(context) => {
                let handled = context.sync_scope(|| self.0.handle(status, request));
                context.bind(handled).await
            }
            None => self.0.handle(status, request).await,
        }
    }
}

/// Returns the response of a route: that of a failed guard's error, unless the application has a catcher for
/// its status, or the handler ran without an optional viewer.
fn answer<'r>(request: &'r Request<'_>, outcome: route::Outcome<'r>) -> route::Outcome<'r> {
    let Some(error) = lock(&kept(request).failure).take() else {
        return outcome;
    };
    let status = Status::new(error.status());
    let stands = match &outcome {
        Outcome::Error(why) => *why == status,
        Outcome::Success(_) | Outcome::Forward(_) => false,
    };
    if !stands && error.is_unauthenticated() {
        // The handler accepted a request without a viewer.
        return outcome;
    }
    if is_caught(request, status) {
        return Outcome::Error(status);
    }
    Outcome::Success(respond(error.to_response()))
}

/// Returns whether the application has a catcher of its own for this status at the request's path.
fn is_caught(request: &Request<'_>, status: Status) -> bool {
    let path = request.uri().path();
    request.rocket().catchers().any(|catcher| {
        catcher.code.is_none_or(|code| code == status.code)
            && catcher.base.path().segments().prefix_of(path.segments())
    })
}

/// The state of a request in Rocket's local cache.
#[derive(Default)]
struct Kept {
    context: Mutex<Option<RequestContext>>,
    /// The error of a guard that failed.
    failure: Mutex<Option<Error>>,
    /// The response of a gate, to be sent in the handler's place.
    refusal: Mutex<Option<HttpResponse<String>>>,
}

fn kept<'r>(request: &'r Request<'_>) -> &'r Kept {
    request.local_cache(Kept::default)
}

fn context(request: &Request<'_>) -> Option<RequestContext> {
    lock(&kept(request).context).clone()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A managed marker: a session layer is attached.
struct Attached;

/// The fairing gives each request its context, and writes the headers of each response. It goes with
/// [`scoped`]. Attach it before gates, and after every fairing that changes a request's method, headers or
/// address.
#[rocket::async_trait]
impl<V: Viewer> Fairing for SessionLayer<V> {
    fn info(&self) -> Info {
        Info {
            name: "Session layer",
            kind: Kind::Ignite | Kind::Request | Kind::Response | Kind::Singleton,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let attached = rocket.state::<Attached>().is_some();
        Ok(if attached {
            rocket
        } else {
            rocket.manage(Attached)
        })
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        // `client_ip` is not used: it trusts a header.
        let peer = request.remote().map(|peer| peer.ip());
        let headers = heads::of_request(request);
        let context = self.context(&heads::method(request), &headers, peer);
        *lock(&kept(request).context) = Some(context);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let kept = kept(request);
        // A route that is not scoped may hide the error.
        if let Some(error) = lock(&kept.failure).take()
            && !error.is_unauthenticated()
        {
            *response = respond(error.to_response());
        }
        // From here on the body holds the context, if there is one.
        let Some(context) = lock(&kept.context).take() else {
            return;
        };
        let size = context.scope(response.body_mut().size()).await;
        let reads_later = response.body().is_some() && size.is_none();
        heads::change(response, |headers| {
            context.write_headers(headers, reads_later);
        });
        body::scope(response, context);
    }
}

/// A responder for responses of the library, such as that of [`session_state`](crate::route::session_state).
///
/// # Example
///
/// ```
/// use clearance::adapter::rocket::Answer;
/// use clearance::route::session_state;
///
/// # #[derive(clearance::Viewer)]
/// # struct Member { id: i64 }
/// #[rocket::get("/session")]
/// async fn session() -> Answer {
///     Answer(session_state::<Member>().await)
/// }
/// ```
#[derive(Debug)]
pub struct Answer(pub HttpResponse<String>);

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(self.0))
    }
}

/// Responds with [`Error::to_response`].
impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(self.to_response()))
    }
}

fn respond(answer: HttpResponse<String>) -> Response<'static> {
    let (head, text) = answer.into_parts();
    let mut response = Response::new();
    response.set_status(Status::new(head.status.as_u16()));
    heads::add(&mut response, &head.headers);
    if !text.is_empty() {
        response.set_sized_body(text.len(), Cursor::new(text));
    }
    response
}
