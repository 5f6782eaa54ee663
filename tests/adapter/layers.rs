//! The layers among other layers.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response};
use axum::middleware::map_response;
use axum::routing::get;
use clearance::route::{Gate, Route, RouteRules};
use clearance::{Access, Read, RequestContext, Write};

use crate::server::Server;
use crate::support::{DAY, Member, Rig, cookie_header, count};

fn paywall(rig: &Rig) -> Gate {
    RouteRules::protect_listed()
        .protect(Route::prefix("/reports").unwrap())
        .build(&rig.sessions)
        .unwrap()
}

/// Files as they lie on a disk, which ask nobody.
async fn file(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from(format!(
        "the file {}",
        request.uri().path()
    ))))
}

#[tokio::test]
async fn op_25_vs_10_files_are_behind_rules_of_routes() {
    let rig = Rig::new();
    let gate = paywall(&rig);
    let files = |router: Router| {
        let files = Router::new().fallback_service(tower::service_fn(file));
        router.fallback_service(files).layer(gate)
    };
    let server = Server::serve(rig, files).await;
    let ada = server.rig.device("ada").await;
    assert_eq!(server.get("/reports/2026.pdf", "").await.status(), 401);
    assert_eq!(server.get("/x/../reports/2026.pdf", "").await.status(), 401);
    assert_eq!(server.get("/prices.pdf", "").await.status(), 200);
    let response = server.get("/reports/2026.pdf", &ada.cookie).await;
    assert_eq!(response.text().await.unwrap(), "the file /reports/2026.pdf");
}

#[tokio::test]
async fn cs_04_asvs_3_5_3_a_safe_method_ends_no_session_and_writes_nothing() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::POST,
    ] {
        let safe = method.is_safe();
        let request = Request::builder()
            .method(method)
            .header("cookie", &device.cookie);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let context = RequestContext::of_parts(&rig.sessions, &head, None);
        let write = context
            .scope(Access::<Write<Member>>::authenticated())
            .await;
        let read = context.scope(Access::<Read<Member>>::authenticated()).await;
        assert_eq!(write.is_err_and(|error| error.is_misuse()), safe);
        assert!(read.is_ok());
        let sign_out = context.sign_out().await;
        assert_eq!(sign_out.is_err_and(|error| error.is_misuse()), safe);
    }
    assert!(
        rig.verify(&device.cookie).await.is_err(),
        "the last one was a POST"
    );
}

#[tokio::test]
async fn op_24_a_page_that_is_loaded_ahead_is_no_use_of_the_session() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    rig.clock.advance(DAY);
    let mut headers = cookie_header(&device.cookie);
    headers.insert("sec-purpose", HeaderValue::from_static("prefetch"));
    let ahead = RequestContext::new(&rig.sessions, &headers);
    ahead.verify_session::<Member>().await.unwrap();
    ahead.verify_current::<Member>().await.unwrap();
    assert_eq!(count(&rig.store.touches), 0);
    rig.verify(&device.cookie).await.unwrap();
    assert_eq!(count(&rig.store.touches), 1);
}

#[tokio::test]
async fn op_31_an_answer_can_be_changed_after_the_check() {
    let rig = Rig::new();
    let gate = paywall(&rig);
    let server = Server::serve(rig, |router| {
        router
            .route("/reports", get(|| async { "all of them" }))
            .layer(gate)
            .layer(map_response(|mut response: Response<Body>| async {
                let checked = HeaderValue::from_static("checked");
                response.headers_mut().insert("x-auth-status", checked);
                response
            }))
    })
    .await;
    let ada = server.rig.device("ada").await;
    for (cookie, status) in [("", 401), (&*ada.cookie, 200)] {
        let response = server.get("/reports", cookie).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-auth-status"], "checked");
    }
}
