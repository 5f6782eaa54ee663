//! What a client gets.

use serde_json::{Value, json};

use super::{OWN_COOKIE, SIGNED_IN, Serve, Server, header};

/// Endpoints that want a viewer, with the answer that Ada gets.
const GUARDED: [(&str, &str); 7] = [
    ("/required", "ada"),
    ("/current", "ada"),
    ("/deep", "ada"),
    ("/explicit", "ada"),
    ("/spawned", "ada"),
    ("/forked", "ada"),
    ("/notes", "[]"),
];

/// Problem details that name a status and nothing else.
pub(crate) async fn assert_problem(response: reqwest::Response, status: u16, title: &str) {
    assert_eq!(response.status().as_u16(), status);
    let content_type = header(&response, "content-type");
    assert_eq!(content_type, ["application/problem+json"]);
    let cache = header(&response, "cache-control");
    assert!(
        cache.iter().any(|value| value.contains("no-store")),
        "{cache:?}"
    );
    let challenged = !header(&response, "www-authenticate").is_empty();
    assert_eq!(challenged, status == 401);
    let problem: Value = response.json().await.unwrap();
    let expected = json!({ "status": status, "title": title, "type": "about:blank" });
    assert_eq!(problem, expected);
}

pub(crate) async fn vs_18_vs_19_fw_01_op_16_the_viewer_comes_by_every_way(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    for (path, answer) in GUARDED {
        let (status, text) = server.text(path, &ada.cookie).await;
        assert_eq!((status, text.as_str()), (200, answer), "{path}");
    }
    assert_eq!(server.text("/optional", &ada.cookie).await.1, "ada");
}

pub(crate) async fn vs_12_vs_16_sr_08_sr_09_sr_10_sr_20_nobody_gets_401_from_every_guarded_endpoint(
    serve: impl Serve,
) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let tampered = format!("{}x", ada.cookie);
    let loads = crate::support::count(&server.rig.store.loads);
    for cookie in ["", "__Host-session=forged", &tampered] {
        for (path, _) in GUARDED {
            let response = server.get(path, cookie).await;
            assert_problem(response, 401, "Unauthorized").await;
        }
    }
    assert_eq!(server.handled(), 0);
    assert_eq!(crate::support::count(&server.rig.store.loads), loads);
}

pub(crate) async fn vs_20_op_22_an_optional_viewer_is_nobody_only_for_a_definite_refusal(
    serve: impl Serve,
) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    for cookie in ["", "__Host-session=forged"] {
        let answer = server.text("/optional", cookie).await;
        assert_eq!(answer, (200, "nobody".to_owned()));
    }
    server.rig.store.set_down(true);
    let response = server.get("/optional", &ada.cookie).await;
    assert_problem(response, 503, "Service Unavailable").await;
}

pub(crate) async fn rf_6_a_store_that_is_down_is_503_everywhere(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    server.rig.store.set_down(true);
    for (path, _) in GUARDED {
        let response = server.get(path, &ada.cookie).await;
        assert_problem(response, 503, "Service Unavailable").await;
    }
    for path in ["/page", "/api", "/answered", "/state"] {
        assert_eq!(server.get(path, &ada.cookie).await.status(), 503, "{path}");
    }
    server.rig.store.set_down(false);
    assert_eq!(server.get("/required", &ada.cookie).await.status(), 200);
}

pub(crate) async fn ck_11_fw_11_the_applications_own_cookies_and_headers_stay(serve: impl Serve) {
    let server = Server::start(serve).await;
    let response = server.post("/sign-in/ada", "").await;
    assert_eq!(response.status(), 200);
    let cookies = header(&response, "set-cookie");
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(cookies.contains(&OWN_COOKIE));
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with("__Host-session="));
    let session = session.unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    assert!(
        header(&response, "vary")
            .iter()
            .any(|vary| vary.eq_ignore_ascii_case("cookie"))
    );
    let content_type = header(&response, "content-type");
    assert!(content_type[0].starts_with("application/json"));
    assert_eq!(response.text().await.unwrap(), SIGNED_IN);
    assert_eq!(
        server.text("/required", &session).await,
        (200, "ada".to_owned())
    );

    let response = server.post("/sign-out", &session).await;
    assert_eq!(response.status(), 200);
    let cookies = header(&response, "set-cookie");
    assert!(cookies[0].starts_with("__Host-session=;"), "{cookies:?}");
    assert!(cookies[0].contains("Max-Age=0"));
    assert_eq!(server.get("/required", &session).await.status(), 401);
}

pub(crate) async fn cs_04_a_get_signs_nobody_out(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let response = server.get("/sign-out", &ada.cookie).await;
    assert!(header(&response, "set-cookie").is_empty());
    assert_problem(response, 500, "Internal Server Error").await;
    assert_eq!(server.get("/required", &ada.cookie).await.status(), 200);
}

pub(crate) async fn asvs_3_5_3_a_get_writes_nothing(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let response = server.get("/notes/add", "").await;
    assert_problem(response, 401, "Unauthorized").await;
    let response = server.get("/notes/add", &ada.cookie).await;
    assert_problem(response, 500, "Internal Server Error").await;
    assert_eq!(server.text("/notes", &ada.cookie).await.1, "[]");
}

pub(crate) async fn vs_13_sr_06_asvs_3_5_2_a_body_is_read_by_who_may_send_it_alone(
    serve: impl Serve,
) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let send = async |cookie: &str, media_type: &str, body: &'static str| {
        let request = server.request(reqwest::Method::POST, "/notes", cookie);
        let response = request.header("content-type", media_type).body(body).send();
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    for body in ["{", r#"{"text":7}"#, r#"{"text":"fine"}"#] {
        let (status, problem) = send("", "application/json", body).await;
        assert_eq!((status, problem.get("errors")), (401, None));
    }
    let (status, problem) = send(&ada.cookie, "application/json", r#"{"text":7,"id":1}"#).await;
    assert_eq!(status, 422);
    assert_eq!(problem["errors"][0]["pointer"], "#/text");
    assert_eq!(problem["errors"][1]["pointer"], "#/id");
    assert_eq!(
        send(&ada.cookie, "text/plain", r#"{"text":"x"}"#).await.0,
        415
    );
    assert_eq!(send(&ada.cookie, "application/json", "{").await.0, 400);
    let (status, note) = send(&ada.cookie, "application/json", r#"{"text":"fine"}"#).await;
    assert_eq!((status, note), (200, json!({ "id": 1, "text": "fine" })));
    let eve = server.rig.device("eve").await;
    assert_eq!(server.text("/notes", &eve.cookie).await.1, "[]");
}

pub(crate) async fn fw_07_fw_08_the_state_of_the_session_for_a_pages_scripts(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let response = server.get("/state", "").await;
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    let response = server.get("/state", &ada.cookie).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), ["application/json"]);
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    let state: Value = response.json().await.unwrap();
    assert_eq!(state["id"], "ada", "{state}");
    assert!(!state.to_string().contains(ada.value()));
}

pub(crate) async fn cb_8_what_depends_on_nobody_may_be_cached(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let response = server.get("/public", &ada.cookie).await;
    assert_eq!(header(&response, "cache-control"), ["public, max-age=60"]);
    let response = server.get("/streamed", &ada.cookie).await;
    assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
    assert!(
        header(&response, "vary")
            .iter()
            .any(|vary| vary.eq_ignore_ascii_case("cookie"))
    );
}
