//! What a client gets: statuses, problem details, cookies, caching.

use std::sync::atomic::Ordering;

use clearance::Subject;
use reqwest::Response;

use crate::server::Server;
use crate::support::{Rig, count};

fn header<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    response
        .headers()
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}

/// The problem details that name a status and nothing else.
async fn assert_problem(response: Response, status: u16, title: &str) {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(
        header(&response, "content-type"),
        ["application/problem+json"]
    );
    let cache = header(&response, "cache-control");
    assert!(
        cache.len() == 1 && cache[0].contains("no-store"),
        "{cache:?}"
    );
    let challenge = header(&response, "www-authenticate");
    assert_eq!(challenge.is_empty(), status != 401);
    assert_eq!(
        response.text().await.unwrap(),
        format!(r#"{{"status":{status},"title":"{title}","type":"about:blank"}}"#)
    );
}

#[tokio::test]
async fn vs_01_vs_19_a_handler_gets_its_verified_viewer() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    for path in ["/required", "/current", "/deep", "/optional"] {
        let response = server.get(path, &device.cookie).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "ada");
    }
}

#[tokio::test]
async fn vs_16_vs_19_without_a_viewer_the_handler_does_not_run() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    let tampered = format!("{}x", device.cookie);
    for cookie in ["", "__Host-session=forged", &tampered] {
        for path in ["/required", "/deep", "/current"] {
            assert_problem(server.get(path, cookie).await, 401, "Unauthorized").await;
        }
    }
    assert_eq!(count(&server.handled), 0);
    assert_eq!(count(&server.rig.store.loads), 0);
}

#[tokio::test]
async fn vs_20_an_optional_viewer_is_nobody_only_for_a_definite_refusal() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    for cookie in ["", "__Host-session=forged"] {
        let response = server.get("/optional", cookie).await;
        assert_eq!(response.text().await.unwrap(), "nobody");
    }
    server.rig.store.set_down(true);
    let response = server.get("/optional", &device.cookie).await;
    assert_problem(response, 503, "Service Unavailable").await;
}

#[tokio::test]
async fn vs_07_rf_6_a_store_that_is_down_is_503_and_nothing_is_kept() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    server.rig.store.set_down(true);
    for path in ["/required", "/current", "/deep", "/optional"] {
        let response = server.get(path, &device.cookie).await;
        assert_problem(response, 503, "Service Unavailable").await;
    }
    server.rig.store.set_down(false);
    assert_eq!(server.get("/required", &device.cookie).await.status(), 200);
}

#[tokio::test]
async fn rf_6_a_store_that_dies_in_the_middle_of_a_request_is_503() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    let gate = server.rig.store.loaded.arm();
    let (response, ()) = tokio::join!(server.get("/required", &device.cookie), async {
        gate.reached().await;
        server.rig.members.down.store(true, Ordering::SeqCst);
        gate.open();
    });
    assert_problem(response, 503, "Service Unavailable").await;
    assert_eq!(count(&server.handled), 0);
    server.rig.members.down.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/required", &device.cookie).await.status(), 200);
}

#[tokio::test]
async fn vs_11_without_the_layer_the_check_still_refuses() {
    let server = Server::without_layer().await;
    let device = server.rig.device("ada").await;
    for cookie in ["", &device.cookie] {
        for path in ["/required", "/current", "/deep", "/optional"] {
            let response = server.get(path, cookie).await;
            assert_problem(response, 500, "Internal Server Error").await;
        }
    }
    assert_eq!(count(&server.handled), 0);
}

#[tokio::test]
async fn ck_10_ck_11_ck_14_sr_02_asvs_3_3_4_signing_in_appends_one_cookie_and_shows_it_nowhere_else()
 {
    let server = Server::start().await;
    let response = server.post("/sign-in/ada", "").await;
    let cookies = header(&response, "set-cookie");
    assert_eq!(cookies.len(), 2);
    assert_eq!(cookies[0], "something=important");
    assert!(cookies[1].starts_with("__Host-session="));
    assert!(cookies[1].contains("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000; "));

    let cookie = cookies[1].split(';').next().unwrap().to_owned();
    let token = cookie.split_once('=').unwrap().1.to_owned();
    let elsewhere: String = response
        .headers()
        .iter()
        .filter(|(name, _)| *name != "set-cookie")
        .map(|(_, value)| value.to_str().unwrap())
        .collect();
    assert!(!elsewhere.contains(&token));
    assert!(!response.text().await.unwrap().contains(&token));

    let response = server.get("/required", &cookie).await;
    assert!(header(&response, "set-cookie").is_empty());
    assert_eq!(response.text().await.unwrap(), "ada");
    for path in ["/optional", "/current", "/deep", "/streamed", "/public"] {
        let response = server.get(path, &cookie).await;
        assert!(!format!("{:?}", response.headers()).contains(&token));
        assert!(!response.text().await.unwrap().contains(&token));
    }
}

#[tokio::test]
async fn rf_2_signing_in_and_out_over_http_leaves_one_session_or_none() {
    let server = Server::start().await;
    let cookie = |response: &Response| -> String {
        let cookies = header(response, "set-cookie");
        cookies
            .last()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    let first = cookie(&server.post("/sign-in/ada", "").await);
    let second = cookie(&server.post("/sign-in/eve", &first).await);
    assert_eq!(server.get("/required", &first).await.status(), 401);
    assert_eq!(
        server.get("/required", &second).await.text().await.unwrap(),
        "eve"
    );

    let response = server.post("/sign-out", &second).await;
    assert!(header(&response, "set-cookie")[0].contains("Max-Age=0"));
    assert_eq!(server.get("/required", &second).await.status(), 401);
}

#[tokio::test]
async fn cb_8_what_depends_on_the_session_is_not_cached() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    for (path, cookie) in [
        ("/required", &*device.cookie),
        ("/required", ""),
        ("/optional", &device.cookie),
        ("/optional", ""),
        ("/streamed", &device.cookie),
        ("/streamed", ""),
    ] {
        let response = server.get(path, cookie).await;
        assert_eq!(
            header(&response, "cache-control"),
            ["private, no-store"],
            "{path}"
        );
        assert_eq!(header(&response, "vary"), ["Cookie"], "{path}");
    }
    let response = server.post("/sign-in/ada", "").await;
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    assert_eq!(header(&response, "vary"), ["Cookie"]);

    let response = server.get("/public", &device.cookie).await;
    assert_eq!(header(&response, "cache-control"), ["public, max-age=60"]);
    assert!(header(&response, "vary").is_empty());
}

#[tokio::test]
async fn vs_03_a_session_revoked_through_the_library_is_refused_on_the_next_request() {
    let server = Server::start().await;
    let device = server.rig.device("ada").await;
    assert_eq!(server.get("/required", &device.cookie).await.status(), 200);
    server
        .rig
        .sessions
        .revoke(&Subject::new("ada"), device.id)
        .await
        .unwrap();
    assert_eq!(server.get("/required", &device.cookie).await.status(), 401);
}

#[tokio::test]
async fn vs_02_an_expired_session_over_a_real_file_is_401() {
    let (_directory, db) = crate::support::sqlite_file().await;
    let server = Server::with(Rig::over(db.session_store(), |builder| builder)).await;
    let device = server.rig.device("ada").await;
    assert_eq!(server.get("/required", &device.cookie).await.status(), 200);
    let week = std::time::Duration::from_secs(7 * 24 * 60 * 60);
    server.rig.clock.advance(week);
    assert_problem(
        server.get("/required", &device.cookie).await,
        401,
        "Unauthorized",
    )
    .await;
}
