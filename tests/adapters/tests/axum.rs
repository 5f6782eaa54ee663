//! axum.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

#[path = "../suite/mod.rs"]
mod suite;
#[path = "../../sessions/support.rs"]
mod support;

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clearance::route::session_state;
use clearance::{Current, RequestContext, Result, Untrusted, Verified};
use futures_util::StreamExt as _;
use suite::{App, Member, NewNote, NoteView, OWN_COOKIE, SIGNED_IN};

async fn required(State(app): State<App>, member: Verified<Member>) -> String {
    app.handle();
    member.viewer().name.clone()
}

async fn optional(member: Option<Verified<Member>>) -> String {
    let name = |member: Verified<Member>| member.viewer().name.clone();
    member.map_or_else(|| "nobody".to_owned(), name)
}

async fn current(member: Current<Member>) -> String {
    member.viewer().name.clone()
}

async fn sign_in(request: RequestContext, Path(name): Path<String>) -> Result<Response> {
    suite::sign_in(&request, &name).await?;
    let headers = [
        ("set-cookie", OWN_COOKIE),
        ("cache-control", "public, s-maxage=600"),
        ("content-type", "application/json"),
    ];
    Ok((headers, SIGNED_IN).into_response())
}

async fn sign_out(request: RequestContext) -> Result<()> {
    suite::sign_out(&request).await
}

async fn streamed() -> impl IntoResponse {
    let parts = suite::parts().map(Ok::<_, std::convert::Infallible>);
    ([("cache-control", "public")], Body::from_stream(parts))
}

async fn events() -> impl IntoResponse {
    let event = |part| Ok::<_, std::convert::Infallible>(Event::default().data(part));
    Sse::new(suite::parts().map(event))
}

async fn endless() -> Body {
    Body::from_stream(suite::endless().map(Ok::<_, std::convert::Infallible>))
}

/// Its body comes last, so the viewer is found first.
async fn stalled(_: Verified<Member>, _: Bytes) -> &'static str {
    "read"
}

async fn public() -> impl IntoResponse {
    ([("cache-control", "public, max-age=60")], "for everybody")
}

async fn forked(request: RequestContext) -> Result<String> {
    suite::forked(&request).await
}

async fn panics(_: Verified<Member>) -> &'static str {
    panic!("as a handler may")
}

async fn add(State(app): State<App>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    app.notes.add(note).await.map(Json)
}

async fn add_by_link(State(app): State<App>) -> Result<Json<NoteView>> {
    app.notes.add_one().await.map(Json)
}

async fn all(State(app): State<App>) -> Result<Json<Vec<NoteView>>> {
    app.notes.all().await.map(Json)
}

async fn inside(State(app): State<App>) -> &'static str {
    app.handle();
    "inside"
}

async fn state() -> Response {
    session_state::<Member>().await.map(Body::from)
}

fn router(app: App) -> Router {
    let mut router = Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .route("/current", get(current))
        .route("/deep", get(suite::deep))
        .route("/explicit", get(suite::explicit))
        .route("/sign-in/{name}", post(sign_in))
        .route("/sign-in", get(|| async { "a form" }))
        .route("/sign-out", post(sign_out).get(sign_out))
        .route("/streamed", get(streamed))
        .route("/events", get(events))
        .route("/endless", get(endless))
        .route("/stalled", post(stalled))
        .route("/public", get(public))
        .route("/stray", get(suite::stray))
        .route("/spawned", get(suite::spawned))
        .route("/forked", get(forked))
        .route("/panic", get(panics))
        .route("/notes", get(all).post(add))
        .route("/notes/add", get(add_by_link))
        .route("/page", get(inside).layer(app.page.clone()))
        .route("/api", get(inside).layer(app.api.clone()))
        .route("/answered", get(inside).layer(app.answered.clone()))
        .route("/state", get(state))
        .nest("/nested", nested(&app));
    for gate in &app.gates {
        router = router.layer(gate.clone());
    }
    if let Some(layer) = &app.layer {
        router = router.layer(layer.clone());
    }
    router.with_state(app)
}

fn nested(app: &App) -> Router<App> {
    Router::new()
        .route("/page", get(inside))
        .route("/uri", get(|uri: Uri| async move { uri.to_string() }))
        .layer(app.page.clone())
}

async fn serve(app: App) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router(app).into_make_service();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

suite::tests!(serve);

#[tokio::test]
async fn a_gate_in_a_nested_router_leaves_the_path_as_axum_has_it() {
    let server = suite::Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    assert_eq!(server.text("/nested/uri", &ada.cookie).await.1, "/uri");
}
