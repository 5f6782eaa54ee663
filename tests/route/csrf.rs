//! Requests that another site had a browser send.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clearance::route::{Csrf, Gate};
use clearance::session::{CookieConfig, CsrfToken, Strategy};
use clearance::{Access, RequestContext, Write};
use http::Method;

use crate::support::{Answer, Member, Rig, answer, head};

fn gate() -> Gate {
    Csrf::new().trust("https://pay.example").build().unwrap()
}

const REFUSED: Answer = Answer::Status(403);

#[tokio::test]
async fn cs_01_asvs_3_5_1_what_the_browser_says_of_the_site_decides() {
    for (headers, expected) in [
        (vec![("sec-fetch-site", "same-origin")], Answer::Passes),
        (vec![("sec-fetch-site", "none")], Answer::Passes),
        (vec![("sec-fetch-site", "same-site")], REFUSED),
        (vec![("sec-fetch-site", "cross-site")], REFUSED),
        (vec![("sec-fetch-site", "SAME-ORIGIN")], REFUSED),
        (vec![("sec-fetch-site", "anything")], REFUSED),
        (
            vec![
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "same-origin"),
            ],
            REFUSED,
        ),
        // It wins over what the origin says.
        (
            vec![
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://app.example"),
                ("host", "app.example"),
            ],
            REFUSED,
        ),
        (
            vec![
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://pay.example"),
            ],
            Answer::Passes,
        ),
        (
            vec![
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://a"),
                ("origin", "https://b"),
            ],
            REFUSED,
        ),
    ] {
        for method in [
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::CONNECT,
        ] {
            let head = head(method, "/x", &headers);
            assert_eq!(answer(&gate(), &head).await, expected, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn cs_01_asvs_3_5_1_without_it_the_origin_must_be_that_of_the_host() {
    let long = ("host", "app.example:443");
    let host = ("host", "app.example");
    for (origin, host, expected) in [
        ("https://app.example", host, Answer::Passes),
        ("https://app.example:443", host, Answer::Passes),
        ("https://app.example", long, Answer::Passes),
        ("https://APP.example", host, Answer::Passes),
        (
            "http://localhost:3000",
            ("host", "localhost:3000"),
            Answer::Passes,
        ),
        ("https://pay.example", host, Answer::Passes),
        ("http://pay.example", host, REFUSED),
        ("https://pay.example:8443", host, REFUSED),
        ("https://app.example:8443", host, REFUSED),
        ("https://app.example.evil.example", host, REFUSED),
        ("https://evil.example/app.example", host, REFUSED),
        ("https://app.example@evil.example", host, REFUSED),
        ("https://evil.example#app.example", host, REFUSED),
        ("null", host, REFUSED),
        ("file://", host, REFUSED),
        ("app.example", host, REFUSED),
        ("https://app.example", ("x", "y"), REFUSED),
        ("https://app.example", ("host", "app.example/x"), REFUSED),
        ("https://app.example", ("host", "x@app.example"), REFUSED),
    ] {
        let headers = [("origin", origin), host];
        let head = head(Method::POST, "/x", &headers);
        assert_eq!(answer(&gate(), &head).await, expected, "{headers:?}");
    }
    // HTTP/2 has no `Host`.
    let http2 = head(
        Method::POST,
        "https://app.example/x",
        &[("origin", "https://app.example")],
    );
    assert_eq!(answer(&gate(), &http2).await, Answer::Passes);
    let other = head(
        Method::POST,
        "https://app.example/x",
        &[("origin", "https://evil.example")],
    );
    assert_eq!(answer(&gate(), &other).await, REFUSED);
}

#[tokio::test]
async fn asvs_3_5_3_safe_methods_pass_and_handshakes_do_not_count_as_such() {
    let cross = ("sec-fetch-site", "cross-site");
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
        let head = head(method, "/x", &[cross, ("cookie", "a=b")]);
        assert_eq!(answer(&gate(), &head).await, Answer::Passes);
    }
    for connection in ["Upgrade", "keep-alive, upgrade"] {
        let headers = [
            ("connection", connection),
            ("upgrade", "websocket"),
            ("origin", "https://evil.example"),
            ("host", "app.example"),
        ];
        let head = head(Method::GET, "/x", &headers);
        assert_eq!(answer(&gate(), &head).await, REFUSED);
    }
    let headers = [
        ("upgrade", "websocket"),
        ("origin", "https://app.example"),
        ("host", "app.example"),
    ];
    let own = head(Method::GET, "/x", &headers);
    assert_eq!(answer(&gate(), &own).await, Answer::Passes);
}

/// Whether this request may write, as its handler finds out.
async fn writes(request: &RequestContext) -> bool {
    let access = request
        .scope(Access::<Write<Member>>::authenticated())
        .await;
    access.is_ok_and(|access| access.viewer().name == "ada")
}

#[tokio::test]
async fn cs_01_cs_02_an_old_browser_needs_the_token_of_its_session() {
    let rig = Rig::new();
    let gate = gate();
    let (ada, eve) = (rig.cookie("ada", &[]).await, rig.cookie("eve", &[]).await);
    let request = |head: &http::request::Parts| RequestContext::of_parts(&rig.sessions, head, None);
    let form = head(Method::GET, "/form", &[("cookie", &ada)]);
    let token = request(&form).csrf_token().unwrap();
    let field = token.hidden_field();
    assert!(field.contains(token.expose()) && field.contains(r#"name="csrf_token""#));
    assert_eq!(format!("{token:?}"), "CsrfToken(..)");
    let again = request(&form).csrf_token().unwrap();
    assert_ne!(token.expose(), again.expose(), "another one on each page");

    // Without any cookie there is nothing that another site could use.
    let alone = head(Method::POST, "/x", &[]);
    assert_eq!(answer(&gate, &alone).await, Answer::Passes);
    // No session layer around it: nobody could tell.
    let sent = head(Method::POST, "/x", &[("cookie", &ada)]);
    assert_eq!(answer(&gate, &sent).await, REFUSED);

    for token in [&token, &again] {
        let sent = head(
            Method::POST,
            "/x",
            &[("cookie", &ada), (CsrfToken::HEADER, token.expose())],
        );
        let context = request(&sent);
        assert_eq!(context.scope(answer(&gate, &sent)).await, Answer::Passes);
        assert!(writes(&context).await);
    }
    let foreign = request(&head(Method::GET, "/", &[("cookie", &eve)]))
        .csrf_token()
        .unwrap();
    for wrong in [
        foreign.expose(),
        "x",
        &token.expose()[1..],
        &format!("{}A", token.expose()),
    ] {
        let sent = head(
            Method::POST,
            "/x",
            &[("cookie", &ada), (CsrfToken::HEADER, wrong)],
        );
        assert_eq!(
            request(&sent).scope(answer(&gate, &sent)).await,
            REFUSED,
            "{wrong}"
        );
    }

    // A form's field is read by the handler; until then nothing can be changed.
    let sent = head(Method::POST, "/x", &[("cookie", &ada)]);
    let context = request(&sent);
    assert_eq!(context.scope(answer(&gate, &sent)).await, Answer::Passes);
    assert!(
        context.verify_session::<Member>().await.is_ok(),
        "it may read"
    );
    assert!(!writes(&context).await);
    assert!(!writes(&context.fork()).await);
    let subject = clearance::Subject::new("eve");
    assert!(context.sign_in(&subject).await.unwrap_err().is_forbidden());
    assert!(context.sign_out().await.unwrap_err().is_forbidden());
    assert!(context.rotate_session().await.unwrap_err().is_forbidden());
    assert!(context.extend_session().await.unwrap_err().is_forbidden());
    let mut data = context.session_data().await.unwrap();
    *data = Some(1);
    assert!(
        context
            .set_session_data(&mut data)
            .await
            .unwrap_err()
            .is_forbidden()
    );
    let wrong = context.verify_csrf_token(foreign.expose());
    assert!(wrong.unwrap_err().is_forbidden());
    assert!(!writes(&context).await);
    context.verify_csrf_token(token.expose()).unwrap();
    assert!(writes(&context).await);

    // It is the session's, and goes with it.
    let context = request(&sent);
    context.rotate_session().await.unwrap();
    assert!(context.verify_csrf_token(token.expose()).is_err());
    let nobody = request(&alone);
    assert!(nobody.csrf_token().unwrap_err().is_unauthenticated());
    assert!(
        nobody
            .verify_csrf_token(token.expose())
            .unwrap_err()
            .is_forbidden()
    );
}

#[test]
fn cs_01_an_origin_is_a_scheme_and_a_host() {
    for wrong in [
        "pay.example",
        "null",
        "https://pay.example/x",
        "https://a@pay.example",
        "https://pay.example?x",
        "",
    ] {
        let error = Csrf::new().trust(wrong).build().unwrap_err();
        assert!(error.is_configuration(), "{wrong}");
    }
}

fn request(rig: &Rig, cookie: &str) -> RequestContext {
    let head = head(Method::POST, "/x", &[("cookie", cookie)]);
    RequestContext::of_parts(&rig.sessions, &head, None)
}

#[tokio::test]
async fn cs_21_the_id_of_a_session_alone_gives_nobody_its_token() {
    let rig = Rig::with(|builder| builder.strategy(Strategy::Database));
    let ada = rig.cookie("ada", &[]).await;
    let (name, value) = ada.split_once('=').unwrap();
    let credential = URL_SAFE_NO_PAD.decode(value).unwrap();
    let token = request(&rig, &ada).csrf_token().unwrap();
    assert!(
        request(&rig, &ada)
            .verify_csrf_token(token.expose())
            .is_ok()
    );
    // Somebody read the id in a list, and writes a cookie of it with a secret of their own.
    for byte in [16, 47] {
        let mut forged = credential.clone();
        forged[byte] ^= 1;
        let forged = format!("{name}={}", URL_SAFE_NO_PAD.encode(forged));
        let forged = request(&rig, &forged);
        let theirs = forged.csrf_token().unwrap();
        let error = request(&rig, &ada).verify_csrf_token(theirs.expose());
        assert!(error.unwrap_err().is_forbidden(), "{byte}");
        assert!(forged.verify_csrf_token(token.expose()).is_err());
    }
}

#[tokio::test]
async fn cs_21_a_form_that_was_open_while_its_session_was_used_is_good() {
    for strategy in [Strategy::Hybrid, Strategy::Database, Strategy::Stateless] {
        let rig = Rig::with(|builder| builder.strategy(strategy));
        let ada = rig.cookie("ada", &[]).await;
        let token = request(&rig, &ada).csrf_token().unwrap();
        rig.clock.advance(std::time::Duration::from_secs(3_600));
        let used = request(&rig, &ada);
        used.extend_session().await.unwrap().unwrap();
        let mut response = http::HeaderMap::new();
        used.finish(&mut response);
        let sets = response.get_all("set-cookie").iter();
        let mut sets = sets.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
        let now = sets.next_back().unwrap_or_else(|| ada.clone());
        assert_eq!(now != ada, strategy == Strategy::Stateless);
        assert!(
            request(&rig, &now)
                .verify_csrf_token(token.expose())
                .is_ok()
        );
        let eve = rig.cookie("eve", &[]).await;
        assert!(
            request(&rig, &eve)
                .verify_csrf_token(token.expose())
                .is_err()
        );
    }
}

/// What becomes of a request for this host from a page of this origin, inside of the session layer.
async fn from(rig: &Rig, origin: &str, host: &str) -> Answer {
    let head = head(Method::POST, "/x", &[("origin", origin), ("host", host)]);
    let context = RequestContext::of_parts(&rig.sessions, &head, None);
    context.scope(answer(&gate(), &head)).await
}

#[tokio::test]
async fn cs_22_the_origin_is_compared_with_the_address_of_the_application() {
    let host = "app.example";
    let rig = Rig::new();
    for (origin, host, expected) in [
        ("https://app.example", host, Answer::Passes),
        ("https://app.example:443", host, Answer::Passes),
        ("https://APP.example", host, Answer::Passes),
        // A proxy may write another host.
        ("https://app.example", "backend:8080", Answer::Passes),
        ("https://pay.example", host, Answer::Passes),
        // Whoever is on the way writes pages at `http:`.
        ("http://app.example", host, REFUSED),
        ("http://app.example:443", "app.example:443", REFUSED),
        ("http://app.example:80", "app.example:80", REFUSED),
        ("https://app.example:8443", "app.example:8443", REFUSED),
        // A name of somebody else's that leads here.
        ("https://evil.example", "evil.example", REFUSED),
        ("https://sub.app.example", "sub.app.example", REFUSED),
        ("http://localhost", "localhost", REFUSED),
        ("null", host, REFUSED),
    ] {
        assert_eq!(from(&rig, origin, host).await, expected, "{origin} {host}");
    }

    let rig = Rig::with(|builder| builder.app_url("https://app.example:8443"));
    for (origin, expected) in [
        ("https://app.example:8443", Answer::Passes),
        ("https://app.example", REFUSED),
        ("http://app.example:8443", REFUSED),
    ] {
        assert_eq!(from(&rig, origin, "app.example:8443").await, expected);
    }

    let rig = Rig::with(|builder| builder.app_url("http://localhost:3000").development());
    for (origin, host, expected) in [
        ("http://localhost:3000", "localhost:3000", Answer::Passes),
        ("http://localhost:4000", "localhost:4000", REFUSED),
        ("https://localhost:3000", "localhost:3000", REFUSED),
    ] {
        assert_eq!(from(&rig, origin, host).await, expected, "{origin}");
    }

    // Hosts below the domain of the cookie are the application's, each for itself.
    let shared = CookieConfig::new().domain("app.example");
    let rig = Rig::with(|builder| builder.cookie(shared));
    let sub = "sub.app.example";
    for (origin, host, expected) in [
        ("https://sub.app.example", sub, Answer::Passes),
        ("https://app.example", sub, Answer::Passes),
        ("https://other.app.example", sub, REFUSED),
        ("http://sub.app.example", sub, REFUSED),
        ("https://evil.example", "evil.example", REFUSED),
        ("https://evilapp.example", "evilapp.example", REFUSED),
    ] {
        assert_eq!(from(&rig, origin, host).await, expected, "{origin} {host}");
    }
}

#[tokio::test]
async fn cs_22_where_no_address_is_known_plain_http_is_of_this_machine_alone() {
    for (origin, host, expected) in [
        ("https://app.example", "app.example", Answer::Passes),
        ("http://app.example", "app.example", REFUSED),
        ("http://10.0.0.7:80", "10.0.0.7:80", REFUSED),
        ("http://localhost:3000", "localhost:3000", Answer::Passes),
        ("http://app.localhost", "app.localhost", Answer::Passes),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", Answer::Passes),
        ("http://[::1]:8080", "[::1]:8080", Answer::Passes),
        (
            "http://localhost.evil.example",
            "localhost.evil.example",
            REFUSED,
        ),
    ] {
        let head = head(Method::POST, "/x", &[("origin", origin), ("host", host)]);
        assert_eq!(answer(&gate(), &head).await, expected, "{origin}");
    }
}
