//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example poem
//! ```

mod journal;

use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use journal::{Credentials, Journal, Member, NewNote, NoteView};
use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::web::{Data, Form, Json};
use poem::{Body, EndpointExt as _, IntoResponse, Route, Server, get, handler, post};
use tokio::net::TcpListener;

#[handler]
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

#[handler]
async fn sign_out(request: RequestContext) -> Result<StatusCode> {
    request.sign_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[handler]
async fn list(Data(journal): Data<&Journal>) -> Result<Json<Vec<NoteView>>> {
    journal.notes().await.map(Json)
}

#[handler]
async fn add(Data(journal): Data<&Journal>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    journal.add(note).await.map(Json)
}

#[handler]
async fn state() -> impl IntoResponse {
    let (head, body) = session_state::<Member>().await.into_parts();
    (head.status, head.headers, Body::from(body))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let app = Route::new()
        .at("/sign-in", post(sign_in))
        .at("/sign-out", post(sign_out))
        .at("/notes", get(list).post(add))
        .at("/session", get(state))
        .data(journal)
        .with(Csrf::new().build()?)
        .with(SessionLayer::new(sessions))
        .with(SecurityHeaders::new().build());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    Server::new_with_acceptor(acceptor).run(app).await?;
    Ok(())
}
