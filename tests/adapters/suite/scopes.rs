//! A request's scope: never another task's, never another request's, and no longer than it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;

use super::{Rig, Serve, Server, count, go_on};

pub(crate) async fn rf_13_two_hundred_requests_of_twenty_users_keep_their_viewers(
    serve: impl Serve,
) {
    let server = Arc::new(Server::with(serve, Rig::without_cache(), |_, _| {}).await);
    let mut devices = Vec::new();
    for number in 0..20 {
        let name = format!("user{number}");
        let device = server.rig.device(&name).await;
        devices.push((name, device));
    }
    let devices = Arc::new(devices);
    let requests = (0..200).map(|number| {
        let (server, devices) = (Arc::clone(&server), Arc::clone(&devices));
        tokio::spawn(async move {
            let (name, device) = &devices[number % devices.len()];
            let (status, handled) = server.text("/required", &device.cookie).await;
            assert_eq!((status, &handled), (200, name));
            let (_, streamed) = server.text("/streamed", &device.cookie).await;
            assert_eq!(streamed, format!("{name};").repeat(5));
            let (_, events) = server.text("/events", &device.cookie).await;
            // A line that begins with a colon is a comment, such as the heartbeat of a stream.
            let said = |line: &&str| !line.is_empty() && !line.starts_with(':');
            let data: Vec<&str> = events.lines().filter(said).collect();
            assert_eq!(data.len(), 5, "{events}");
            for line in data {
                let data = line.strip_prefix("data:").unwrap().trim_start();
                assert_eq!(data, format!("{name};"));
            }
        })
    });
    for request in join_all(requests).await {
        request.unwrap();
    }
    server.idle().await;
}

pub(crate) async fn rf_13_a_task_has_the_scope_that_it_was_given(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    assert_eq!(server.get("/stray", &ada.cookie).await.status(), 500);
    for path in ["/spawned", "/forked"] {
        assert_eq!(
            server.text(path, &ada.cookie).await,
            (200, "ada".to_owned())
        );
    }
}

/// The parts of `/endless` and `/streamed` as they come, without the blank heartbeats of a framework that
/// notices by writing alone that a client is gone.
async fn stream(
    server: &Server,
    path: &str,
    cookie: &str,
) -> impl futures_util::Stream<Item = String> + Unpin + use<> {
    let bytes = server.get(path, cookie).await.bytes_stream();
    bytes.filter_map(|part| {
        let part = String::from_utf8(part.unwrap().to_vec()).unwrap();
        let said = part.trim();
        std::future::ready((!said.is_empty()).then(|| said.to_owned()))
    })
}

pub(crate) async fn rf_14_a_revocation_ends_what_is_still_streamed(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let gate = server.rig.store.loaded.arm();
    let (parts, ()) = tokio::join!(server.text("/streamed", &ada.cookie), async {
        gate.reached().await;
        let subject = clearance::Subject::new("ada");
        server.rig.sessions.revoke(&subject, ada.id).await.unwrap();
        gate.open();
    });
    assert_eq!(parts.1, "401;".repeat(5));
}

pub(crate) async fn rf_14_a_body_that_goes_on_hears_of_other_nodes_within_the_bound(
    serve: impl Serve,
) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada-on-two-nodes").await;
    // Another node, of which this one hears nothing.
    let other = server.rig.beside(crate::support::key(0), |builder| builder);
    let mut parts = stream(&server, "/endless", &ada.cookie).await;
    assert_eq!(parts.next().await.unwrap(), "ada-on-two-nodes;");
    let subject = clearance::Subject::new("ada-on-two-nodes");
    other.sessions.revoke(&subject, ada.id).await.unwrap();
    server.rig.clock.advance(Duration::from_secs(5));
    go_on("ada-on-two-nodes");
    assert_eq!(parts.next().await.unwrap(), "401;");
}

pub(crate) async fn vs_03_no_context_is_left_when_a_client_goes_away(serve: impl Serve) {
    let server = Server::with(serve, Rig::without_cache(), |_, _| {}).await;
    let ada = server.rig.device("ada-who-leaves").await;
    let mut parts = stream(&server, "/endless", &ada.cookie).await;
    assert_eq!(parts.next().await.unwrap(), "ada-who-leaves;");
    assert_eq!(count(&server.rig.members.alive), 1);
    drop(parts);
    server.idle().await;
}

pub(crate) async fn vs_03_no_context_is_left_by_a_panic(serve: impl Serve) {
    let server = Server::with(serve, Rig::without_cache(), |_, _| {}).await;
    let ada = server.rig.device("ada").await;
    let request = server.request(reqwest::Method::GET, "/panic", &ada.cookie);
    // Some answer 500, and some close the connection.
    let status = request
        .send()
        .await
        .map(|response| response.status().as_u16());
    assert!(matches!(status, Ok(500) | Err(_)), "{status:?}");
    server.idle().await;
    let (status, name) = server.text("/required", &ada.cookie).await;
    assert_eq!((status, name.as_str()), (200, "ada"));
}

pub(crate) async fn vs_03_a_body_that_stalls_holds_no_context_when_its_client_is_gone(
    serve: impl Serve,
) {
    let server = Server::with(serve, Rig::without_cache(), |_, _| {}).await;
    let ada = server.rig.device("ada").await;
    let mut socket = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let head = format!(
        "POST /stalled HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\ncontent-length: 100\r\n\r\nsome of what was announced",
        server.address, ada.cookie
    );
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes())
        .await
        .unwrap();
    while count(&server.rig.members.alive) == 0 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    server.idle().await;
}
