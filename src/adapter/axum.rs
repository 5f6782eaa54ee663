//! Extractors and responses for axum.

use axum_core::body::Body;
use axum_core::extract::rejection::BytesRejection;
use axum_core::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::audit;
use crate::error::{Error, FieldError};
use crate::input::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

/// The viewer of the request; without one the handler does not run.
impl<V: Viewer, S: Sync> FromRequestParts<S> for Verified<V> {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        verify_session().await
    }
}

/// The viewer, or `None` when nobody is signed in. An outage is an error, not nobody. So is a viewer
/// of whom a [hook](crate::session::SessionHooks::on_verify) wants another proof: 401.
impl<V: Viewer, S: Sync> OptionalFromRequestParts<S> for Verified<V> {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        match verify_session().await {
            Ok(verified) => Ok(Some(verified)),
            Err(error) if error.is_unauthenticated() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The viewer, read from the store before the handler runs.
impl<V: Viewer, S: Sync> FromRequestParts<S> for Current<V> {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        RequestContext::current()?.verify_current().await
    }
}

/// The request itself, to sign in or out.
impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::current()
    }
}

/// What the client sent to be written, unread: a body of JSON. The handler runs whatever it says,
/// so that nobody learns what a valid body is who may not send one. One whose `Content-Type` is not
/// `application/json`, or ends in `+json`, is refused with 415 where it is opened. The size of bodies is limited
/// by axum's `DefaultBodyLimit`.
impl<T, S: Send + Sync> FromRequest<S> for Untrusted<T> {
    type Rejection = BytesRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, BytesRejection> {
        let is_json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(is_json);
        let body = Bytes::from_request(request, state).await?;
        Ok(if is_json {
            Self::json(body)
        } else {
            Self::not_json()
        })
    }
}

/// `application/json`, and what is written in it
/// ([RFC 6839, section 3.1](https://www.rfc-editor.org/rfc/rfc6839#section-3.1)).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.strip_prefix("application/") {
        Some(subtype) => subtype == "json" || subtype.ends_with("+json"),
        None => false,
    }
}

/// Problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) that name the status and
/// nothing else: not the rule, not the table, not whether a row exists. What is wrong with what the
/// client itself sent stands in `errors`, field by field, or in `detail`.
///
/// A 401 has a challenge
/// ([RFC 9110, section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)):
/// `WWW-Authenticate: Cookie`, and where a [step-up](Error::is_step_up) is wanted `WWW-Authenticate:
/// Cookie error="insufficient_user_authentication"`
/// ([RFC 9470, section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3)). A 415 has `Accept`.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = status_of(&self);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            audit::failed(&self);
        }
        let mut response = Response::new(Body::from(problem(status, &self)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 asks for a challenge; no scheme is registered for cookies. The error is that of
            // RFC 9470, section 3.
            let challenge = if self.is_step_up() {
                "Cookie error=\"insufficient_user_authentication\""
            } else {
                "Cookie"
            };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.is_unsupported_media_type() {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        }
        response
    }
}

fn status_of(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn problem(status: StatusCode, error: &Error) -> String {
    let title = status.canonical_reason().unwrap_or_default();
    let mut members = Map::new();
    members.insert("type".to_owned(), "about:blank".into());
    members.insert("title".to_owned(), title.into());
    members.insert("status".to_owned(), status.as_u16().into());
    if let Some(detail) = error.detail() {
        members.insert("detail".to_owned(), detail.into());
    }
    if !error.fields().is_empty() {
        let errors = error.fields().iter().map(member).collect();
        members.insert("errors".to_owned(), errors);
    }
    Value::Object(members).to_string()
}

/// What is wrong with one field, as an element of `errors`.
fn member(field: &FieldError) -> Value {
    serde_json::json!({
        "pointer": pointer(field.field()),
        "detail": field.message(),
    })
}

/// The place in the body
/// ([RFC 6901, section 6](https://www.rfc-editor.org/rfc/rfc6901#section-6)).
fn pointer(field: &str) -> String {
    if field.is_empty() {
        return "#".to_owned();
    }
    let field = field.replace('~', "~0").replace('/', "~1");
    format!("#/{field}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;

    #[test]
    fn rb_09_each_error_has_its_status_and_says_nothing_else() {
        for (error, status, title) in [
            (
                Error::unauthenticated(Refusal::Unknown),
                401,
                "Unauthorized",
            ),
            (Error::step_up(), 401, "Unauthorized"),
            (Error::forbidden(), 403, "Forbidden"),
            (Error::too_many_sessions(), 403, "Forbidden"),
            (Error::not_found(), 404, "Not Found"),
            (Error::conflict(), 409, "Conflict"),
            (Error::stale(), 409, "Conflict"),
            (Error::unprocessable(vec![]), 422, "Unprocessable Entity"),
            (Error::invalid(), 400, "Bad Request"),
            (Error::unavailable("x"), 503, "Service Unavailable"),
            (Error::misuse("x"), 500, "Internal Server Error"),
            (Error::configuration("x"), 500, "Internal Server Error"),
            (Error::internal("x"), 500, "Internal Server Error"),
        ] {
            let problem = problem(status_of(&error), &error);
            assert_eq!(
                problem,
                format!(r#"{{"status":{status},"title":"{title}","type":"about:blank"}}"#)
            );
            let response = error.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(
                response.headers().contains_key(WWW_AUTHENTICATE),
                status == 401
            );
        }
    }
}
