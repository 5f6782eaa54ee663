//! Rules of routes, guards, forged requests and headers, as each framework takes them.

use clearance::Subject;
use clearance::route::{Csrf, Gate, Route, RouteRules, SecurityHeaders};
use clearance::session::SignIn;
use reqwest::Method;

use super::answers::assert_problem;
use super::{App, Rig, Serve, Server, count, header};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

fn rules(rig: &Rig) -> Gate {
    RouteRules::protect_all()
        .sign_in_page("/sign-in")
        .home("/public")
        .public(Route::exact("/public").unwrap())
        .public(Route::prefix("/sign-in").unwrap())
        .api(Route::prefix("/notes").unwrap())
        .build(&rig.sessions)
        .unwrap()
}

fn with_rules(app: &mut App, rig: &Rig) {
    app.gates.push(rules(rig));
}

async fn page(server: &Server, path: &str, cookie: &str) -> reqwest::Response {
    let request = server.request(Method::GET, path, cookie);
    request.header(HTML.0, HTML.1).send().await.unwrap()
}

fn location(response: &reqwest::Response) -> (u16, &str) {
    let location = header(response, "location");
    (
        response.status().as_u16(),
        location.first().copied().unwrap_or_default(),
    )
}

pub(crate) async fn op_03_op_15_op_30_rules_send_pages_to_the_sign_in_and_refuse_apis(
    serve: impl Serve,
) {
    let server = Server::with(serve, Rig::new(), with_rules).await;
    let ada = server.rig.device("ada").await;
    for (path, back) in [
        ("/required", "%2Frequired"),
        ("/nowhere?a=1&b=2", "%2Fnowhere%3Fa%3D1%26b%3D2"),
        ("/streamed", "%2Fstreamed"),
    ] {
        let response = page(&server, path, "").await;
        let to = format!("/sign-in?return_to={back}");
        assert_eq!(location(&response), (303, to.as_str()));
        assert_eq!(header(&response, "cache-control"), ["private, no-store"]);
        assert_eq!(response.text().await.unwrap(), "");
        // The same without a browser.
        assert_problem_of_route(server.get(path, "").await).await;
    }
    assert_problem_of_route(page(&server, "/notes", "").await).await;
    assert_eq!(server.handled(), 0);
    assert_eq!(server.get("/public", "").await.status(), 200);
    assert_eq!(server.text("/sign-in", "").await.1, "a form");
    assert_eq!(page(&server, "/required", &ada.cookie).await.status(), 200);
}

async fn assert_problem_of_route(response: reqwest::Response) {
    assert_problem(response, 401, "Unauthorized").await;
}

pub(crate) async fn op_06_sr_15_sr_24_rules_ask_no_store(serve: impl Serve) {
    let server = Server::with(serve, Rig::new(), with_rules).await;
    let ada = server.rig.device("ada").await;
    let calls = count(&server.rig.store.calls);
    for cookie in ["", &ada.cookie, "__Host-session=forged"] {
        for path in ["/public", "/sign-in", "/nowhere"] {
            page(&server, path, cookie).await;
        }
    }
    assert_eq!(count(&server.rig.store.calls), calls);
}

pub(crate) async fn op_04_who_has_a_session_leaves_the_sign_in_page_and_never_in_circles(
    serve: impl Serve,
) {
    let server = Server::with(serve, Rig::new(), with_rules).await;
    let ada = server.rig.device("ada").await;
    let response = page(&server, "/sign-in", &ada.cookie).await;
    assert_eq!(location(&response), (303, "/public"));
    // The session has ended, and its cookie does not know it.
    let subject = Subject::new("ada");
    server.rig.sessions.revoke(&subject, ada.id).await.unwrap();
    let mut path = "/page".to_owned();
    let mut visited = Vec::new();
    for _ in 0..10 {
        let response = page(&server, &path, &ada.cookie).await;
        visited.push(path.clone());
        match location(&response) {
            (303, next) => path = next.to_owned(),
            (status, _) => {
                assert_eq!(status, 200);
                break;
            }
        }
    }
    assert_eq!(visited, ["/page", "/sign-in?return_to=%2Fpage"]);
}

pub(crate) async fn rb_03_rb_04_rb_14_op_19_guards_of_pages_send_browsers_away(serve: impl Serve) {
    let server = Server::start(serve).await;
    let (ada, eve) = (
        server.rig.device("ada").await,
        server.rig.device("eve").await,
    );
    let response = page(&server, "/page?tab=2", "").await;
    let to = "/sign-in?return_to=%2Fpage%3Ftab%3D2";
    assert_eq!(location(&response), (303, to));
    let response = page(&server, "/page", &eve.cookie).await;
    assert_problem(response, 403, "Forbidden").await;
    assert_eq!(server.handled(), 0);
    assert_eq!(
        server.text("/page", &ada.cookie).await,
        (200, "inside".to_owned())
    );
    assert_eq!(server.handled(), 1);
}

/// Though a router before the guard cut something off.
pub(crate) async fn op_15_a_guard_in_a_nested_route_knows_the_way_back(serve: impl Serve) {
    let server = Server::start(serve).await;
    let response = page(&server, "/nested/page?tab=2", "").await;
    let to = "/sign-in?return_to=%2Fnested%2Fpage%3Ftab%3D2";
    assert_eq!(location(&response), (303, to));
    let ada = server.rig.device("ada").await;
    let answer = server.text("/nested/page?tab=2", &ada.cookie).await;
    assert_eq!(answer, (200, "inside".to_owned()));
}

pub(crate) async fn rb_09_rb_15_vs_22_op_18_guards_of_apis_answer_401_and_403(serve: impl Serve) {
    let server = Server::start(serve).await;
    let eve = server.rig.device("eve").await;
    let groups = vec!["staff".to_owned()];
    let ada = SignIn::new(Subject::new("ada"))
        .claim("groups", groups)
        .unwrap();
    let ada = server.rig.sessions.create(ada).await.unwrap();
    let ada = crate::support::pair(&ada.into_set_cookies().remove(0));
    let response = page(&server, "/api", "").await;
    assert_problem(response, 401, "Unauthorized").await;
    let response = page(&server, "/api", &eve.cookie).await;
    assert_problem(response, 403, "Forbidden").await;
    assert_eq!(server.handled(), 0);
    assert_eq!(server.text("/api", &ada).await, (200, "inside".to_owned()));
}

pub(crate) async fn rb_17_rb_18_the_applications_own_answer_takes_the_handlers_place(
    serve: impl Serve,
) {
    let server = Server::start(serve).await;
    let (ada, eve) = (
        server.rig.device("ada").await,
        server.rig.device("eve").await,
    );
    for (cookie, why) in [("", "SignedOut"), (&*eve.cookie, "Forbidden")] {
        assert_eq!(
            server.text("/answered", cookie).await,
            (418, why.to_owned())
        );
    }
    assert_eq!(server.handled(), 0);
    assert_eq!(server.text("/answered", &ada.cookie).await.0, 200);
}

pub(crate) async fn cs_03_asvs_3_5_1_what_another_site_sends_is_refused(serve: impl Serve) {
    let gate = |app: &mut App, _: &Rig| app.gates.push(Csrf::new().build().unwrap());
    let server = Server::with(serve, Rig::new(), gate).await;
    let ada = server.rig.device("ada").await;
    let own = server.url("");
    let send = async |path: &str, name: &str, value: &str| {
        let request = server.request(Method::POST, path, &ada.cookie);
        request
            .header(name, value)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        // Its own host, but not over the scheme of its address.
        ("origin", &*own),
        ("x-csrf-token", "forged"),
    ] {
        assert_eq!(send("/sign-out", name, value).await, 403, "{name}: {value}");
        assert_eq!(
            send("/sign-in/eve", name, value).await,
            403,
            "{name}: {value}"
        );
    }
    // Nothing shows where it comes from.
    let response = server.post("/sign-out", &ada.cookie).await;
    assert_problem(response, 403, "Forbidden").await;
    assert_eq!(server.get("/required", &ada.cookie).await.status(), 200);
    let token = server.rig.request(&ada.cookie).csrf_token().unwrap();
    for (name, value) in [
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://app.example"),
        ("x-csrf-token", token.expose()),
    ] {
        assert_eq!(send("/stalled", name, value).await, 200, "{name}: {value}");
    }
    assert_eq!(send("/sign-out", "x-csrf-token", token.expose()).await, 200);
}

pub(crate) async fn op_27_every_answer_has_the_headers_of_security(serve: impl Serve) {
    let change = |app: &mut App, rig: &Rig| {
        with_rules(app, rig);
        app.gates.push(SecurityHeaders::new().build());
    };
    let server = Server::with(serve, Rig::new(), change).await;
    for path in ["/public", "/required", "/nowhere"] {
        let response = page(&server, path, "").await;
        assert_eq!(
            header(&response, "x-content-type-options"),
            ["nosniff"],
            "{path}"
        );
        assert_eq!(header(&response, "content-security-policy").len(), 1);
    }
}

pub(crate) async fn op_24_a_prefetch_touches_nothing_and_sets_no_cookie(serve: impl Serve) {
    let server = Server::with(serve, Rig::without_cache(), with_rules).await;
    let ada = server.rig.device("ada").await;
    server.rig.clock.advance(crate::support::DAY);
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("next-router-prefetch", "1"),
    ] {
        for (path, cookie) in [
            ("/required", &*ada.cookie),
            ("/required", ""),
            ("/public", ""),
        ] {
            let request = server.request(Method::GET, path, cookie);
            let response = request.header(name, value).send().await.unwrap();
            assert!(header(&response, "set-cookie").is_empty());
        }
        let request = server.request(Method::POST, "/sign-in/eve", "");
        let response = request.header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(header(&response, "set-cookie").is_empty());
    }
    assert_eq!(count(&server.rig.store.touches), 0);
    server.get("/required", &ada.cookie).await;
    assert_eq!(count(&server.rig.store.touches), 1);
}
