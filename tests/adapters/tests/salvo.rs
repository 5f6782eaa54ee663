//! salvo.

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

use clearance::adapter::Optional;
use clearance::route::{Gate, Protect, session_state};
use clearance::{Current, RequestContext, Result, Untrusted, Verified};
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Full};
use salvo::affix_state::inject;
use salvo::catcher::Catcher;
use salvo::conn::tcp::TcpAcceptor;
use salvo::http::HeaderValue;
use salvo::http::body::ResBody;
use salvo::hyper::body::Bytes;
use salvo::prelude::*;
use salvo::sse::{self, SseEvent};
use salvo::websocket::{Message, WebSocket};
use suite::{App, Member, NewNote, NoteView, OWN_COOKIE, SIGNED_IN, header};

fn app(depot: &Depot) -> &App {
    depot.get_typed::<App>().unwrap()
}

#[handler]
async fn required(depot: &mut Depot, member: Verified<Member>) -> String {
    app(depot).handle();
    member.viewer().name.clone()
}

#[handler]
async fn optional(member: Optional<Member>) -> String {
    let name = |member: Verified<Member>| member.viewer().name.clone();
    member.0.map_or_else(|| "nobody".to_owned(), name)
}

#[handler]
async fn current(member: Current<Member>) -> String {
    member.viewer().name.clone()
}

#[handler]
async fn deep() -> Result<String> {
    suite::deep().await
}

/// With the context from the depot.
#[handler]
async fn explicit(depot: &mut Depot) -> Result<String> {
    let request = depot.get_typed::<RequestContext>().ok().cloned();
    suite::explicit(request.map_or_else(RequestContext::current, Ok)?).await
}

#[handler]
async fn sign_in(
    request: RequestContext,
    req: &mut Request,
    response: &mut Response,
) -> Result<&'static str> {
    let name: String = req.param("name").unwrap();
    suite::sign_in(&request, &name).await?;
    let headers = response.headers_mut();
    for (name, value) in [
        ("set-cookie", OWN_COOKIE),
        ("cache-control", "public, s-maxage=600"),
        ("content-type", "application/json"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(SIGNED_IN)
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
async fn streamed(response: &mut Response) {
    let shared = HeaderValue::from_static("public");
    response.headers_mut().insert("cache-control", shared);
    response.stream(suite::parts().map(Ok::<_, std::io::Error>));
}

#[handler]
async fn events(response: &mut Response) {
    let event = |part| Ok::<_, std::io::Error>(SseEvent::default().text(part));
    sse::stream(response, suite::parts().map(event));
}

#[handler]
async fn endless(response: &mut Response) {
    response.stream(suite::endless().map(Ok::<_, std::io::Error>));
}

#[handler]
async fn stalled(
    _member: Verified<Member>,
    req: &mut Request,
) -> Result<&'static str, StatusError> {
    let body = req.payload().await;
    body.map_err(|_| StatusError::bad_request())?;
    Ok("read")
}

#[handler]
async fn public(response: &mut Response) -> &'static str {
    let shared = HeaderValue::from_static("public, max-age=60");
    response.headers_mut().insert("cache-control", shared);
    "for everybody"
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
async fn panics(_member: Verified<Member>) -> &'static str {
    panic!("as a handler may")
}

#[handler]
async fn add(depot: &mut Depot, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    app(depot).notes.add(note).await.map(Json)
}

#[handler]
async fn add_by_link(depot: &mut Depot) -> Result<Json<NoteView>> {
    app(depot).notes.add_one().await.map(Json)
}

#[handler]
async fn all(depot: &mut Depot) -> Result<Json<Vec<NoteView>>> {
    app(depot).notes.all().await.map(Json)
}

#[handler]
async fn inside(depot: &mut Depot) -> &'static str {
    app(depot).handle();
    "inside"
}

#[handler]
async fn state(response: &mut Response) {
    *response = session_state::<Member>().await.into();
}

#[handler]
async fn socket(
    request: RequestContext,
    _member: Verified<Member>,
    req: &mut Request,
    res: &mut Response,
) -> Result<(), StatusError> {
    let talk = move |mut messages: WebSocket| async move {
        while let Some(Ok(_)) = messages.recv().await {
            let Ok(name) = request.fork().scope(suite::deep()).await else {
                break;
            };
            messages.send(Message::text(name)).await.unwrap();
        }
    };
    WebSocketUpgrade::new().upgrade(req, res, talk).await
}

/// What signs in and then fails with an error of salvo's own, which its catcher writes.
#[handler]
async fn sign_in_and_fail(request: RequestContext) -> Result<StatusError> {
    suite::sign_in(&request, "ada").await?;
    Ok(StatusError::not_found())
}

/// A body that no one but itself knows the length of.
#[handler]
async fn boxed(response: &mut Response) {
    let body = Full::new(Bytes::from_static(b"boxed")).map_err(|never| match never {});
    response.body(ResBody::Boxed(Box::pin(body)));
}

/// What was half written when it failed.
#[handler]
async fn half(response: &mut Response) -> Result<()> {
    response.render("half");
    suite::deep().await.map(drop)
}

#[handler]
async fn seen_from(request: RequestContext) -> String {
    format!("{:?}", request.rule_context().address)
}

#[handler]
async fn own_page(response: &mut Response) {
    response.render("caught");
}

/// Lets nobody through, and says so with a status after which salvo would go on.
fn softly() -> Gate {
    let gate = Protect::<Member>::api().require(|_| false);
    let gate = gate.on_denied(|_, _| http::Response::new("not here".to_owned()));
    gate.build().unwrap()
}

fn service(app: App) -> Service {
    let at = Router::with_path;
    let router = Router::new()
        .push(at("required").get(required))
        .push(at("optional").get(optional))
        .push(at("current").get(current))
        .push(at("deep").get(deep))
        .push(at("explicit").get(explicit))
        .push(at("sign-in/{name}").post(sign_in))
        .push(at("sign-in").get(form))
        .push(at("sign-out").post(sign_out).get(sign_out))
        .push(at("streamed").get(streamed))
        .push(at("events").get(events))
        .push(at("endless").get(endless))
        .push(at("stalled").post(stalled))
        .push(at("public").get(public))
        .push(at("stray").get(stray))
        .push(at("spawned").get(spawned))
        .push(at("forked").get(forked))
        .push(at("panic").get(panics))
        .push(at("notes").get(all).post(add))
        .push(at("notes/add").get(add_by_link))
        .push(at("page").hoop(app.page.clone()).get(inside))
        .push(at("nested").push(at("page").hoop(app.page.clone()).get(inside)))
        .push(at("api").hoop(app.api.clone()).get(inside))
        .push(at("answered").hoop(app.answered.clone()).get(inside))
        .push(at("state").get(state))
        .push(at("socket").get(socket))
        .push(at("sign-in-and-fail").post(sign_in_and_fail))
        .push(at("softly").hoop(softly()).get(inside))
        .push(at("boxed").get(boxed))
        .push(at("half").get(half))
        .push(at("seen-from").get(seen_from));
    let mut service = Service::new(router);
    if let Some(layer) = app.layer.clone() {
        service = service.hoop(layer);
    }
    for gate in app.gates.iter().rev() {
        service = service.hoop(gate.clone());
    }
    service.hoop(inject(app))
}

async fn serve_by(service: Service) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TcpAcceptor::try_from(listener).unwrap();
    tokio::spawn(Server::new(acceptor).serve(service));
    address
}

async fn serve(app: App) -> SocketAddr {
    serve_by(service(app)).await
}

/// With a catcher of the application's own.
async fn serve_with_catcher(app: App) -> SocketAddr {
    let catcher = Catcher::default().hoop(own_page);
    serve_by(service(app).catcher(catcher)).await
}

suite::tests!(serve);

#[tokio::test]
async fn rf_14_a_revocation_ends_a_socket() {
    sockets::rf_14_a_revocation_ends_a_socket(serve).await;
}

#[tokio::test]
async fn ck_11_an_error_of_salvos_own_keeps_the_session_cookie() {
    let server = suite::Server::start(serve).await;
    let response = server.post("/sign-in-and-fail", "").await;
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    let cookies = header(&response, "set-cookie");
    assert!(cookies[0].starts_with("__Host-session="), "{cookies:?}");
}

#[tokio::test]
async fn rb_09_a_catcher_leaves_problem_details_as_they_are() {
    let server = suite::Server::start(serve_with_catcher).await;
    assert_eq!(
        server.text("/nowhere", "").await,
        (404, "caught".to_owned())
    );
    for path in ["/required", "/half", "/api"] {
        let response = server.get(path, "").await;
        suite::answers::assert_problem(response, 401, "Unauthorized").await;
    }
}

#[tokio::test]
async fn rb_18_no_handler_runs_after_a_gate_that_answers_200() {
    let server = suite::Server::start(serve).await;
    assert_eq!(
        server.text("/softly", "").await,
        (200, "not here".to_owned())
    );
    assert_eq!(server.handled(), 0);
}

#[tokio::test]
async fn fw_11_a_body_whose_length_is_known_keeps_it() {
    let server = suite::Server::start(serve).await;
    for (path, length, cache) in [
        ("/public", "13", vec!["public, max-age=60"]),
        ("/boxed", "5", vec![]),
    ] {
        let response = server.get(path, "").await;
        assert_eq!(header(&response, "content-length"), [length]);
        assert_eq!(header(&response, "cache-control"), cache);
    }
}

#[tokio::test]
async fn rules_see_the_address_of_the_connection() {
    let server = suite::Server::start(serve).await;
    assert_eq!(server.text("/seen-from", "").await.1, "Some(127.0.0.1)");
}

#[tokio::test]
async fn a_body_is_read_as_far_as_salvo_reads_one() {
    let server = suite::Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    for (length, status) in [(60_000, 200), (70_000, 413)] {
        let note = serde_json::json!({ "text": "x".repeat(length) });
        let request = server.request(reqwest::Method::POST, "/notes", &ada.cookie);
        let response = request.json(&note).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}
