//! The program over HTTP.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use crate::failure::Failure;
use crate::people::People;
use crate::sessions::{Session, Sessions};

#[derive(Clone)]
struct App {
    people: People,
    sessions: Sessions,
}

pub(crate) fn router(people: People, sessions: Sessions) -> Router {
    Router::new()
        .route("/people/{slug}", get(show))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
        .with_state(App { people, sessions })
}

/// The session of a request. Without one the handler does not run.
struct SignedIn(Arc<Session>);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        app.sessions.verify(&parts.headers).await.map(Self)
    }
}

/// The header of answers that depend on the cookie: no cache may keep them.
const PRIVATE: (HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("private, no-store"));

async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(slug): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let profile = app.people.profile(&session.viewer, &slug).await?;
    Ok(([PRIVATE], Json(profile)))
}

#[derive(Deserialize)]
struct Credentials {
    slug: String,
    password: String,
}

async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Result<impl IntoResponse, Failure> {
    let Credentials { slug, password } = credentials;
    let user = app.people.account(&slug, password).await?;
    let user = user.ok_or(Failure::Unauthenticated)?;
    let cookie = app.sessions.sign_in(user, &headers).await?;
    Ok((StatusCode::NO_CONTENT, [PRIVATE, (SET_COOKIE, cookie)]))
}

async fn sign_out(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failure> {
    let removal = app.sessions.sign_out(&headers).await?;
    Ok((StatusCode::NO_CONTENT, [PRIVATE, (SET_COOKIE, removal)]))
}

async fn sign_out_everywhere(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<impl IntoResponse, Failure> {
    let removal = app.sessions.revoke_all(session.viewer.id).await?;
    Ok((StatusCode::NO_CONTENT, [PRIVATE, (SET_COOKIE, removal)]))
}
