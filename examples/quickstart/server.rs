//! The application over HTTP: an ordinary axum program with one layer more.

use std::net::SocketAddr;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use clearance::{RequestContext, Result, SessionLayer, Sessions, Subject};
use serde::Deserialize;
use tokio::net::TcpListener;
use tracing::Instrument as _;

use super::Failure;
use super::capture::CALL_HEADER;
use super::directory::{Member, Profile, Users};

pub(crate) fn router(users: Users, sessions: Sessions<Member>) -> Router {
    Router::new()
        .route("/people", get(everybody))
        .route("/people/{slug}", get(show).patch(rename))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .with_state(users)
        .layer(SessionLayer::new(sessions))
        .layer(middleware::from_fn(in_a_span))
}

async fn show(State(users): State<Users>, Path(slug): Path<String>) -> Result<Json<Profile>> {
    Ok(Json(users.profile(&slug).await?))
}

async fn everybody(State(users): State<Users>) -> Result<Json<Vec<Profile>>> {
    Ok(Json(users.everybody().await?))
}

#[derive(Deserialize)]
struct NewName {
    name: String,
}

async fn rename(
    State(users): State<Users>,
    Path(slug): Path<String>,
    Json(new): Json<NewName>,
) -> Result<Json<Profile>> {
    Ok(Json(users.rename(&slug, &new.name).await?))
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
}

/// Takes anybody's word for who they are. Proving that is the application's part (a password,
/// a passkey, another provider), and it belongs right before `sign_in`.
async fn sign_in(
    State(users): State<Users>,
    request: RequestContext,
    Json(credentials): Json<Credentials>,
) -> Result<StatusCode> {
    let account = match users.account(&credentials.user).await {
        Err(error) if error.is_not_found() => return Ok(StatusCode::UNAUTHORIZED),
        account => account?,
    };
    request.sign_in(&Subject::new(account.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(request: RequestContext) -> Result<StatusCode> {
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts each call into a span, so that what it logs can be told from what others log.
async fn in_a_span(request: Request, next: Next) -> Response {
    let call = request.headers().get(CALL_HEADER);
    let call = call.and_then(|call| call.to_str().ok()?.parse::<u64>().ok());
    let span = tracing::debug_span!("call", number = call.unwrap_or_default());
    next.run(request).instrument(span).await
}

/// Binds a free port of this machine.
pub(crate) async fn listen() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
