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
