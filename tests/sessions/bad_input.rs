//! Credentials that this server did not make, or made too long ago: refused from the cookie alone.

use proptest::prelude::*;

use crate::support::logs::Capture;
use crate::support::{Member, Rig, Source, TestStore, cookie_header, count, key};
use clearance::session::MemorySessionStore;
use clearance::{RequestContext, SessionId, Sessions};

const NAME: &str = "__Host-session=";

/// Asks three times in one request: 401 each time, one event, no call to the store.
async fn assert_refused(rig: &Rig, cookie: &str) {
    let calls = count(&rig.store.calls);
    let logs = Capture::start();
    let context = rig.request(cookie);
    assert_eq!(context.optimistic().unwrap_err().status(), 401);
    for _ in 0..2 {
        let error = context.verify_session::<Member>().await.unwrap_err();
        assert_eq!(error.status(), 401);
    }
    let error = context.verify_current::<Member>().await.unwrap_err();
    assert_eq!(error.status(), 401);
    assert_eq!(logs.count("credential refused"), 1, "{}", logs.text());
    assert_eq!(count(&rig.store.calls), calls);
}

#[tokio::test]
async fn vs_01_sd_04_a_flipped_bit_is_refused_wherever_it_is() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    for position in 0..device.value().len() {
        for bit in 0..8 {
            let mut bytes = device.value().as_bytes().to_vec();
            bytes[position] ^= 1 << bit;
            let mut headers = http::HeaderMap::new();
            let text = [NAME.as_bytes(), &bytes].concat();
            let Ok(value) = http::HeaderValue::from_bytes(&text) else {
                continue;
            };
            headers.insert("cookie", value);
            let context = RequestContext::new(&rig.sessions, &headers);
            let error = context.verify_session::<Member>().await.unwrap_err();
            assert_eq!(error.status(), 401, "byte {position}, bit {bit}");
        }
    }
    assert_eq!(count(&rig.store.loads), 0);
    assert_eq!(rig.status(&device.cookie).await, 200);
}

#[tokio::test]
async fn vs_01_a_tampered_credential_costs_one_event() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let (head, last) = device.cookie.split_at(device.cookie.len() - 1);
    let other = if last == "A" { "Q" } else { "A" };
    assert_refused(&rig, &format!("{head}{other}")).await;
}

#[tokio::test]
async fn vs_01_every_truncation_is_refused() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    for end in 0..device.value().len() {
        let cut = &device.value()[..end];
        assert_refused(&rig, &format!("{NAME}{cut}")).await;
    }
    for longer in ["A", "=", "AAAA", "."] {
        assert_refused(&rig, &format!("{}{longer}", device.cookie)).await;
    }
}

#[tokio::test]
async fn vs_01_a_credential_under_another_key_or_name_is_refused() {
    let rig = Rig::new();
    let foreign = Rig::with(|builder| builder);
    let store = TestStore::over(MemorySessionStore::new());
    let others: Sessions<Member> = Sessions::builder(
        key(9),
        store,
        Source(std::sync::Arc::clone(&foreign.members)),
    )
    .app_url("https://app.example")
    .clock(rig.clock.clone())
    .build()
    .unwrap();
    let session = others
        .create(&clearance::Subject::new("ada"))
        .await
        .unwrap();
    assert_refused(
        &rig,
        &crate::support::pair(&session.into_set_cookies().remove(0)),
    )
    .await;

    let renamed = Rig::with(|builder| {
        builder.cookie(clearance::session::CookieConfig::new().name("__Host-other"))
    });
    let device = renamed.device("ada").await;
    assert_refused(&rig, &format!("{NAME}{}", device.value())).await;
}

#[tokio::test]
async fn vs_01_ten_megabytes_are_refused_by_their_length() {
    let rig = Rig::new();
    assert_refused(&rig, &format!("{NAME}{}", "A".repeat(10 << 20))).await;
    let hidden = "a=b; ".repeat(2 << 20);
    assert_refused(&rig, &format!("{hidden}{NAME}x; {hidden}")).await;
}

#[tokio::test]
async fn vs_01_an_expired_credential_is_refused_without_the_store() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let days = |days: u64| std::time::Duration::from_secs(days * 24 * 60 * 60);
    rig.clock
        .advance(days(30) - std::time::Duration::from_micros(1));
    assert!(rig.request(&device.cookie).optimistic().is_ok());
    rig.clock.advance(std::time::Duration::from_micros(1));
    assert_refused(&rig, &device.cookie).await;
}

#[tokio::test]
async fn vs_01_no_cookie_is_refused_without_an_event() {
    let rig = Rig::new();
    let logs = Capture::start();
    for cookie in ["", "other=1"] {
        assert_eq!(rig.status(cookie).await, 401);
    }
    assert_eq!(logs.count("credential refused"), 0);
    assert_eq!(count(&rig.store.calls), 0);
}

#[tokio::test]
async fn sd_04_a_thousand_forged_cookies_cost_no_store_call() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let calls = count(&rig.store.calls);
    let mut forged = device.value().as_bytes().to_vec();
    for number in 0..1_000_usize {
        forged[number % device.value().len()] = b"ABCDEFGHIJ"[number % 10];
        forged[(number * 7) % device.value().len()] = b"-_09azAZ"[number % 8];
        let text = String::from_utf8(forged.clone()).unwrap();
        assert_ne!(text, device.value());
        assert_eq!(rig.status(&format!("{NAME}{text}")).await, 401);
    }
    assert_eq!(count(&rig.store.calls), calls);
}

#[tokio::test]
async fn sd_04_the_cookie_shows_neither_session_nor_subject() {
    use base64::Engine as _;

    let rig = Rig::new();
    let device = rig.device("ada@example.org").await;
    let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(device.value())
        .unwrap();
    let id: SessionId = device.id;
    for shown in [
        &id.as_bytes()[..],
        id.to_string().as_bytes(),
        b"ada@example.org",
    ] {
        assert!(!raw.windows(shown.len()).any(|part| part == shown));
        let text = device.value().as_bytes();
        assert!(!text.windows(shown.len()).any(|part| part == shown));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rf_15_no_cookie_header_makes_it_panic(
        headers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
        ours in any::<bool>(),
    ) {
        let rig = Rig::new();
        let mut map = http::HeaderMap::new();
        for bytes in headers {
            let bytes = if ours { [NAME.as_bytes(), &bytes].concat() } else { bytes };
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                map.append("cookie", value);
            }
        }
        let context = RequestContext::new(&rig.sessions, &map);
        let refused = block_on(context.verify_session::<Member>()).unwrap_err();
        prop_assert_eq!(refused.status(), 401);
        prop_assert_eq!(count(&rig.store.calls), 0);
    }

    #[test]
    fn rf_15_no_token_of_the_right_shape_makes_it_panic(text in "[A-Za-z0-9_-]{112,116}") {
        let rig = Rig::new();
        let headers = cookie_header(&format!("{NAME}{text}"));
        let context = RequestContext::new(&rig.sessions, &headers);
        prop_assert_eq!(context.optimistic().unwrap_err().status(), 401);
    }

    #[test]
    fn rf_15_no_text_makes_a_session_id_panic(text in any::<String>(), hex in "[0-9a-fA-F]{30,34}") {
        for text in [text, hex] {
            if let Ok(id) = text.parse::<SessionId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn rf_15_no_setting_makes_the_cookie_panic(
        name in any::<String>(),
        path in any::<String>(),
        domain in any::<String>(),
        url in any::<String>(),
    ) {
        let cookie = clearance::session::CookieConfig::new().name(name).path(path).domain(domain);
        let source = Source(Default::default());
        for url in [url, "https://app.example".to_owned()] {
            let built = Sessions::builder(key(0), MemorySessionStore::new(), Source(source.0.clone()))
                .app_url(url)
                .cookie(cookie.clone())
                .build();
            if let Err(error) = built {
                prop_assert!(error.is_configuration());
            }
        }
    }

    #[test]
    fn rf_15_no_bytes_make_a_key_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let key = clearance::Key::from_bytes(&bytes);
        prop_assert!(key.is_ok() || bytes.len() < 32 || bytes.windows(2).all(|two| two[0] == two[1]));
    }
}
