//! Requests that another site had a browser send.

use clearance::route::{Csrf, Gate};
use clearance::session::CsrfToken;
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
    assert!(
        context
            .set_session_data(&1)
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
