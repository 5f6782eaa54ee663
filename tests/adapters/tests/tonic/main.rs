//! tonic: a service without generated code, and tonic's own client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod service;
#[path = "../../../sessions/support.rs"]
mod support;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use clearance::route::{Gate, GrpcCalls, Protect};
use clearance::{RequestContext, SessionLayer, Subject};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use http::uri::PathAndQuery;
use service::{Members, Notes, Text};
use support::{Member, Rig, count};
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::service::InterceptorLayer;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::transport::{Channel, Server as Transport};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// A server on a loopback port, and tonic's client of it.
struct Server {
    rig: Rig,
    handled: Arc<AtomicUsize>,
    channel: Channel,
    _database: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::over(Rig::new()).await
    }

    async fn over(rig: Rig) -> Self {
        let layer = SessionLayer::new(rig.sessions.clone());
        Self::serve(rig, |members, incoming| {
            let server = Transport::builder().layer(layer).add_service(members);
            server.serve_with_incoming(incoming)
        })
        .await
    }

    /// One that this gate stands before.
    async fn behind(gate: Gate) -> Self {
        let rig = Rig::new();
        let layer = SessionLayer::new(rig.sessions.clone());
        Self::serve(rig, |members, incoming| {
            let mut server = Transport::builder().layer(layer).layer(gate);
            server.add_service(members).serve_with_incoming(incoming)
        })
        .await
    }

    async fn serve<F>(rig: Rig, serve: impl FnOnce(Members, TcpIncoming) -> F) -> Self
    where
        F: Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
    {
        let (database, notes) = Notes::new().await;
        let handled = Arc::new(AtomicUsize::new(0));
        let members = Members {
            notes,
            handled: Arc::clone(&handled),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(members, TcpIncoming::from(listener)));
        let channel = Channel::from_shared(url).unwrap();
        Self {
            rig,
            handled,
            channel: channel.connect().await.unwrap(),
            _database: database,
        }
    }

    async fn client(&self) -> tonic::client::Grpc<Channel> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        client
    }

    async fn call(&self, method: &str, text: &str, cookie: &str) -> Result<Response<Text>, Status> {
        let request = with_cookie(Text::of(text), cookie);
        self.send(method, request).await
    }

    async fn send(&self, method: &str, request: Request<Text>) -> Result<Response<Text>, Status> {
        let mut client = self.client().await;
        client.unary(request, path(method), codec()).await
    }

    async fn text(&self, method: &str, cookie: &str) -> Result<String, Status> {
        let response = self.call(method, "", cookie).await?;
        Ok(response.into_inner().text)
    }

    async fn stream(&self, method: &str, cookie: &str) -> Streaming<Text> {
        let mut client = self.client().await;
        let request = with_cookie(Text::default(), cookie);
        let response = client.server_streaming(request, path(method), codec());
        response.await.unwrap().into_inner()
    }

    /// Waits until no request is under way any more; the time that takes is the server's.
    async fn idle(&self) {
        while count(&self.rig.members.alive) > 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn path(method: &str) -> PathAndQuery {
    format!("/test.Members/{method}").parse().unwrap()
}

fn codec() -> ProstCodec<Text, Text> {
    ProstCodec::default()
}

fn with_cookie<T>(message: T, cookie: &str) -> Request<T> {
    let mut request = Request::new(message);
    if !cookie.is_empty() {
        let metadata = request.metadata_mut();
        metadata.insert("cookie", cookie.parse().unwrap());
    }
    request
}

fn values<'a>(metadata: &'a MetadataMap, key: &str) -> Vec<&'a str> {
    let values = metadata.get_all(key).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

/// A message as it stands in a body.
fn framed(text: &str) -> Vec<u8> {
    let message = prost::Message::encode_to_vec(&Text::of(text));
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    body
}

/// As a page of another site has a browser send it: any bytes, with the user's cookie.
async fn send_as(
    server: &Server,
    media_types: &[&'static str],
    method: &str,
    text: &str,
    cookie: &str,
) -> http::Response<tonic::body::Body> {
    let body = http_body_util::Full::new(framed(text).into());
    let mut request = http::Request::post(path(method).as_str())
        .body(tonic::body::Body::new(body))
        .unwrap();
    for media_type in media_types {
        let value = http::HeaderValue::from_static(media_type);
        request.headers_mut().append("content-type", value);
    }
    if !cookie.is_empty() {
        request
            .headers_mut()
            .insert("cookie", cookie.parse().unwrap());
    }
    let mut channel = server.channel.clone();
    tower::ServiceExt::ready(&mut channel).await.unwrap();
    tower::Service::call(&mut channel, request).await.unwrap()
}

/// What a browser sends for another site without asking, and what is no media type of gRPC in other ways.
const FOREIGN: [&[&str]; 10] = [
    &[],
    &["text/plain"],
    &["text/plain;charset=utf-8"],
    &["application/x-www-form-urlencoded"],
    &["multipart/form-data; boundary=x"],
    &["text/plain; application/grpc"],
    &["text/plain, application/grpc"],
    &["application/json"],
    &["text/plain", "application/grpc"],
    &["application/grpc", "text/plain"],
];

const OF_GRPC: [&[&str]; 5] = [
    &["application/grpc"],
    &["application/grpc+proto"],
    &["Application/GRPC;x=y"],
    &["application/grpc-web"],
    &["application/grpc-web-text+proto"],
];

#[tokio::test]
async fn cs_25_what_is_no_call_of_grpc_reaches_no_handler() {
    let server = Server::behind(GrpcCalls::<Member>::new().build()).await;
    let ada = server.rig.device("ada").await;
    let note = r#"{"text":"one"}"#;
    for media_types in FOREIGN {
        for (method, text) in [
            ("Add", note),
            ("Name", ""),
            ("SignIn", "eve"),
            ("SignOut", ""),
        ] {
            let answer = send_as(&server, media_types, method, text, &ada.cookie).await;
            assert_eq!(answer.status(), 415, "{media_types:?}");
            assert!(!answer.headers().contains_key("grpc-status"));
            assert!(!answer.headers().contains_key("set-cookie"));
            // Who is not signed in is told nothing else, whatever is wrong.
            let answer = send_as(&server, media_types, method, text, "").await;
            assert_eq!(answer.status(), 401, "{media_types:?}");
            assert!(!answer.headers().contains_key("set-cookie"));
        }
    }
    let eve = server.rig.device("eve").await;
    server.rig.store.set_down(true);
    let answer = send_as(&server, &["text/plain"], "Name", "", &eve.cookie).await;
    assert_eq!(answer.status(), 503);
    server.rig.store.set_down(false);
    assert_eq!(count(&server.handled), 0);
    assert_eq!(server.text("All", &ada.cookie).await.unwrap(), "0");
    for media_types in OF_GRPC {
        let answer = send_as(&server, media_types, "Name", "", &ada.cookie).await;
        assert_eq!(answer.status(), 200, "{media_types:?}");
    }
}

/// The handler runs, and can change nothing.
#[tokio::test]
async fn cs_25_without_the_gate_what_is_no_call_of_grpc_changes_nothing() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    let note = r#"{"text":"one"}"#;
    let status = |answer: &http::Response<tonic::body::Body>| {
        let status = answer.headers().get("grpc-status");
        status.map(|status| status.to_str().unwrap().to_owned())
    };
    for media_types in FOREIGN {
        for (method, text) in [("Add", note), ("SignIn", "eve"), ("SignOut", "")] {
            let answer = send_as(&server, media_types, method, text, &ada.cookie).await;
            let denied = (Code::PermissionDenied as i32).to_string();
            assert_eq!(status(&answer), Some(denied), "{media_types:?} {method}");
            assert!(!answer.headers().contains_key("set-cookie"));
        }
        let answer = send_as(&server, media_types, "Add", note, "").await;
        let nobody = (Code::Unauthenticated as i32).to_string();
        assert_eq!(status(&answer), Some(nobody), "{media_types:?}");
    }
    assert_eq!(server.text("All", &ada.cookie).await.unwrap(), "0");
    let answer = send_as(&server, &["application/grpc"], "Add", note, &ada.cookie).await;
    assert_eq!(status(&answer), None, "it stands in the trailers");
    assert_eq!(server.text("All", &ada.cookie).await.unwrap(), "1");
}

/// Methods that want a viewer.
const GUARDED: [&str; 6] = ["Name", "Explicit", "Current", "Spawned", "Forked", "All"];

#[tokio::test]
async fn fw_02_fw_01_the_viewer_comes_by_every_way() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    for method in ["Name", "Explicit", "Current", "Spawned", "Forked", "Fresh"] {
        let name = server.text(method, &ada.cookie).await.unwrap();
        assert_eq!(name, "ada", "{method}");
    }
    let status = server.text("Unknown", &ada.cookie).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn rb_09_vs_12_each_refusal_has_its_status() {
    let server = Server::start().await;
    let (ada, eve) = (
        server.rig.device("ada").await,
        server.rig.device("eve").await,
    );
    server
        .call("Add", r#"{"text":"one"}"#, &ada.cookie)
        .await
        .unwrap();
    server.rig.clock.advance(Duration::from_secs(3600));
    let taken = r#"{"text":"one"}"#;
    for (method, text, cookie, code, message) in [
        ("Name", "", "", Code::Unauthenticated, "not signed in"),
        ("Add", taken, "", Code::Unauthenticated, "not signed in"),
        (
            "Fresh",
            "",
            &*ada.cookie,
            Code::Unauthenticated,
            "sign in again to do this",
        ),
        (
            "All",
            "",
            &*eve.cookie,
            Code::PermissionDenied,
            "not allowed",
        ),
        ("Note", "1", &*eve.cookie, Code::NotFound, "not found"),
        (
            "Add",
            taken,
            &*eve.cookie,
            Code::Aborted,
            "conflicts with what is stored",
        ),
        (
            "Add",
            "{",
            &*ada.cookie,
            Code::InvalidArgument,
            "the body is not valid JSON",
        ),
        (
            "Add",
            "{}",
            &*ada.cookie,
            Code::InvalidArgument,
            "not valid: `text` is missing",
        ),
        ("Stray", "", &*ada.cookie, Code::Internal, ""),
    ] {
        let status = server.call(method, text, cookie).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (code, message),
            "{method}"
        );
        assert!(status.details().is_empty());
        let challenge = match message {
            "not signed in" => vec!["Cookie"],
            "sign in again to do this" => {
                vec!["Cookie error=\"insufficient_user_authentication\""]
            }
            _ => vec![],
        };
        assert_eq!(values(status.metadata(), "www-authenticate"), challenge);
    }
    assert_eq!(server.text("All", &ada.cookie).await.unwrap(), "1");
}

#[tokio::test]
async fn rf_6_a_store_that_is_down_is_unavailable() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    server.rig.store.set_down(true);
    for method in GUARDED {
        let status = server.text(method, &ada.cookie).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, ""),
            "{method}"
        );
    }
    server.rig.store.set_down(false);
    assert_eq!(server.text("Name", &ada.cookie).await.unwrap(), "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_13_two_hundred_calls_of_twenty_users_keep_their_viewers() {
    let server = Arc::new(Server::over(Rig::without_cache()).await);
    let mut devices = Vec::new();
    for number in 0..20 {
        let name = format!("user{number}");
        let device = server.rig.device(&name).await;
        devices.push((name, device));
    }
    let devices = Arc::new(devices);
    let calls = (0..200).map(|number| {
        let (server, devices) = (Arc::clone(&server), Arc::clone(&devices));
        tokio::spawn(async move {
            let (name, device) = &devices[number % devices.len()];
            assert_eq!(&server.text("Name", &device.cookie).await.unwrap(), name);
            let messages = server.stream("Streamed", &device.cookie).await;
            let names: Vec<String> = messages
                .map(|message| message.unwrap().text)
                .collect()
                .await;
            assert_eq!(names, vec![name.clone(); 5]);
        })
    });
    for call in join_all(calls).await {
        call.unwrap();
    }
    server.idle().await;
}

#[tokio::test]
async fn rf_13_messages_of_a_client_are_read_in_its_scope() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    let messages = || stream::iter(["one", "two"].map(Text::of));
    let mut client = server.client().await;
    let request = with_cookie(messages(), &ada.cookie);
    let joined = client.client_streaming(request, path("Joined"), codec());
    assert_eq!(joined.await.unwrap().into_inner().text, "adaone;adatwo;");

    client.ready().await.unwrap();
    let request = with_cookie(messages(), &ada.cookie);
    let echo = client
        .streaming(request, path("Echo"), codec())
        .await
        .unwrap();
    let echo: Vec<String> = echo
        .into_inner()
        .map(|text| text.unwrap().text)
        .collect()
        .await;
    assert_eq!(echo, ["ada: one", "ada: two"]);

    client.ready().await.unwrap();
    let request = with_cookie(messages(), "");
    let refused = client
        .streaming(request, path("Echo"), codec())
        .await
        .unwrap();
    let status = refused.into_inner().message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(values(status.metadata(), "www-authenticate"), ["Cookie"]);
}

#[tokio::test]
async fn rf_13_a_task_that_nobody_gave_the_scope_is_refused() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    let status = server.text("Stray", &ada.cookie).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let mut messages = server.stream("Channel", &ada.cookie).await;
    let status = messages.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, ""));
}

#[tokio::test]
async fn rf_14_a_revocation_ends_what_is_still_streamed() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    let gate = server.rig.store.loaded.arm();
    tokio::join!(
        async {
            let mut messages = server.stream("Streamed", &ada.cookie).await;
            let status = messages.message().await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
        },
        async {
            gate.reached().await;
            let subject = Subject::new("ada");
            server.rig.sessions.revoke(&subject, ada.id).await.unwrap();
            gate.open();
        }
    );
}

#[tokio::test]
async fn vs_03_no_context_is_left_when_a_client_goes_away() {
    let server = Server::over(Rig::without_cache()).await;
    let ada = server.rig.device("ada").await;
    let mut messages = server.stream("Endless", &ada.cookie).await;
    assert_eq!(messages.message().await.unwrap().unwrap().text, "ada");
    assert_eq!(count(&server.rig.members.alive), 1);
    drop(messages);
    server.idle().await;
}

#[tokio::test]
async fn rf_12_op_23_without_the_session_layer_everything_is_refused() {
    let server = Server::serve(Rig::new(), |members, incoming| {
        let server = Transport::builder().add_service(members);
        server.serve_with_incoming(incoming)
    })
    .await;
    let ada = server.rig.device("ada").await;
    for cookie in ["", &ada.cookie] {
        for method in GUARDED.into_iter().chain(["SignIn", "SignOut"]) {
            let status = server.text(method, cookie).await.unwrap_err();
            assert_eq!(
                (status.code(), status.message()),
                (Code::Internal, ""),
                "{method}"
            );
        }
    }
    assert_eq!(count(&server.handled), 0);
}

#[tokio::test]
async fn rf_12_sr_11_no_metadata_makes_anybody_of_nobody() {
    let server = Server::start().await;
    let ada = server.rig.device("ada").await;
    for (key, value) in [
        ("authorization", ada.value()),
        ("x-session", ada.value()),
        ("set-cookie", &*ada.cookie),
        ("cookie2", &*ada.cookie),
        ("x-user", "ada"),
        ("x-forwarded-for", "127.0.0.1"),
        ("grpc-metadata-cookie", &*ada.cookie),
        ("cookie", "__Host-session=forged"),
    ] {
        for method in GUARDED {
            let mut request = Request::new(Text::default());
            request.metadata_mut().insert(key, value.parse().unwrap());
            let status = server.send(method, request).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{key} {method}");
        }
    }
    assert_eq!(count(&server.handled), 0);
}

/// The cookie comes back as metadata, and goes out as metadata.
#[tokio::test]
async fn ck_11_a_call_signs_in_and_out() {
    let server = Server::start().await;
    let response = server.call("SignIn", "ada", "").await.unwrap();
    let cookies = values(response.metadata(), "set-cookie");
    assert_eq!(cookies.len(), 1);
    let cookie = cookies[0].split(';').next().unwrap();
    let cache = values(response.metadata(), "cache-control");
    assert_eq!(cache, ["private, no-store"]);
    assert_eq!(server.text("Name", cookie).await.unwrap(), "ada");
    let response = server.call("SignOut", "", cookie).await.unwrap();
    let removed = values(response.metadata(), "set-cookie");
    assert!(removed[0].starts_with("__Host-session=;"), "{removed:?}");
    let status = server.text("Name", cookie).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn fw_02_the_address_is_that_of_the_connection() {
    let rig = Rig::new();
    let layer = SessionLayer::new(rig.sessions.clone()).address(|extensions| {
        let connection = extensions.get::<TcpConnectInfo>()?;
        Some(connection.remote_addr()?.ip())
    });
    let server = Server::serve(rig, |members, incoming| {
        let server = Transport::builder().layer(layer).add_service(members);
        server.serve_with_incoming(incoming)
    })
    .await;
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let found = server.text("Address", "").await.unwrap();
    assert_eq!(found, format!("{:?}", Some(ip)));
}

#[tokio::test]
async fn fw_02_an_interceptor_has_the_request() {
    let rig = Rig::new();
    let layer = SessionLayer::new(rig.sessions.clone());
    let interceptor = InterceptorLayer::new(|request: Request<()>| {
        let id = RequestContext::current()?.request_id().to_owned();
        assert_eq!(id.len(), 32);
        Ok::<_, Status>(request)
    });
    let server = Server::serve(rig, |members, incoming| {
        let mut server = Transport::builder().layer(layer).layer(interceptor);
        server.add_service(members).serve_with_incoming(incoming)
    })
    .await;
    let ada = server.rig.device("ada").await;
    assert_eq!(server.text("Name", &ada.cookie).await.unwrap(), "ada");
}

/// A gate answers in HTTP, and clients make a status of gRPC of it.
#[tokio::test]
async fn fw_02_rb_15_what_a_gate_answers_is_a_status_of_grpc() {
    let api = Protect::<Member>::api().require(|member| member.name == "ada");
    let server = Server::behind(api.build().unwrap()).await;
    let status = server.text("Name", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    let eve = server.rig.device("eve").await;
    let status = server.text("Name", &eve.cookie).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    let ada = server.rig.device("ada").await;
    assert_eq!(server.text("Name", &ada.cookie).await.unwrap(), "ada");
    let names: Vec<_> = server.stream("Streamed", &ada.cookie).await.collect().await;
    assert_eq!(names.len(), 5);
    let status = server.call("Note", "7", &ada.cookie).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
