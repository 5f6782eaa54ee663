//! The HTTP response of an error (problem details), for every framework.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::{Error, FieldError};
use crate::events;

impl Error {
    /// Builds the HTTP response, as every adapter does, for programs without one.
    ///
    /// Its body is problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the status and
    /// nothing else: not the rule, not the table, not whether a row exists. The mistakes in what the client
    /// itself sent are in `errors`, field by field, or in `detail`. No cache may keep it.
    ///
    /// A 401 has a challenge ([RFC 9110, section
    /// 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)): `WWW-Authenticate: Cookie`, and where
    /// a [step-up](Error::is_step_up) is required `WWW-Authenticate: Cookie
    /// error="insufficient_user_authentication"` ([RFC 9470, section
    /// 3](https://www.rfc-editor.org/rfc/rfc9470#section-3)). A 415 has `Accept`.
    ///
    /// The cause of a 500 is logged as an event when this is called.
    ///
    /// # Example
    ///
    /// ```
    /// # #[derive(clearance::Viewer)]
    /// # struct Member { id: i64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let nobody = clearance::testing::as_nobody();
    /// let error = nobody.verify_session::<Member>().await.unwrap_err();
    /// let response = error.to_response();
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.body(), r#"{"status":401,"title":"Unauthorized","type":"about:blank"}"#);
    /// # }
    /// ```
    #[must_use]
    pub fn to_response(&self) -> Response<String> {
        let status =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            events::failed(self);
        }
        let mut response = problem(status, self.detail().as_deref(), self.fields());
        let headers = response.headers_mut();
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

/// Builds the problem details of a status.
pub(crate) fn problem(
    status: StatusCode,
    detail: Option<&str>,
    errors: &[FieldError],
) -> Response<String> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut members = Map::new();
    members.insert("type".to_owned(), "about:blank".into());
    members.insert("title".to_owned(), title.into());
    members.insert("status".to_owned(), status.as_u16().into());
    if let Some(detail) = detail {
        members.insert("detail".to_owned(), detail.into());
    }
    if !errors.is_empty() {
        let errors = errors.iter().map(member).collect();
        members.insert("errors".to_owned(), errors);
    }
    let mut response = Response::new(Value::Object(members).to_string());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Serializes one field's error, as an element of `errors`.
fn member(field: &FieldError) -> Value {
    serde_json::json!({
        "pointer": pointer(field.field()),
        "detail": field.message(),
    })
}

/// Returns the JSON pointer of a field in the body ([RFC 6901, section
/// 6](https://www.rfc-editor.org/rfc/rfc6901#section-6)).
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
            let response = error.to_response();
            assert_eq!(
                *response.body(),
                format!(r#"{{"status":{status},"title":"{title}","type":"about:blank"}}"#)
            );
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(
                response.headers().contains_key(WWW_AUTHENTICATE),
                status == 401
            );
        }
    }
}
