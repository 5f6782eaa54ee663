//! A server on a loopback port, and requests to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clearance::{Current, RequestContext, Result, SessionLayer, Subject, Verified, verify_session};
use futures_util::stream;

use crate::support::{Member, Rig};

pub(crate) struct Server {
    pub(crate) rig: Arc<Rig>,
    pub(crate) handled: Arc<AtomicUsize>,
    address: SocketAddr,
    client: reqwest::Client,
}

#[derive(Clone)]
struct App {
    handled: Arc<AtomicUsize>,
}

async fn required(State(app): State<App>, member: Verified<Member>) -> String {
    app.handled.fetch_add(1, Ordering::SeqCst);
    member.viewer().name.clone()
}

async fn optional(member: Option<Verified<Member>>) -> String {
    member.map_or_else(
        || "nobody".to_owned(),
        |member| member.viewer().name.clone(),
    )
}

async fn current(member: Current<Member>) -> String {
    member.viewer().name.clone()
}

/// Checks deep inside, as a repository does, whatever the layers around it are.
async fn deep(State(app): State<App>) -> Result<String> {
    let member = verify_session::<Member>().await?;
    app.handled.fetch_add(1, Ordering::SeqCst);
    Ok(member.viewer().name.clone())
}

async fn sign_in(context: RequestContext, Path(name): Path<String>) -> Result<Response> {
    context.sign_in(&Subject::new(name)).await?;
    let headers = [
        (SET_COOKIE, "something=important"),
        (CACHE_CONTROL, "public, s-maxage=600"),
    ];
    Ok((headers, Json(serde_json::json!({ "signed": "in" }))).into_response())
}

async fn sign_out(context: RequestContext) -> Result<()> {
    context.sign_out().await
}

/// A body whose every part asks anew who the request's viewer is.
pub(crate) async fn streamed() -> Response {
    let parts = stream::unfold(0, |part| async move {
        if part == 5 {
            return None;
        }
        tokio::task::yield_now().await;
        let name = match verify_session::<Member>().await {
            Ok(member) => member.viewer().name.clone(),
            Err(error) => error.status().to_string(),
        };
        Some((Ok::<_, std::io::Error>(format!("{name};")), part + 1))
    });
    ([(CACHE_CONTROL, "public")], Body::from_stream(parts)).into_response()
}

async fn public() -> impl IntoResponse {
    ([(CACHE_CONTROL, "public, max-age=60")], "for everybody")
}

async fn stray() -> Result<String> {
    let stray = tokio::spawn(async { verify_session::<Member>().await.map(drop) });
    match stray.await {
        Ok(outcome) => outcome.map(|()| "found somebody".to_owned()),
        Err(_) => Ok("panicked".to_owned()),
    }
}

pub(crate) fn router(handled: &Arc<AtomicUsize>) -> Router {
    Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .route("/current", get(current))
        .route("/deep", get(deep))
        .route("/sign-in/{name}", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/streamed", get(streamed))
        .route("/public", get(public))
        .route("/stray", get(stray))
        .with_state(App {
            handled: Arc::clone(handled),
        })
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Rig::new()).await
    }

    pub(crate) async fn with(rig: Rig) -> Self {
        let layer = SessionLayer::new(rig.sessions.clone());
        Self::serve(rig, |router| router.layer(layer)).await
    }

    pub(crate) async fn without_layer() -> Self {
        Self::serve(Rig::new(), |router| router).await
    }

    pub(crate) async fn serve(rig: Rig, layered: impl FnOnce(Router) -> Router) -> Self {
        let handled = Arc::new(AtomicUsize::new(0));
        let app = layered(router(&handled));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = app.into_make_service();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self {
            rig: Arc::new(rig),
            handled,
            address,
            client: reqwest::Client::new(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a body.
    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        cookie: &str,
        media_type: &str,
        body: &str,
    ) -> reqwest::Response {
        let mut request = self.client.request(method, self.url(path));
        if !cookie.is_empty() {
            request = request.header(COOKIE, cookie);
        }
        let request = request.header(CONTENT_TYPE, media_type);
        request.body(body.to_owned()).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> reqwest::Response {
        self.request(reqwest::Method::GET, path, cookie).await
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str) -> reqwest::Response {
        self.request(reqwest::Method::POST, path, cookie).await
    }

    async fn request(
        &self,
        method: reqwest::Method,
        path: &str,
        cookie: &str,
    ) -> reqwest::Response {
        let mut request = self.client.request(method, self.url(path));
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }
}
