//! A session that is too long for one cookie.

use clearance::session::{SessionsBuilder, SignIn, Strategy};
use clearance::{RequestContext, Subject};
use http::{HeaderMap, HeaderValue};

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig, cookie_header};

const NAME: &str = "__Host-session";

fn ada() -> Subject {
    Subject::new("ada")
}

fn large(builder: SessionsBuilder<Member>) -> SessionsBuilder<Member> {
    builder
        .strategy(Strategy::Stateless)
        .max_payload_bytes(20_000)
}

/// A sign-in that needs so many bytes.
fn of(bytes: usize) -> SignIn {
    SignIn::new(ada()).claim("long", "x".repeat(bytes)).unwrap()
}

fn names(browser: &Browser) -> Vec<&str> {
    browser.jar.keys().map(|name| &**name).collect()
}

#[tokio::test]
async fn asvs_3_3_5_ck_12_the_jar_holds_exactly_the_live_cookies_however_the_session_grows_and_shrinks()
 {
    let rig = Rig::with(large);
    let chunk = |number| format!("{NAME}.{number}");
    let (one, two, three) = (chunk(0), chunk(1), chunk(2));
    let mut browser = Browser::default();
    for (bytes, expected) in [
        (10, vec![NAME]),
        (5_000, vec![&*one, &*two]),
        (8_000, vec![&*one, &*two, &*three]),
        (4_000, vec![&*one, &*two]),
        (10, vec![NAME]),
        (8_500, vec![&*one, &*two, &*three]),
        (20, vec![NAME]),
    ] {
        let request = browser.request(&rig);
        request.sign_in(of(bytes)).await.unwrap();
        for text in browser.finish(&request) {
            let pair = text.split(';').next().unwrap();
            // The equals sign is not counted.
            assert!(pair.len() - 1 <= 4096, "{} bytes", pair.len());
            assert!(
                text.contains("; HttpOnly; SameSite=Lax; Secure; Path=/;"),
                "{text}"
            );
        }
        assert_eq!(names(&browser), expected, "{bytes} bytes");
        assert_eq!(browser.visit(&rig).await, 200);
    }
}

#[tokio::test]
async fn ck_12_a_token_that_is_made_anew_takes_the_places_of_the_old_one() {
    let rig = Rig::with(large);
    let mut browser = Browser::signed_in(&rig, of(8_000)).await;
    let before = browser.clone();
    rig.clock.advance(MINUTE);
    assert_eq!(browser.visit(&rig).await, 200);
    assert_eq!(names(&browser), names(&before));
    assert_ne!(browser, before);
    let request = browser.request(&rig);
    request.rotate_session().await.unwrap();
    browser.finish(&request);
    assert_eq!(names(&browser), names(&before));
    assert_eq!(browser.visit(&rig).await, 200);
}

#[tokio::test]
async fn ck_12_cb_5_signing_out_removes_every_chunk() {
    for domain in [None, Some("app.example")] {
        let rig = Rig::with(|builder| {
            let cookie = clearance::session::CookieConfig::new();
            let cookie = match domain {
                Some(domain) => cookie.domain(domain).path("/x"),
                None => cookie,
            };
            large(builder).cookie(cookie)
        });
        let mut browser = Browser::signed_in(&rig, of(8_000)).await;
        assert_eq!(browser.jar.len(), 3);
        // A chunk of a time when there were more.
        let name = names(&browser)[0].trim_end_matches("0").to_owned();
        let mut stale = browser.clone();
        stale.jar.insert(format!("{name}9"), "old".to_owned());
        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        let removed = browser.finish(&request);
        assert!(browser.jar.is_empty(), "{domain:?}");
        for text in removed {
            let attributes = text.split_once("; ").unwrap().1;
            let expected = match domain {
                None => {
                    "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
                }
                Some(_) => {
                    "HttpOnly; SameSite=Lax; Secure; Path=/x; Domain=app.example; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
                }
            };
            assert_eq!(attributes, expected);
        }
        let request = stale.request(&rig);
        request.sign_out().await.unwrap();
        stale.finish(&request);
        assert!(stale.jar.is_empty(), "{domain:?}");
    }
}

#[tokio::test]
async fn ck_12_what_three_cookies_do_not_hold_is_refused_with_advice() {
    let rig = Rig::with(large);
    let mut browser = Browser::default();
    let request = browser.request(&rig);
    let error = request.sign_in(of(12_000)).await.unwrap_err();
    assert!(error.is_payload_too_large());
    let text = error.to_string();
    assert!(
        text.contains("its cookies hold") && text.contains("`Strategy::Hybrid`"),
        "{text}"
    );
    assert!(!text.contains("xxx"));
    assert_eq!(browser.finish(&request), [""; 0]);

    let rig = Rig::of(Strategy::Stateless);
    let request = browser.request(&rig);
    let error = request.sign_in(of(2_000)).await.unwrap_err();
    assert!(error.is_payload_too_large());
    assert!(error.to_string().contains("`max_payload_bytes`"), "{error}");
}

#[tokio::test]
async fn cb_4_only_a_whole_row_of_chunks_is_a_session() {
    let rig = Rig::with(large);
    let three = Browser::signed_in(&rig, of(8_000)).await;
    let plain = Browser::signed_in(&rig, of(10)).await;
    let plain = plain.cookie();
    let chunk = |number: usize| {
        let name = format!("{NAME}.{number}");
        format!("{name}={}", three.jar[&name])
    };
    let (zero, one, two) = (chunk(0), chunk(1), chunk(2));
    let renamed = |pair: &str, name: &str| format!("{name}={}", pair.split_once('=').unwrap().1);
    let status = async |pairs: &[&str]| {
        let cookie = pairs.join("; ");
        let request = RequestContext::new(&rig.sessions, &cookie_header(&cookie));
        match request.verify_session::<Member>().await {
            Ok(_) => 200,
            Err(error) => error.status(),
        }
    };
    // Their order is the browser's business.
    assert_eq!(status(&[&zero, &one, &two]).await, 200);
    assert_eq!(status(&[&two, "other=1", &zero, &one]).await, 200);
    assert_eq!(status(&[&plain]).await, 200);

    for wrong in [
        vec![&*one],
        vec![&two],
        vec![&zero],
        vec![&zero, &one],
        vec![&zero, &two],
        vec![&one, &two],
        vec![&zero, &zero, &one, &two],
        vec![&zero, &one, &one, &two],
        vec![&plain, &zero, &one, &two],
        vec![&plain, &one],
        vec![&plain, &zero],
        vec![&zero, &one, &two, "__Host-session.3=x"],
        vec![&zero, &one, &two, "__Host-session.9=x"],
        vec![&renamed(&zero, "__Host-session.00"), &one, &two],
        vec![&renamed(&zero, "__Host-session.+0"), &one, &two],
        vec![&renamed(&plain, "__Host-session.0"), &one],
        vec![&renamed(&plain, "__Host-session.0"), &two],
    ] {
        assert_eq!(status(&wrong).await, 401, "{:?}", names_of(&wrong));
    }
    // What only begins with the name is another cookie.
    for other in [
        "__Host-session-x=1",
        "__Host-session.01=1",
        "__Host-session.10=1",
        "__Host-session.=1",
        "__Host-session.x=1",
        "__Host-session.0x=1",
        "__Host-session.-1=1",
        "__Host-sessio=1",
        "__host-session.0=1",
        "__Host-session%2E0=1",
    ] {
        assert_eq!(status(&[other]).await, 401, "{other}");
        assert_eq!(status(&[&plain, other]).await, 200, "{other}");
        assert_eq!(status(&[other, &zero, &one, &two]).await, 200, "{other}");
    }
}

fn names_of<'a>(pairs: &[&'a str]) -> Vec<&'a str> {
    pairs
        .iter()
        .map(|pair| pair.split('=').next().unwrap())
        .collect()
}

#[tokio::test]
async fn cb_4_chunks_may_come_in_several_headers() {
    let rig = Rig::with(large);
    let browser = Browser::signed_in(&rig, of(8_000)).await;
    let mut headers = HeaderMap::new();
    for (name, value) in browser.jar.iter().rev() {
        let pair = HeaderValue::try_from(format!("{name}={value}")).unwrap();
        headers.append("cookie", pair);
    }
    let request = RequestContext::new(&rig.sessions, &headers);
    assert!(request.verify_session::<Member>().await.is_ok());
}
