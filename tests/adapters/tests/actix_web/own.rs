//! What no other framework has.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder, error};
use clearance::route::{Csrf, SecurityHeaders};
use clearance::{
    RequestContext, Result, SessionLayer, Subject, Verified, in_current_scope, verify_session,
};
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::suite::{self, App, Member, Rig, Server, count, header};
use crate::{serve, streamed};

/// Not `Send`, and neither is its task.
async fn local() -> Result<String> {
    let local = Rc::new(());
    let kept = Rc::clone(&local);
    let task = in_current_scope(async move {
        let name = suite::deep().await;
        drop(kept);
        name
    })?;
    let name = actix_web::rt::spawn(task).await.unwrap();
    drop(local);
    name
}

async fn blocking() -> Result<impl Responder> {
    let request = RequestContext::current()?;
    let stray = web::block(|| RequestContext::current().is_ok());
    let bound = web::block(move || request.sync_scope(|| RequestContext::current().is_ok()));
    Ok(format!("{} {}", stray.await.unwrap(), bound.await.unwrap()))
}

async fn address(request: RequestContext) -> String {
    format!("{:?}", request.rule_context().address)
}

async fn option(member: Option<Verified<Member>>) -> &'static str {
    member.map_or("nobody", |_| "somebody")
}

/// Answers each message with who sent it.
async fn socket(
    request: RequestContext,
    _: Verified<Member>,
    messages: web::Payload,
) -> HttpResponse {
    let answers = messages.then(move |message| {
        let request = request.clone();
        async move {
            let _read = message?;
            let answer = match request.fork().scope(suite::deep()).await {
                Ok(name) => name,
                Err(error) => error.status().to_string(),
            };
            Ok::<_, error::PayloadError>(Bytes::from(answer))
        }
    });
    HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
        .upgrade("websocket")
        .streaming(answers)
}

async fn sign_in(request: RequestContext, name: web::Path<String>) -> Result<&'static str> {
    suite::sign_in(&request, &name).await?;
    Ok("signed in")
}

async fn failing(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    next.call(request).await?;
    Err(error::ErrorNotFound("of a middleware"))
}

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let failing = web::resource("/own/failing/{name}")
        .route(web::post().to(sign_in))
        .wrap(from_fn(failing));
    config
        .route("/own/local", web::get().to(local))
        .route("/own/blocking", web::get().to(blocking))
        .route("/own/address", web::get().to(address))
        .route("/own/option", web::get().to(option))
        .route("/own/socket", web::get().to(socket))
        .service(failing);
}

#[tokio::test]
async fn fw_01_handlers_and_tasks_need_not_be_send() {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let answer = server.text("/own/local", &ada.cookie).await;
    assert_eq!(answer, (200, "ada".to_owned()));
    assert_eq!(server.get("/own/local", "").await.status(), 401);
}

#[tokio::test]
async fn rf_13_a_blocking_thread_has_the_scope_that_it_was_given() {
    let server = Server::start(serve).await;
    let answer = server.text("/own/blocking", "").await;
    assert_eq!(answer, (200, "false true".to_owned()));
}

#[tokio::test]
async fn sr_11_rules_see_the_address_of_the_connection_and_believe_no_header() {
    let server = Server::start(serve).await;
    let request = server.request(reqwest::Method::GET, "/own/address", "");
    let request = request.header("x-forwarded-for", "10.0.0.1");
    let response = request.header("forwarded", "for=10.0.0.1").send().await;
    let peer: IpAddr = [127, 0, 0, 1].into();
    let seen = response.unwrap().text().await.unwrap();
    assert_eq!(seen, format!("{:?}", Some(peer)));
}

/// Why there is `Optional`: when this fails, `Option<Verified<V>>` can be told from it no more.
#[tokio::test]
async fn vs_20_an_option_of_an_extractor_is_actix_webs_own_and_hides_an_outage() {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    server.rig.store.set_down(true);
    let answer = server.text("/own/option", &ada.cookie).await;
    assert_eq!(answer, (200, "nobody".to_owned()));
    assert_eq!(server.get("/optional", &ada.cookie).await.status(), 503);
}

#[tokio::test]
async fn ck_11_op_27_an_error_of_a_middleware_says_what_a_response_says() {
    let headers = |app: &mut App, _: &Rig| app.gates.push(SecurityHeaders::new().build());
    let server = Server::with(serve, Rig::new(), headers).await;
    let response = server.post("/own/failing/ada", "").await;
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    assert_eq!(header(&response, "x-content-type-options"), ["nosniff"]);
    let cookies = header(&response, "set-cookie");
    assert_eq!(cookies.len(), 1);
    let session = cookies[0].split(';').next().unwrap().to_owned();
    assert_eq!(response.text().await.unwrap(), "of a middleware");
    assert_eq!(server.text("/required", &session).await.1, "ada");
}

#[tokio::test]
async fn vs_13_the_limit_of_bodies_is_that_of_actix_web() {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let request = server.request(reqwest::Method::POST, "/notes", &ada.cookie);
    let request = request.header("content-type", "application/json");
    let response = request.body(vec![b' '; 300_000]).send().await.unwrap();
    assert_eq!(response.status(), 413);
}

/// There a request has no `Host`, and a browser may cut its cookies into several headers.
#[tokio::test]
async fn cs_03_ck_13_a_head_of_http_2_is_read_whole() {
    let gate = |app: &mut App, _: &Rig| app.gates.push(Csrf::new().build().unwrap());
    let server = Server::with(serve, Rig::new(), gate).await;
    let ada = server.rig.device("ada").await;
    let client = reqwest::Client::builder().http2_prior_knowledge();
    let client = client.build().unwrap();
    let response = client
        .get(server.url("/required"))
        .header("cookie", "theme=dark")
        .header("cookie", &ada.cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.text().await.unwrap(), "ada");
    for (origin, status) in [("https://app.example", 200), ("https://evil.example", 403)] {
        let request = client.post(server.url("/sign-out"));
        let request = request.header("cookie", &ada.cookie);
        let response = request.header("origin", origin).send().await.unwrap();
        assert_eq!(response.status(), status, "{origin}");
    }
}

async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn rf_14_a_revocation_reaches_a_socket_and_no_context_is_left_by_one() {
    let server = Server::with(serve, Rig::without_cache(), |_, _| {}).await;
    let ada = server.rig.device("ada").await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "GET /own/socket HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        server.address, ada.cookie
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let head = read_until(&mut socket, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");

    socket.write_all(b"who?").await.unwrap();
    read_until(&mut socket, "ada").await;
    let subject = Subject::new("ada");
    server.rig.sessions.revoke(&subject, ada.id).await.unwrap();
    socket.write_all(b"and now?").await.unwrap();
    read_until(&mut socket, "401").await;
    drop(socket);
    server.idle().await;
}

/// The streamed body, to be polled by hand.
async fn body(rig: &Rig, cookie: &str) -> Pin<Box<impl MessageBody + use<>>> {
    let layer = SessionLayer::new(rig.sessions.clone());
    let app = actix_web::App::new().route("/", web::get().to(streamed));
    let app = init_service(app.wrap(layer)).await;
    let request = TestRequest::get().insert_header(("cookie", cookie));
    let response = call_service(&app, request.to_request()).await;
    Box::pin(response.into_body())
}

async fn next(body: &mut Pin<Box<impl MessageBody>>) -> Bytes {
    let part = poll_fn(|cx| body.as_mut().poll_next(cx)).await;
    part.unwrap().ok().unwrap()
}

#[tokio::test]
async fn rf_13_a_body_polled_in_another_request_keeps_its_own_viewer() {
    let rig = Rig::new();
    let (ada, eve) = (rig.device("ada").await, rig.device("eve").await);
    let mut body = body(&rig, &ada.cookie).await;
    let in_eves = rig.request(&eve.cookie).scope(async {
        assert_eq!(next(&mut body).await, "ada;");
        verify_session::<Member>().await.unwrap()
    });
    assert_eq!(in_eves.await.viewer().name, "eve");
}

#[tokio::test]
async fn rf_14_a_body_that_goes_on_finds_its_viewer_anew() {
    let rig = Rig::new();
    let ada = rig.device("ada").await;
    let mut body = body(&rig, &ada.cookie).await;
    assert_eq!(next(&mut body).await, "ada;");
    // Another node, of which this one hears nothing.
    let other = rig.beside(crate::support::key(0), |builder| builder);
    let subject = Subject::new("ada");
    other.sessions.revoke(&subject, ada.id).await.unwrap();
    assert_eq!(next(&mut body).await, "ada;");
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(next(&mut body).await, "401;");
}

#[tokio::test]
async fn vs_03_the_context_lives_as_long_as_the_body_and_no_longer() {
    let rig = Rig::without_cache();
    let ada = rig.device("ada").await;
    let mut body = body(&rig, &ada.cookie).await;
    next(&mut body).await;
    assert_eq!(count(&rig.members.alive), 1);
    drop(body);
    assert_eq!(count(&rig.members.alive), 0);
}
