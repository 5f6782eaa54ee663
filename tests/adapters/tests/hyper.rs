//! hyper, without a framework, over HTTP/1.1 and over HTTP/2 in clear text.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod served;
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../../sessions/support.rs"]
mod support;
#[path = "../suite/upgrades.rs"]
mod upgrades;

use std::convert::Infallible;
use std::net::SocketAddr;

use clearance::route::session_state;
use clearance::{Current, RequestContext, Result, Untrusted, Verified, verify_session};
use futures_util::{Stream, StreamExt as _};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use served::{Body, boxed};
use suite::{Address, App, Member, OWN_COOKIE, SIGNED_IN, Server};

fn text(text: impl Into<String>) -> Response<Body> {
    Response::new(text.into().map_err(Into::into).boxed_unsync())
}

fn json(value: &impl Serialize) -> Response<Body> {
    text(serde_json::to_string(value).unwrap())
}

fn stream(parts: impl Stream<Item = String> + Send + 'static) -> Response<Body> {
    let frame = |part| Ok(Frame::data(Bytes::from(part)));
    Response::new(StreamBody::new(parts.map(frame)).boxed_unsync())
}

fn with(mut response: Response<Body>, headers: &[(&'static str, &'static str)]) -> Response<Body> {
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    response
}

async fn verified() -> Result<Verified<Member>> {
    verify_session().await
}

fn name(member: &Verified<Member>) -> Response<Body> {
    text(&member.viewer().name)
}

fn echo(request: Request<()>) -> Result<Response<Body>> {
    let context = RequestContext::current()?;
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        upgrades::echo(context, TokioIo::new(upgrade.await.unwrap())).await;
    });
    let upgraded = status(StatusCode::SWITCHING_PROTOCOLS);
    let headers = [("connection", "upgrade"), ("upgrade", "echo")];
    Ok(with(upgraded, &headers))
}

async fn route(app: &App, head: &Parts, body: Incoming) -> Result<Response<Body>> {
    let path = head.uri.path();
    if let Some(gate) = match path {
        "/page" | "/nested/page" => Some(&app.page),
        "/api" => Some(&app.api),
        "/answered" => Some(&app.answered),
        _ => None,
    } {
        if let Err(answer) = gate.check(head).await {
            return Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()));
        }
        app.handle();
        return Ok(text("inside"));
    }
    let response = match (head.method.as_str(), path) {
        ("GET", "/required") => {
            let member = verified().await?;
            app.handle();
            name(&member)
        }
        ("GET", "/optional") => match verified().await {
            Ok(member) => name(&member),
            Err(error) if error.is_unauthenticated() => text("nobody"),
            Err(error) => return Err(error),
        },
        ("GET", "/current") => {
            let member: Current<Member> = RequestContext::current()?.verify_current().await?;
            text(&member.viewer().name)
        }
        ("GET", "/deep") => text(suite::deep().await?),
        ("GET", "/explicit") => text(suite::explicit(RequestContext::current()?).await?),
        ("GET", "/sign-in") => text("a form"),
        ("POST", "/sign-out") | ("GET", "/sign-out") => {
            suite::sign_out(&RequestContext::current()?).await?;
            text("")
        }
        ("GET", "/streamed") => with(stream(suite::parts()), &[("cache-control", "public")]),
        ("GET", "/events") => {
            let event = |part| format!("data: {part}\n\n");
            let headers = [("content-type", "text/event-stream")];
            with(stream(suite::parts().map(event)), &headers)
        }
        ("GET", "/endless") => stream(suite::endless()),
        ("POST", "/stalled") => {
            verified().await?;
            match body.collect().await {
                Ok(_) => text("read"),
                Err(_) => status(StatusCode::BAD_REQUEST),
            }
        }
        ("GET", "/public") => {
            let headers = [("cache-control", "public, max-age=60")];
            with(text("for everybody"), &headers)
        }
        ("GET", "/stray") => text(suite::stray().await?),
        ("GET", "/spawned") => text(suite::spawned().await?),
        ("GET", "/forked") => text(suite::forked(&RequestContext::current()?).await?),
        ("GET", "/panic") => {
            verified().await?;
            panic!("as a handler may");
        }
        ("POST", "/notes") => match body.collect().await {
            Ok(body) => {
                let media_type = head.headers.get("content-type");
                let note = Untrusted::body(media_type, body.to_bytes());
                json(&app.notes.add(note).await?)
            }
            Err(_) => status(StatusCode::BAD_REQUEST),
        },
        ("GET", "/notes") => json(&app.notes.all().await?),
        ("GET", "/notes/add") => json(&app.notes.add_one().await?),
        ("GET", "/state") => session_state::<Member>()
            .await
            .map(|body| body.map_err(Into::into).boxed_unsync()),
        ("POST", path) if path.starts_with("/sign-in/") => {
            let name = path.trim_start_matches("/sign-in/");
            suite::sign_in(&RequestContext::current()?, name).await?;
            let headers = [
                ("set-cookie", OWN_COOKIE),
                ("cache-control", "public, s-maxage=600"),
                ("content-type", "application/json"),
            ];
            with(text(SIGNED_IN), &headers)
        }
        ("GET", "/echo") => {
            verified().await?;
            echo(Request::from_parts(head.clone(), ()))?
        }
        _ => status(StatusCode::NOT_FOUND),
    };
    Ok(response)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = text("");
    *response.status_mut() = status;
    response
}

async fn handle(app: App, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let answered = route(&app, &head, body).await;
    Ok(answered.unwrap_or_else(|error| {
        let answer = error.to_response();
        answer.map(|body| body.map_err(Into::into).boxed_unsync())
    }))
}

async fn serve(app: App) -> SocketAddr {
    let handled = app.clone();
    let handler = tower::service_fn(move |request| handle(handled.clone(), request));
    served::serve(&app, boxed(handler)).await
}

async fn serve2(app: App) -> Address {
    Address::http2(serve(app).await)
}

mod http1 {
    crate::suite::tests!(super::serve);
}

mod http2 {
    crate::suite::tests!(super::serve2);
}

#[tokio::test]
async fn fw_02_both_versions_of_http_are_spoken() {
    for (server, version) in [
        (Server::start(serve).await, http::Version::HTTP_11),
        (Server::start(serve2).await, http::Version::HTTP_2),
    ] {
        assert_eq!(server.get("/public", "").await.version(), version);
    }
}

/// Over HTTP/2 a client may send each cookie in a field of its own
/// ([RFC 9113, section 8.2.3](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3)).
#[tokio::test]
async fn fw_02_cookies_that_come_apart_are_read() {
    let server = Server::start(serve2).await;
    let ada = server.rig.device("ada").await;
    let request = server.request(reqwest::Method::GET, "/required", "theme=dark");
    let request = request.header("cookie", &ada.cookie);
    let request = request.header("cookie", "lang=en");
    let response = request.send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "ada");
}

/// A request in a scope by hand: everything but a body that is made later.
#[tokio::test]
async fn fw_01_rf_12_a_request_without_any_layer() {
    let rig = suite::Rig::new();
    let ada = rig.device("ada").await;
    for (cookie, expected) in [(&*ada.cookie, 200), ("", 401)] {
        let request = Request::get("/deep").header("cookie", cookie);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let context = RequestContext::of_parts(&rig.sessions, &head, None);
        let found = context.scope(suite::deep()).await;
        let mut response = match found {
            Ok(name) => text(name),
            Err(error) => error.to_response().map(|body| text(body).into_body()),
        };
        context.finish(response.headers_mut());
        assert_eq!(response.status(), expected);
        assert_eq!(response.headers()["cache-control"], "private, no-store");
    }
}

#[tokio::test]
async fn rf_14_fw_02_a_revocation_ends_what_a_connection_was_upgraded_to() {
    upgrades::rf_14_a_revocation_ends_what_a_connection_was_upgraded_to(serve).await;
}
