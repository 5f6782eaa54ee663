//! A request's scope: never another task's, never another request's.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use clearance::{RequestContext, SessionLayer, verify_session};
use futures_util::future::join_all;
use tower::{Layer as _, ServiceExt as _};

use crate::server::{Server, streamed};
use crate::support::{Member, Rig, count};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_13_two_hundred_interleaved_requests_of_twenty_users_keep_their_viewers() {
    let server = Arc::new(Server::start().await);
    let devices: Arc<Vec<_>> = Arc::new(
        join_all((0..20).map(|number| {
            let server = Arc::clone(&server);
            async move {
                let name = format!("user{number}");
                (name.clone(), server.rig.device(&name).await)
            }
        }))
        .await,
    );
    let requests = (0..200).map(|number| {
        let (server, devices) = (Arc::clone(&server), Arc::clone(&devices));
        tokio::spawn(async move {
            let (name, device) = &devices[number % devices.len()];
            let handled = server.get("/required", &device.cookie).await;
            assert_eq!(handled.text().await.unwrap(), *name);
            let streamed = server.get("/streamed", &device.cookie).await;
            assert_eq!(streamed.text().await.unwrap(), format!("{name};").repeat(5));
        })
    });
    for request in join_all(requests).await {
        request.unwrap();
    }
}

#[tokio::test]
async fn rf_13_a_spawned_task_of_a_handler_has_no_viewer() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    assert_eq!(server.get("/stray", &device.cookie).await.status(), 500);
}

/// Sends a request for the streamed body through the layer alone.
async fn body(rig: &Rig, cookie: &str) -> Body {
    let handler = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(streamed().await)
    });
    let service = SessionLayer::new(rig.sessions.clone()).layer(handler);
    let request = Request::builder()
        .header("cookie", cookie)
        .body(Body::empty())
        .unwrap();
    Body::new(service.oneshot(request).await.unwrap().into_body())
}

#[tokio::test]
async fn rf_13_a_body_polled_in_another_request_keeps_its_own_viewer() {
    let rig = Rig::new();
    let (ada, eve) = (rig.device("ada").await, rig.device("eve").await);
    let body = body(&rig, &ada.cookie).await;
    let seen = rig
        .request(&eve.cookie)
        .scope(async {
            let seen = to_bytes(body, usize::MAX).await.unwrap();
            let own = verify_session::<Member>().await.unwrap();
            assert_eq!(own.viewer().name, "eve");
            seen
        })
        .await;
    assert_eq!(seen, "ada;".repeat(5));
}

#[tokio::test]
async fn vs_03_the_context_lives_as_long_as_the_body_and_no_longer() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    let body = body(&rig, &device.cookie).await;
    let mut parts = body.into_data_stream();
    futures_util::StreamExt::next(&mut parts)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(count(&rig.members.alive), 1);
    drop(parts);
    assert_eq!(count(&rig.members.alive), 0);
    assert!(RequestContext::current().is_err());
}

#[tokio::test]
async fn rf_14_a_revocation_reaches_a_body_that_is_still_streamed() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let mut parts = body(&rig, &device.cookie).await.into_data_stream();
    let first = futures_util::StreamExt::next(&mut parts)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first, "ada;");
    rig.sessions
        .revoke(&clearance::Subject::new("ada"), device.id)
        .await
        .unwrap();
    let second = futures_util::StreamExt::next(&mut parts)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(second, "401;");
}

#[tokio::test]
async fn rf_14_a_stream_that_goes_on_hears_of_other_nodes_within_the_bound() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let other = rig.beside(crate::support::key(0), |builder| builder);
    let mut parts = body(&rig, &device.cookie).await.into_data_stream();
    let mut next = async || {
        futures_util::StreamExt::next(&mut parts)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(next().await, "ada;");
    let ada = clearance::Subject::new("ada");
    other.sessions.revoke(&ada, device.id).await.unwrap();
    rig.clock.advance(std::time::Duration::from_millis(4_999));
    assert_eq!(next().await, "ada;", "within the bound of five seconds");
    rig.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(next().await, "401;");
    assert_eq!(next().await, "401;");
}

#[tokio::test]
async fn rf_14_a_task_that_was_waiting_hears_of_other_nodes_within_the_bound() {
    for bound in [0, 1_000, 5_000] {
        let bound = std::time::Duration::from_millis(bound);
        let rig = Rig::with(|builder| builder.cache_bound(bound));
        let device = rig.device("ada").await;
        let other = rig.beside(crate::support::key(0), |builder| builder);
        let waiting = Arc::new(tokio::sync::Notify::new());
        let woken = Arc::clone(&waiting);
        let request = rig.request(&device.cookie);
        let task = tokio::spawn(request.scope(async move {
            let first = verify_session::<Member>().await;
            woken.notified().await;
            (first, verify_session::<Member>().await)
        }));
        while count(&rig.members.alive) == 0 {
            tokio::task::yield_now().await;
        }
        let ada = clearance::Subject::new("ada");
        other.sessions.revoke(&ada, device.id).await.unwrap();
        // A second, where the bound is less.
        rig.clock
            .advance(bound.max(std::time::Duration::from_secs(1)));
        waiting.notify_one();
        let (first, second) = task.await.unwrap();
        assert_eq!(first.unwrap().viewer().name, "ada");
        assert!(second.unwrap_err().is_unauthenticated(), "{bound:?}");
        assert!(verify_in(&request).await.is_err());
    }
}

async fn verify_in(request: &RequestContext) -> clearance::Result<()> {
    request.verify_session::<Member>().await.map(drop)
}

#[tokio::test]
async fn rf_14_a_fork_remembers_nothing_of_its_request() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let request = rig.request(&device.cookie).with_request_id("socket-7");
    verify_in(&request).await.unwrap();
    let other = rig.beside(crate::support::key(0), |builder| builder);
    let ada = clearance::Subject::new("ada");
    other.sessions.revoke(&ada, device.id).await.unwrap();
    let began = request.rule_context().now;
    rig.clock.advance(std::time::Duration::from_secs(5));
    let fork = request.fork();
    assert_eq!(fork.request_id(), "socket-7");
    assert_eq!((fork.rule_context().now - began).num_seconds(), 5);
    assert!(verify_in(&fork).await.unwrap_err().is_unauthenticated());
    let error = fork.sign_in(&ada).await.unwrap_err();
    assert!(
        error.is_misuse(),
        "a socket has no headers to set a cookie in"
    );
    let given = clearance::testing::as_viewer(Given);
    assert!(given.fork().verify_session::<Given>().await.is_ok());
    let nobody = clearance::testing::as_nobody().fork();
    assert!(
        nobody
            .verify_session::<Given>()
            .await
            .unwrap_err()
            .is_unauthenticated()
    );
}

struct Given;

impl clearance::Viewer for Given {
    fn subject(&self) -> clearance::Subject {
        clearance::Subject::new(1)
    }
}

#[tokio::test]
async fn ck_10_signing_in_while_streaming_is_too_late() {
    let rig = Rig::new();
    let handler = tower::service_fn(|_: Request<Body>| async {
        let late = futures_util::stream::once(async {
            let context = RequestContext::current().unwrap();
            let late = context.sign_in(&clearance::Subject::new("ada")).await;
            Ok::<_, std::io::Error>(late.unwrap_err().to_string())
        });
        let body = Body::from_stream(late);
        Ok::<_, std::convert::Infallible>(axum::http::Response::new(body))
    });
    let service = SessionLayer::new(rig.sessions.clone()).layer(handler);
    let response = service.oneshot(Request::new(Body::empty())).await.unwrap();
    let text = to_bytes(Body::new(response.into_body()), 1_000)
        .await
        .unwrap();
    assert!(text.starts_with(b"misuse: the response's headers are sent"));
}
