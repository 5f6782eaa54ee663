//! With each layer taken away, and with what an attacker may send.

use super::{Rig, Serve, Server};

const GUARDED: [&str; 7] = [
    "/required",
    "/current",
    "/deep",
    "/explicit",
    "/spawned",
    "/forked",
    "/notes",
];

pub(crate) async fn rf_12_vs_11_sr_16_without_the_rules_repositories_refuse(serve: impl Serve) {
    let server = Server::start(serve).await;
    for path in GUARDED {
        assert_eq!(server.get(path, "").await.status(), 401, "{path}");
    }
    assert_eq!(server.handled(), 0);
}

pub(crate) async fn rf_12_op_23_without_the_session_layer_everything_is_refused(serve: impl Serve) {
    let unlayered = |app: &mut super::App, _: &Rig| app.layer = None;
    let server = Server::with(serve, Rig::new(), unlayered).await;
    let ada = server.rig.device("ada").await;
    for cookie in ["", &ada.cookie] {
        for path in GUARDED
            .into_iter()
            .chain(["/page", "/api", "/answered", "/state", "/optional"])
        {
            assert_eq!(server.get(path, cookie).await.status(), 500, "{path}");
        }
        assert_eq!(server.post("/sign-in/ada", cookie).await.status(), 500);
    }
    assert_eq!(server.handled(), 0);
    assert_eq!(server.get("/public", "").await.status(), 200);
}

pub(crate) async fn rf_12_sr_11_no_header_makes_anybody_of_nobody(serve: impl Serve) {
    let server = Server::start(serve).await;
    let forged = server.rig.device("ada").await;
    let value = forged.value();
    for (name, value) in [
        (
            "x-middleware-subrequest",
            "middleware:middleware:middleware",
        ),
        ("x-monocloud-path", "/public"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "app.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", "/public"),
        ("x-original-url", "/public"),
        ("x-rewrite-url", "/public"),
        ("x-http-method-override", "OPTIONS"),
        ("x-method-override", "HEAD"),
        ("authorization", value),
        ("x-session", value),
        ("set-cookie", &forged.cookie),
        ("cookie2", &forged.cookie),
        ("x-user", "ada"),
        ("forwarded", "for=127.0.0.1;host=app.example"),
    ] {
        for path in GUARDED {
            let request = server.request(reqwest::Method::GET, path, "");
            let response = request.header(name, value).send().await.unwrap();
            assert_eq!(response.status(), 401, "{name} {path}");
        }
    }
    assert_eq!(server.handled(), 0);
}

pub(crate) async fn rf_15_a_thousand_cookies_are_nobody(serve: impl Serve) {
    let server = Server::start(serve).await;
    let ada = server.rig.device("ada").await;
    let junk = |from: usize| {
        let cookies: Vec<String> = (from..from + 50)
            .map(|n| format!("j{n}=%{n};=;\"x"))
            .collect();
        cookies.join("; ")
    };
    for batch in 0..20 {
        let junk = junk(batch * 50);
        let (status, _) = server.text("/required", &junk).await;
        assert_eq!(status, 401);
        let beside = format!("{junk}; {}", ada.cookie);
        let (status, name) = server.text("/required", &beside).await;
        assert_eq!((status, name.as_str()), (200, "ada"));
        let twice = format!("{}; {}", ada.cookie, ada.cookie);
        assert_eq!(server.get("/required", &twice).await.status(), 401);
    }
    let thousand: Vec<String> = (0..1000).map(|n| format!("__Host-session-{n}=x")).collect();
    let (status, _) = server.text("/required", &thousand.join("; ")).await;
    // Some servers refuse so long a head by themselves.
    assert!([400, 401, 431].contains(&status), "{status}");
}
