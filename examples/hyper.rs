//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example hyper
//! ```

mod journal;

use std::convert::Infallible;

use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use journal::{Credentials, Journal, Member};
use serde::Serialize;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

/// Bytes of a body.
const MOST: usize = 64 * 1024;

fn status(status: StatusCode) -> Response<String> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn json(value: &impl Serialize) -> Response<String> {
    let Ok(text) = serde_json::to_string(value) else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = Response::new(text);
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

async fn read(body: Incoming) -> Option<Bytes> {
    let body = Limited::new(body, MOST).collect().await.ok()?;
    Some(body.to_bytes())
}

async fn sign_in(body: Incoming) -> Result<Response<String>> {
    let Some(body) = read(body).await else {
        return Ok(status(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let Ok(credentials) = serde_urlencoded::from_bytes::<Credentials>(&body) else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let Some(subject) = credentials.check() else {
        return Ok(status(StatusCode::UNAUTHORIZED));
    };
    RequestContext::current()?.sign_in(&subject).await?;
    Ok(status(StatusCode::NO_CONTENT))
}

async fn add(journal: &Journal, request: Request<Incoming>) -> Result<Response<String>> {
    let media_type = request.headers().get(CONTENT_TYPE).cloned();
    let Some(body) = read(request.into_body()).await else {
        return Ok(status(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let note = Untrusted::body(media_type.as_ref(), body);
    Ok(json(&journal.add(note).await?))
}

async fn route(journal: &Journal, request: Request<Incoming>) -> Result<Response<String>> {
    match (request.method().as_str(), request.uri().path()) {
        ("POST", "/sign-in") => sign_in(request.into_body()).await,
        ("POST", "/sign-out") => {
            RequestContext::current()?.sign_out().await?;
            Ok(status(StatusCode::NO_CONTENT))
        }
        ("GET", "/notes") => Ok(json(&journal.notes().await?)),
        ("POST", "/notes") => add(journal, request).await,
        ("GET", "/session") => Ok(session_state::<Member>().await),
        _ => Ok(status(StatusCode::NOT_FOUND)),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let handler = service_fn(move |request| {
        let journal = journal.clone();
        async move {
            let answer = route(&journal, request).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|error| error.to_response()))
        }
    });
    let service = ServiceBuilder::new()
        .layer(SecurityHeaders::new().build())
        .layer(SessionLayer::new(sessions))
        .layer(Csrf::new().build()?)
        .service(handler);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(socket), service)
                .await
        });
    }
}
