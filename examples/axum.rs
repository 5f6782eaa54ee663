//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example axum
//! ```

mod journal;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use journal::{Credentials, Journal, Member, NewNote, NoteView};
use tokio::net::TcpListener;

async fn sign_in(
    request: RequestContext,
    Form(credentials): Form<Credentials>,
) -> Result<StatusCode> {
    let Some(subject) = credentials.check() else {
        return Ok(StatusCode::UNAUTHORIZED);
    };
    request.sign_in(&subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(request: RequestContext) -> Result<StatusCode> {
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(State(journal): State<Journal>) -> Result<Json<Vec<NoteView>>> {
    journal.notes().await.map(Json)
}

async fn add(State(journal): State<Journal>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    journal.add(note).await.map(Json)
}

async fn state() -> Response {
    session_state::<Member>().await.map(Body::from)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let app = Router::new()
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/notes", get(list).post(add))
        .route("/session", get(state))
        .layer(Csrf::new().build()?)
        .layer(SessionLayer::new(sessions))
        .layer(SecurityHeaders::new().build())
        .with_state(journal);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
