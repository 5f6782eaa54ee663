//! The cookie: how it is found, how it is written, and which settings are refused.

use std::time::Duration;

use clearance::session::{CookieConfig, Lifetime, MemorySessionStore, NewSession, SameSite};
use clearance::{RequestContext, SessionId, Sessions, Subject};
use http::{HeaderMap, HeaderValue};

use crate::browser::Browser;
use crate::support::{DAY, Member, Members, Rig, SECOND, STRATEGIES, Source, key, start};
use clearance::testing::ManualClock;

fn built(
    app_url: &str,
    cookie: CookieConfig,
) -> clearance::Result<Sessions<crate::support::Member>> {
    Sessions::builder(
        key(0),
        MemorySessionStore::new(),
        Source(Members::default().into()),
    )
    .app_url(app_url)
    .development()
    .cookie(cookie)
    .clock(ManualClock::at(start()))
    .build()
}

async fn set_cookie(app_url: &str, cookie: CookieConfig) -> String {
    let session: NewSession = built(app_url, cookie)
        .unwrap()
        .create(&Subject::new("ada"))
        .await
        .unwrap();
    session
        .into_set_cookies()
        .remove(0)
        .to_str()
        .unwrap()
        .to_owned()
}

#[track_caller]
fn refused(app_url: &str, cookie: CookieConfig) -> String {
    let error = built(app_url, cookie).unwrap_err();
    assert!(error.is_configuration(), "{error}");
    error.to_string()
}

const HTTPS: &str = "https://app.example";
const HTTP: &str = "http://localhost:3000";

/// Everything after the value.
fn attributes(set_cookie: &str) -> &str {
    set_cookie.split_once("; ").unwrap().1
}

/// The whole header, but for the value that nobody can foretell.
#[tokio::test]
async fn sl_08_signing_in_sets_exactly_this_cookie() {
    for strategy in STRATEGIES {
        let rig = Rig::with(|builder| {
            let week = Lifetime::fixed(7 * DAY);
            builder.strategy(strategy).lifetime(week)
        });
        let mut browser = Browser::default();
        let request = browser.request(&rig);
        let id: SessionId = request.sign_in(&Subject::new("ada")).await.unwrap();
        let set = browser.finish(&request);
        assert_eq!(set.len(), 1, "{strategy:?}");
        let value = browser.jar["__Host-session"].clone();
        assert!(value.len() >= 64, "{strategy:?}");
        assert_eq!(
            set[0].replace(&value, "VALUE"),
            "__Host-session=VALUE; HttpOnly; SameSite=Lax; Secure; Path=/; \
             Max-Age=604800; Expires=Thu, 08 Jan 2026 00:00:00 GMT",
            "{strategy:?}"
        );
        let verified = browser.request(&rig).verify_session::<Member>().await;
        assert_eq!(verified.unwrap().session_id(), id);
    }
}

#[tokio::test]
async fn sl_11_signing_out_removes_exactly_this_cookie() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, &Subject::new("ada")).await;
        let copied = browser.clone();
        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        assert_eq!(
            browser.finish(&request),
            ["__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; \
              Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
            "{strategy:?}"
        );
        assert!(browser.jar.is_empty());
        // The session was over before the response said so.
        assert_eq!(copied.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn ck_01_ck_02_ck_04_ck_05_the_cookie_is_written_with_every_attribute() {
    let text = set_cookie(HTTPS, CookieConfig::new()).await;
    assert_eq!(
        attributes(&text),
        "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000; Expires=Sat, 31 Jan 2026 00:00:00 GMT"
    );
}

#[tokio::test]
async fn ck_01_the_cookie_is_always_http_only() {
    for config in [
        CookieConfig::new(),
        CookieConfig::new().same_site(SameSite::None),
        CookieConfig::new()
            .name("other")
            .path("/x")
            .domain("app.example"),
    ] {
        assert!(set_cookie(HTTPS, config).await.contains("; HttpOnly"));
    }
    assert!(
        set_cookie(HTTP, CookieConfig::new())
            .await
            .contains("; HttpOnly")
    );
}

#[tokio::test]
async fn sl_12_ck_02_secure_follows_from_the_application_url() {
    assert!(
        set_cookie(HTTPS, CookieConfig::new())
            .await
            .contains("; Secure")
    );
    assert!(
        !set_cookie(HTTP, CookieConfig::new())
            .await
            .contains("Secure")
    );
    refused(HTTPS, CookieConfig::new().secure(false));
    refused(HTTP, CookieConfig::new().secure(true));
    assert!(built(HTTPS, CookieConfig::new().secure(true)).is_ok());
    for wrong in [
        "",
        "app.example",
        "/path",
        "ftp://app.example",
        "https://",
        "https:// x",
    ] {
        refused(wrong, CookieConfig::new());
    }
}

#[test]
fn ck_02_the_application_url_is_required() {
    let error = Sessions::builder(
        key(0),
        MemorySessionStore::new(),
        Source(Members::default().into()),
    )
    .build()
    .unwrap_err();
    assert!(error.is_configuration());
    assert!(error.to_string().contains("app_url"));
}

#[test]
fn ck_02_the_application_url_is_scheme_host_and_port() {
    for url in [
        "https://ada:hunter2@app.example",
        "https://ada@app.example",
        "https://app.example/shop",
        "https://app.example/?hunter2",
        "https://",
        "app.example",
        "/",
        "ftp://app.example",
    ] {
        let text = refused(url, CookieConfig::new());
        assert!(text.contains("scheme, host and port"), "{url}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    for url in ["https://app.example:8443", "https://app.example/"] {
        assert!(built(url, CookieConfig::new()).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn asvs_3_3_2_ck_03_same_site_is_one_of_three_and_none_needs_secure() {
    let unsaid = set_cookie(HTTPS, CookieConfig::new()).await;
    assert!(unsaid.contains("; SameSite=Lax;"), "{unsaid}");
    for (same_site, text) in [
        (SameSite::Lax, "SameSite=Lax"),
        (SameSite::Strict, "SameSite=Strict"),
        (SameSite::None, "SameSite=None"),
    ] {
        let config = CookieConfig::new().same_site(same_site);
        assert!(set_cookie(HTTPS, config).await.contains(text));
    }
    refused(HTTP, CookieConfig::new().same_site(SameSite::None));
}

#[tokio::test]
async fn ck_04_max_age_and_expires_agree() {
    let rig = Rig::with(|builder| builder.lifetime(Lifetime::sliding(90 * SECOND, 100 * SECOND)));
    let session = rig.sessions.create(&Subject::new("ada")).await.unwrap();
    let text = session
        .into_set_cookies()
        .remove(0)
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        text.contains("Max-Age=100; Expires=Thu, 01 Jan 2026 00:01:40 GMT"),
        "{text}"
    );
}

#[tokio::test]
async fn ck_05_cb_5_removal_uses_every_attribute_of_the_cookie() {
    let config = CookieConfig::new()
        .path("/app")
        .domain("example.org")
        .same_site(SameSite::Strict);
    let sessions = built("https://app.example.org", config.clone()).unwrap();
    let context = RequestContext::new(&sessions, &HeaderMap::new());
    context.sign_out().await.unwrap();
    let mut response = HeaderMap::new();
    context.finish(&mut response);
    assert_eq!(
        response["set-cookie"],
        "__Secure-session=; HttpOnly; SameSite=Strict; Secure; Path=/app; Domain=example.org; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    );
    let set = set_cookie("https://app.example.org", config).await;
    assert!(attributes(&set).starts_with(
        "HttpOnly; SameSite=Strict; Secure; Path=/app; Domain=example.org; Max-Age=2592000"
    ));
}

#[test]
fn ck_06_a_domain_must_cover_the_host_and_excludes_the_host_prefix() {
    for domain in ["app.example.org", "example.org", "EXAMPLE.org"] {
        assert!(
            built(
                "https://app.example.org",
                CookieConfig::new().domain(domain)
            )
            .is_ok()
        );
    }
    for domain in [
        "",
        "org",
        ".example.org",
        "other.org",
        "ample.org",
        "sub.app.example.org",
        "example.org.",
        "example..org",
        "example.org; Secure",
        "exa mple.org",
        "\u{e4}.org",
    ] {
        refused(
            "https://app.example.org",
            CookieConfig::new().domain(domain),
        );
    }
    refused("https://127.0.0.1", CookieConfig::new().domain("127.0.0.1"));
    refused("https://127.0.0.1", CookieConfig::new().domain("0.0.1"));
    refused(
        "https://app.example.org",
        CookieConfig::new().name("__Host-s").domain("example.org"),
    );
}

#[test]
fn ck_07_the_name_is_a_token() {
    for name in ["s", "sid", "a!#$%&'*+-.^_`|~9"] {
        assert!(built(HTTPS, CookieConfig::new().name(name)).is_ok());
    }
    for name in [
        "", "a b", "a=b", "a;b", "a,b", "a\"", "a\r\nb", "\u{e4}", "a/b", "(a)",
    ] {
        refused(HTTPS, CookieConfig::new().name(name));
    }
}

#[tokio::test]
async fn ck_08_asvs_3_3_1_asvs_3_3_3_the_default_name_is_the_strictest_prefix_that_fits() {
    for (app_url, config, name) in [
        (HTTPS, CookieConfig::new(), "__Host-session="),
        (HTTPS, CookieConfig::new().path("/"), "__Host-session="),
        (HTTPS, CookieConfig::new().path("/app"), "__Secure-session="),
        (
            HTTPS,
            CookieConfig::new().domain("app.example"),
            "__Secure-session=",
        ),
        (HTTP, CookieConfig::new(), "session="),
    ] {
        let text = set_cookie(app_url, config).await;
        assert!(text.starts_with(name), "{text}");
        assert_eq!(text.contains("; Secure; "), app_url == HTTPS, "{text}");
    }
}

#[test]
fn cb_6_contradicting_settings_are_refused_when_built() {
    for config in [
        CookieConfig::new().name("__Host-s").path("/app"),
        CookieConfig::new().name("__host-s").path("/app"),
        CookieConfig::new().name("__Host-s").domain("app.example"),
        CookieConfig::new().path("app"),
        CookieConfig::new().path(""),
        CookieConfig::new().path("/a;b"),
        CookieConfig::new().path("/a\r\nSet-Cookie: x=y"),
        CookieConfig::new().path("/\u{e4}"),
        CookieConfig::new().domain("app.example\r\n"),
        CookieConfig::new().name("a\nb"),
    ] {
        refused(HTTPS, config);
    }
    for name in ["__Host-s", "__Secure-s", "__SECURE-s"] {
        refused(HTTP, CookieConfig::new().name(name));
    }
}

#[test]
fn cb_7_no_session_outlives_400_days() {
    let day = 24 * 60 * 60;
    let built = |days: u64| {
        Sessions::builder(
            key(0),
            MemorySessionStore::new(),
            Source(Members::default().into()),
        )
        .app_url(HTTPS)
        .lifetime(Lifetime::sliding(
            Duration::from_secs(day),
            Duration::from_secs(days * day),
        ))
        .build()
    };
    assert!(built(400).is_ok());
    assert!(built(401).unwrap_err().is_configuration());
    assert!(built(u64::MAX / day).unwrap_err().is_configuration());
}

/// The status of a request with these `Cookie` headers, of which `{}` is a valid session value.
async fn status(rig: &Rig, value: &str, headers: &[&[u8]]) -> u16 {
    let mut map = HeaderMap::new();
    for header in headers {
        let mut bytes = Vec::new();
        for (position, part) in header.split(|byte| *byte == b'@').enumerate() {
            if position > 0 {
                bytes.extend_from_slice(value.as_bytes());
            }
            bytes.extend_from_slice(part);
        }
        map.append("cookie", HeaderValue::from_bytes(&bytes).unwrap());
    }
    let context = RequestContext::new(&rig.sessions, &map);
    match context.verify_session::<crate::support::Member>().await {
        Ok(_) => 200,
        Err(error) => error.status(),
    }
}

#[tokio::test]
async fn cb_1_the_name_is_compared_byte_for_byte() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    for accepted in [
        &b"__Host-session=@"[..],
        b"a=b; __Host-session=@",
        b"a=b;__Host-session=@",
        b"__Host-session=@; a=b",
        b"__Host-session=@;a=b",
        b";;__Host-session=@;",
    ] {
        assert_eq!(status(&rig, device.value(), &[accepted]).await, 200);
    }
    for refused in [
        &b"%5F%5FHost-session=@"[..],
        b"\xe2\x80\x80__Host-session=@",
        b"a=b; \xe2\x80\x80__Host-session=@",
        b"\xc2\xa0__Host-session=@",
        b"a=b;  __Host-session=@",
        b"a=b;\t__Host-session=@",
        b" __Host-session=@",
        b"__host-session=@",
        b"__Host-session =@",
        b"__Host-session= @",
        b"__Host-session=\"@\"",
        b"__Host-session=@ ",
        b"x__Host-session=@",
        b"__Host-session-x=@",
        b"__Host-sessio=@",
        b"__Host-session@",
        b"a=__Host-session=@",
        b"a=\"; x; __Host-session\"=@",
    ] {
        // A header value loses its own outer white space on the wire, not here.
        assert_eq!(
            status(&rig, device.value(), &[refused]).await,
            401,
            "{}",
            String::from_utf8_lossy(refused)
        );
    }
}

#[tokio::test]
async fn cb_2_ck_13_a_malformed_other_cookie_does_not_hide_ours() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    for headers in [
        &[&b"a=\xff; __Host-session=@"[..]][..],
        &[b"\xff\xfe; =; ;=;;; __Host-session=@"],
        &[b"a; b=\"; __Host-session=@; c=\""],
        &[b"a=\xff", b"__Host-session=@"],
        &[b"__Host-session=@", b"\xff=\xff"],
        &[b"a=b", b"c=d", b"__Host-session=@"],
    ] {
        assert_eq!(status(&rig, device.value(), headers).await, 200);
    }
}

#[tokio::test]
async fn cb_3_two_cookies_of_our_name_are_refused_with_an_event() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let logs = crate::support::logs::Capture::start();
    for (number, headers) in [
        &[&b"__Host-session=@; __Host-session=@"[..]][..],
        &[b"__Host-session=@", b"__Host-session=@"],
        &[b"__Host-session=; __Host-session=@"],
        &[b"__Host-session=@; a=b; __Host-session=x"],
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(status(&rig, device.value(), headers).await, 401);
        assert_eq!(
            logs.count("credential refused refusal=\"ambiguous\""),
            number + 1
        );
    }
    assert_eq!(crate::support::count(&rig.store.loads), 0);
}

#[tokio::test]
async fn cb_8_a_response_that_depends_on_the_session_is_not_cached() {
    let rig = Rig::new();
    let context = rig.request("");
    let mut untouched = HeaderMap::new();
    untouched.insert(
        "cache-control",
        HeaderValue::from_static("public, s-maxage=600"),
    );
    let before = untouched.clone();
    context.finish(&mut untouched);
    assert_eq!(untouched, before);

    let read = rig.request("");
    let _refused = read.optimistic();
    let mut headers = before;
    headers.append("cache-control", HeaderValue::from_static("immutable"));
    for name in ["cdn-cache-control", "surrogate-control", "expires"] {
        headers.insert(name, HeaderValue::from_static("max-age=600"));
    }
    headers.insert("vary", HeaderValue::from_static("Accept-Encoding"));
    read.finish(&mut headers);
    let all = |name: &str| -> Vec<_> { headers.get_all(name).iter().cloned().collect() };
    assert_eq!(all("cache-control"), ["private, no-store"]);
    assert_eq!(all("vary"), ["Accept-Encoding", "Cookie"]);
    assert_eq!(headers.len(), 3);

    let mut twice = headers.clone();
    let again = rig.request("");
    again.sign_in(&Subject::new("ada")).await.unwrap();
    again.finish(&mut twice);
    assert_eq!(twice.get_all("vary").iter().count(), 2);
    assert_eq!(twice["cache-control"], "private, no-store");
}
