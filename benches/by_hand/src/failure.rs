//! Failures, and their answers over HTTP (problem details, RFC 9457).

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody is signed in.
    Unauthenticated,
    /// There is no such row, or not for this viewer.
    NotFound,
    /// The database does not answer. It is neither allowed nor denied.
    Unavailable,
    /// A defect of this program, or of its data.
    Internal,
}

/// Logs the cause, which no client is told.
impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
                tracing::error!(%error, "a row does not fit");
                Self::Internal
            }
            _ => {
                tracing::warn!(%error, "the database does not answer");
                Self::Unavailable
            }
        }
    }
}

#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
        };
        let headers = [
            (CONTENT_TYPE, "application/problem+json"),
            (CACHE_CONTROL, "private, no-store"),
        ];
        let mut response = (status, headers, Json(problem)).into_response();
        if self == Self::Unauthenticated {
            let challenge = HeaderValue::from_static("Cookie");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
