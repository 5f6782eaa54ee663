//! poem.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

#[path = "../suite/sockets.rs"]
mod sockets;
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../../sessions/support.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use clearance::adapter::Optional;
use clearance::route::session_state;
use clearance::{Current, RequestContext, Result, Untrusted, Verified};
use futures_util::SinkExt as _;
use futures_util::stream::{self, StreamExt as _};
use poem::error::NotFoundError;
use poem::listener::TcpAcceptor;
use poem::web::sse::{Event, SSE};
use poem::web::websocket::{Message, WebSocket};
use poem::web::{Data, Json, Path};
use poem::{
    Body, Endpoint, EndpointExt as _, IntoResponse, Response, Route, Server, get, handler, post,
};
use suite::{App, Member, NewNote, NoteView, OWN_COOKIE, SIGNED_IN, header};

#[handler]
async fn required(Data(app): Data<&App>, member: Verified<Member>) -> String {
    app.handle();
    member.viewer().name.clone()
}

#[handler]
async fn optional(Optional(member): Optional<Member>) -> String {
    let name = |member: Verified<Member>| member.viewer().name.clone();
    member.map_or_else(|| "nobody".to_owned(), name)
}

#[handler]
async fn current(member: Current<Member>) -> String {
    member.viewer().name.clone()
}

#[handler]
async fn deep() -> Result<String> {
    suite::deep().await
}

#[handler]
async fn explicit(request: RequestContext) -> Result<String> {
    suite::explicit(request).await
}

#[handler]
async fn sign_in(request: RequestContext, Path(name): Path<String>) -> Result<Response> {
    suite::sign_in(&request, &name).await?;
    let response = Response::builder()
        .header("set-cookie", OWN_COOKIE)
        .header("cache-control", "public, s-maxage=600")
        .content_type("application/json");
    Ok(response.body(SIGNED_IN))
}

#[handler]
async fn form() -> &'static str {
    "a form"
}

#[handler]
async fn sign_out(request: RequestContext) -> Result<()> {
    suite::sign_out(&request).await
}

#[handler]
async fn streamed() -> impl IntoResponse {
    let parts = suite::parts().map(Ok::<_, std::io::Error>);
    Body::from_bytes_stream(parts).with_header("cache-control", "public")
}

#[handler]
async fn events() -> SSE {
    SSE::new(suite::parts().map(Event::message))
}

/// poem's server notices by writing alone that a client is gone.
#[handler]
async fn endless(Data(app): Data<&App>) -> Body {
    let beats = stream::repeat(Arc::clone(&app.beat)).then(|beat| async move {
        beat.notified().await;
        "\n".to_owned()
    });
    let parts = stream::select(suite::endless(), beats);
    Body::from_bytes_stream(parts.map(Ok::<_, std::io::Error>))
}

/// Its body comes last, so the viewer is found first.
#[handler]
async fn stalled(_: Verified<Member>, _: Vec<u8>) -> &'static str {
    "read"
}

#[handler]
async fn public() -> impl IntoResponse {
    "for everybody".with_header("cache-control", "public, max-age=60")
}

#[handler]
async fn stray() -> Result<String> {
    suite::stray().await
}

#[handler]
async fn spawned() -> Result<String> {
    suite::spawned().await
}

#[handler]
async fn forked(request: RequestContext) -> Result<String> {
    suite::forked(&request).await
}

#[handler]
async fn panics(_: Verified<Member>) -> &'static str {
    panic!("as a handler may")
}

#[handler]
async fn add(Data(app): Data<&App>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    app.notes.add(note).await.map(Json)
}

#[handler]
async fn add_by_link(Data(app): Data<&App>) -> Result<Json<NoteView>> {
    app.notes.add_one().await.map(Json)
}

#[handler]
async fn all(Data(app): Data<&App>) -> Result<Json<Vec<NoteView>>> {
    app.notes.all().await.map(Json)
}

#[handler]
async fn inside(Data(app): Data<&App>) -> &'static str {
    app.handle();
    "inside"
}

#[handler]
async fn state() -> impl IntoResponse {
    let (head, body) = session_state::<Member>().await.into_parts();
    (head.status, head.headers, Body::from(body))
}

#[handler]
async fn socket(
    request: RequestContext,
    _: Verified<Member>,
    upgrade: WebSocket,
) -> impl IntoResponse {
    upgrade.on_upgrade(move |mut messages| async move {
        while let Some(Ok(_)) = messages.next().await {
            let Ok(name) = request.fork().scope(suite::deep()).await else {
                break;
            };
            messages.send(Message::Text(name)).await.unwrap();
        }
    })
}

/// What signs in and then fails with an error of poem's own.
#[handler]
async fn sign_in_and_fail(request: RequestContext) -> poem::Result<()> {
    suite::sign_in(&request, "ada").await?;
    Err(NotFoundError.into())
}

#[handler]
async fn seen_from(request: RequestContext) -> String {
    format!("{:?}", request.rule_context().address)
}

fn endpoint(app: App) -> impl Endpoint {
    let route = Route::new()
        .at("/required", get(required))
        .at("/optional", get(optional))
        .at("/current", get(current))
        .at("/deep", get(deep))
        .at("/explicit", get(explicit))
        .at("/sign-in/:name", post(sign_in))
        .at("/sign-in", get(form))
        .at("/sign-out", post(sign_out).get(sign_out))
        .at("/streamed", get(streamed))
        .at("/events", get(events))
        .at("/endless", get(endless))
        .at("/stalled", post(stalled))
        .at("/public", get(public))
        .at("/stray", get(stray))
        .at("/spawned", get(spawned))
        .at("/forked", get(forked))
        .at("/panic", get(panics))
        .at("/notes", get(all).post(add))
        .at("/notes/add", get(add_by_link))
        .at("/page", get(inside).with(app.page.clone()))
        .at("/api", get(inside).with(app.api.clone()))
        .at("/answered", get(inside).with(app.answered.clone()))
        .at("/state", get(state))
        .at("/socket", get(socket))
        .at("/sign-in-and-fail", post(sign_in_and_fail))
        .at("/seen-from", get(seen_from))
        .nest(
            "/nested",
            Route::new().at("/page", get(inside).with(app.page.clone())),
        );
    let mut endpoint = route.data(app.clone()).map_to_response().boxed();
    for gate in app.gates {
        endpoint = endpoint.with(gate).boxed();
    }
    if let Some(layer) = app.layer {
        endpoint = endpoint.with(layer).boxed();
    }
    endpoint
}

async fn serve(app: App) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    let server = Server::new_with_acceptor(acceptor).run(endpoint(app));
    tokio::spawn(server);
    address
}

suite::tests!(serve);

#[tokio::test]
async fn rf_14_a_revocation_ends_a_socket() {
    sockets::rf_14_a_revocation_ends_a_socket(serve).await;
}

#[tokio::test]
async fn ck_11_an_error_of_poems_own_keeps_the_session_cookie() {
    let server = suite::Server::start(serve).await;
    let response = server.post("/sign-in-and-fail", "").await;
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    let cookies = header(&response, "set-cookie");
    assert!(cookies[0].starts_with("__Host-session="), "{cookies:?}");
}

#[tokio::test]
async fn fw_11_a_body_whose_length_is_known_keeps_it() {
    let server = suite::Server::start(serve).await;
    let response = server.get("/public", "").await;
    assert_eq!(header(&response, "content-length"), ["13"]);
}

#[tokio::test]
async fn rules_see_the_address_of_the_connection() {
    let server = suite::Server::start(serve).await;
    assert_eq!(server.text("/seen-from", "").await.1, "Some(127.0.0.1)");
}
