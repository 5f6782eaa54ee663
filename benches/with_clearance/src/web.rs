//! The program over HTTP.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use clearance::{RequestContext, Result, SessionLayer, Sessions, Subject, Verified};
use serde::Deserialize;

use crate::people::{Member, People, Profile};

#[derive(Clone)]
struct App {
    people: People,
    sessions: Sessions<Member>,
}

pub(crate) fn router(people: People, sessions: Sessions<Member>) -> Router {
    let app = App {
        people,
        sessions: sessions.clone(),
    };
    Router::new()
        .route("/people/{slug}", get(show))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
        .with_state(app)
        .layer(SessionLayer::new(sessions))
}

async fn show(State(app): State<App>, Path(slug): Path<String>) -> Result<Json<Profile>> {
    app.people.profile(&slug).await.map(Json)
}

#[derive(Deserialize)]
struct Credentials {
    slug: String,
    password: String,
}

async fn sign_in(
    State(app): State<App>,
    request: RequestContext,
    Json(credentials): Json<Credentials>,
) -> Result<StatusCode> {
    let Credentials { slug, password } = credentials;
    let Some(account) = app.people.account(&slug, password).await? else {
        return Ok(StatusCode::UNAUTHORIZED);
    };
    request.sign_in(&Subject::new(account.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(request: RequestContext) -> Result<StatusCode> {
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out_everywhere(
    State(app): State<App>,
    request: RequestContext,
    member: Verified<Member>,
) -> Result<StatusCode> {
    app.sessions.revoke_all(member.subject()).await?;
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}
