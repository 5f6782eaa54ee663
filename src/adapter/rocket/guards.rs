//! Request guards and data guards for Rocket.

use std::io;

use http::HeaderValue;
use rocket::data::{self, FromData, Limits};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};
use rocket::sentinel::Sentinel;
use rocket::{Data, Ignite, Request, Rocket};

use super::{Attached, kept, lock};
use crate::error::{Error, Result};
use crate::repository::Untrusted;
use crate::request::RequestContext;
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

const UNSCOPED: &str = "no request is in scope: mount the route through `clearance::adapter::rocket::scoped`, and attach the session layer";

/// Extracts the viewer of the request; without one the handler does not run. An optional one is `None` when
/// nobody is signed in, and an outage stays the answer; see [the module](crate::adapter::rocket#guards).
#[rocket::async_trait]
impl<'r, V: Viewer> FromRequest<'r> for Verified<V> {
    type Error = Error;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Error> {
        let found = async { current()?.verify_session().await };
        outcome(request, found.await)
    }
}

/// Extracts the viewer, read from the store before the handler runs.
#[rocket::async_trait]
impl<'r, V: Viewer> FromRequest<'r> for Current<V> {
    type Error = Error;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Error> {
        let found = async { current()?.verify_current().await };
        outcome(request, found.await)
    }
}

/// Extracts the request context, to sign in or out.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for RequestContext {
    type Error = Error;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Error> {
        outcome(request, current())
    }
}

fn current() -> Result<RequestContext> {
    RequestContext::try_current().ok_or_else(|| Error::misuse(UNSCOPED))
}

fn outcome<T>(request: &Request<'_>, found: Result<T>) -> request::Outcome<T, Error> {
    match found {
        Ok(found) => Outcome::Success(found),
        Err(error) => {
            let mut failure = lock(&kept(request).failure);
            // Any other error takes precedence over "nobody is signed in".
            if failure.as_ref().is_none_or(Error::is_unauthenticated) {
                *failure = Some(error.copy());
            }
            Outcome::Error((Status::new(error.status()), error))
        }
    }
}

/// Aborts the launch of Rocket without a session layer.
impl<V: Viewer> Sentinel for Verified<V> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing(rocket)
    }
}

/// Aborts the launch of Rocket without a session layer.
impl<V: Viewer> Sentinel for Current<V> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing(rocket)
    }
}

/// Aborts the launch of Rocket without a session layer.
impl Sentinel for RequestContext {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing(rocket)
    }
}

fn is_missing(rocket: &Rocket<Ignite>) -> bool {
    rocket.state::<Attached>().is_none()
}

/// Extracts the JSON body without parsing it. The handler runs whatever the body contains, so that a client
/// who may not send one does not learn what a valid one looks like. [Opening](Untrusted::open) a body whose
/// `Content-Type` is neither `application/json` nor a `+json` type fails with 415. Rocket refuses a body of
/// more than its limit `json` with 413.
#[rocket::async_trait]
impl<'r, T> FromData<'r> for Untrusted<T> {
    type Error = io::Error;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        let media_type = request.headers().get_one("content-type");
        let media_type = media_type.and_then(|value| HeaderValue::try_from(value).ok());
        let limit = request.limits().get("json").unwrap_or(Limits::JSON);
        match data.open(limit).into_bytes().await {
            Ok(body) if body.is_complete() => {
                Outcome::Success(Self::body(media_type.as_ref(), body.into_inner()))
            }
            Ok(_) => {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "data limit exceeded");
                Outcome::Error((Status::PayloadTooLarge, error))
            }
            Err(error) => Outcome::Error((Status::BadRequest, error)),
        }
    }
}
