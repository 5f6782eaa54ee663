//! Endpoints that tell a page's scripts who is signed in.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::repository::Release;
use crate::request::{RequestContext, verify_session};
#[cfg(doc)]
use crate::session::SessionView;
use crate::session::Verified;
use crate::viewer::Viewer;

/// Responds with the signed-in viewer's session, for the scripts of a page: 200 with the [`SessionView`] as
/// JSON, 204 when nobody is signed in, and the [response of the error](crate::Error::to_response) where
/// another proof is required or the store fails. No cache may keep it.
///
/// It is for display, such as a name in a corner, and authorizes nothing: the user of a browser can change
/// what its scripts believe.
///
/// # Example
///
/// ```
/// # use clearance::Viewer;
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// use axum::{Router, body::Body, response::Response, routing::get};
/// use clearance::route::session_state;
///
/// async fn state() -> Response {
///     session_state::<Member>().await.map(Body::from)
/// }
///
/// let app: Router = Router::new().route("/session", get(state));
/// # let _ = app;
/// ```
pub async fn session_state<V: Viewer>() -> Response<String> {
    let view = async |_: Verified<V>| RequestContext::current()?.session_view::<V>().await;
    state_of(view).await
}

/// Responds likewise with a part of the viewer that the application chooses: a DTO, or anything else that may
/// be [released](Release).
pub async fn viewer_state<V: Viewer, T: Release + Serialize>(
    show: impl AsyncFnOnce(Verified<V>) -> Result<T>,
) -> Response<String> {
    state_of(show).await
}

async fn state_of<V: Viewer, T: Serialize>(
    show: impl AsyncFnOnce(Verified<V>) -> Result<T>,
) -> Response<String> {
    let shown = match verify_session::<V>().await {
        Ok(verified) => show(verified).await,
        Err(error) if error.is_unauthenticated() => {
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return uncached(response);
        }
        Err(error) => Err(error),
    };
    let body = shown.and_then(|shown| {
        serde_json::to_string(&shown).map_err(|_| {
            Error::misuse("the part of the viewer to show cannot be serialized as JSON")
        })
    });
    match body {
        Ok(body) => {
            let mut response = uncached(Response::new(body));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(error) => error.to_response(),
    }
}

fn uncached(mut response: Response<String>) -> Response<String> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}
