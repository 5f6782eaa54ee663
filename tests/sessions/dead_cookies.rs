//! Cookies that a browser has no use for, and those that are made anew: the answer sees to both.

use std::collections::BTreeSet;

use clearance::Subject;
use clearance::session::{CookieConfig, Lifetime, Strategy};
use clearance::token::KeyRing;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::browser::Browser;
use crate::strategies::{Place, ada, everywhere};
use crate::support::{DAY, MINUTE, Member, Rig, STRATEGIES, cookie_header, key, pair};

/// A page that asks who is there. Its answer leaves the browser without cookies.
async fn is_freed(browser: &Browser, rig: &Rig, what: &str) {
    let mut browser = browser.clone();
    assert_eq!(browser.visit(rig).await, 401, "{what}");
    assert!(browser.jar.is_empty(), "{what}");
    assert_eq!(browser.visit(rig).await, 401, "{what}");
}

/// A page that asks who is there. Its answer leaves the browser's cookies as they are.
async fn is_left(browser: &Browser, rig: &Rig, status: u16, what: &str) {
    let mut after = browser.clone();
    assert_eq!(after.visit(rig).await, status, "{what}");
    assert_eq!(after, *browser, "{what}");
}

#[tokio::test]
async fn ck_21_a_dead_cookie_is_removed_by_the_answer() {
    for Place { strategy, rig, .. } in everywhere().await {
        let what = format!("{strategy:?}");
        let browser = Browser::signed_in(&rig, &ada()).await;
        browser.request(&rig).sign_out().await.unwrap();
        is_freed(&browser, &rig, &what).await;

        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        let id = request
            .verify_session::<Member>()
            .await
            .unwrap()
            .session_id();
        rig.sessions.revoke(&ada(), id).await.unwrap();
        is_freed(&browser, &rig, &what).await;

        // Behind the library's back, as another node does it.
        let browser = Browser::signed_in(&rig, &ada()).await;
        let node = rig.beside(key(0), |builder| builder.strategy(strategy));
        rig.clock.advance(MINUTE);
        node.sessions.revoke_all(&ada()).await.unwrap();
        rig.clock.advance(MINUTE);
        is_freed(&browser, &rig, &what).await;

        // Under another id, and then over.
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let old = browser.clone();
        let request = browser.request(&rig);
        request.rotate_session().await.unwrap();
        browser.finish(&request);
        browser.request(&rig).sign_out().await.unwrap();
        is_freed(&old, &rig, &what).await;
        is_freed(&browser, &rig, &what).await;

        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.advance(31 * DAY);
        is_freed(&browser, &rig, &what).await;

        let mut forged = Browser::signed_in(&rig, &ada()).await;
        for value in forged.jar.values_mut() {
            value.push('x');
        }
        is_freed(&forged, &rig, &what).await;

        // A page that looks at the cookie alone.
        let request = forged.request(&rig);
        request.optimistic().unwrap_err();
        forged.finish(&request);
        assert!(forged.jar.is_empty(), "{what}");

        if strategy != Strategy::Database {
            let browser = Browser::signed_in(&rig, &ada()).await;
            let other = rig.beside(key(9), |builder| builder.strategy(strategy));
            is_freed(&browser, &other, "a key that nobody knows").await;
        }
    }
}

#[tokio::test]
async fn ck_21_a_cookie_that_may_be_of_use_is_left() {
    for Place { strategy, rig, .. } in everywhere().await {
        let what = format!("{strategy:?}");
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        is_left(&browser, &rig, 200, &what).await;
        is_left(&Browser::default(), &rig, 401, &what).await;

        // The answer to a request with the old cookie may come after the one with the new cookie.
        let old = browser.clone();
        let request = browser.request(&rig);
        request.rotate_session().await.unwrap();
        browser.finish(&request);
        is_left(&old, &rig, 401, &what).await;
        is_left(&browser, &rig, 200, &what).await;

        // Nobody can tell.
        rig.clock.advance(MINUTE);
        assert_eq!(browser.visit(&rig).await, 200);
        rig.clock.advance(MINUTE / 2);
        rig.store.set_down(true);
        is_left(&browser, &rig, 503, &what).await;
        rig.store.set_down(false);

        // The subject may have a viewer again.
        rig.members.gone.lock().unwrap().push("ada".into());
        rig.sessions.viewer_changed(&ada());
        is_left(&browser, &rig, 401, &what).await;
        rig.members.gone.lock().unwrap().clear();
        rig.sessions.viewer_changed(&ada());
        is_left(&browser, &rig, 200, &what).await;

        // One of two was perhaps planted: without the other one it would be alone.
        let twice = format!("{0}; {0}", browser.cookie());
        let request = rig.request(&twice);
        request.verify_session::<Member>().await.unwrap_err();
        assert_eq!(browser.finish(&request), [""; 0], "{what}");

        // Nobody asked whose it is.
        browser.request(&rig).sign_out().await.unwrap();
        let request = browser.request(&rig);
        assert_eq!(browser.finish(&request), [""; 0], "{what}");
    }
}

/// A cookie as a browser tells it from others: its name, domain and path.
type Place3 = (String, Option<String>, String);

/// What `Set-Cookie` headers do to the cookies of a browser.
fn take(jar: &mut BTreeSet<Place3>, request: &clearance::RequestContext) {
    let mut response = HeaderMap::new();
    request.finish(&mut response);
    for header in response.get_all(SET_COOKIE) {
        let text = header.to_str().unwrap();
        let mut parts = text.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attribute = |name: &str| {
            let mut found = text.split("; ").filter_map(|part| part.split_once('='));
            found.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        };
        let place = (
            name.to_owned(),
            attribute("Domain"),
            attribute("Path").unwrap(),
        );
        if value.is_empty() {
            jar.remove(&place);
        } else {
            jar.insert(place);
        }
    }
}

#[tokio::test]
async fn ck_22_two_cookies_of_one_name_are_both_removed_by_a_sign_in_and_a_sign_out() {
    let at = |domain: Option<&str>, path: &str| -> Place3 {
        ("sid".into(), domain.map(Into::into), path.into())
    };
    let places = [
        at(None, "/"),
        at(None, "/app"),
        at(None, "/app/in"),
        at(Some("www.app.example"), "/"),
        at(Some("www.app.example"), "/app"),
        at(Some("app.example"), "/app/in"),
        at(Some("app.example"), "/"),
    ];
    let cookie = || CookieConfig::new().name("sid").path("/app/in");
    for strategy in STRATEGIES {
        for (cookie, own) in [
            (cookie(), at(None, "/app/in")),
            (
                cookie().domain("app.example"),
                at(Some("app.example"), "/app/in"),
            ),
        ] {
            let rig = Rig::with(|builder| {
                let builder = builder.app_url("https://www.app.example");
                builder.strategy(strategy).cookie(cookie)
            });
            let device = rig.device("ada").await;
            for other in places.iter().filter(|place| **place != own) {
                let header = format!("{}; sid=planted", device.cookie);
                let mut jar = BTreeSet::from([own.clone(), other.clone()]);
                let request = rig.request(&header);
                request.verify_session::<Member>().await.unwrap_err();
                request.sign_in(&ada()).await.unwrap();
                take(&mut jar, &request);
                assert_eq!(jar, BTreeSet::from([own.clone()]), "{strategy:?} {other:?}");

                let mut jar = BTreeSet::from([own.clone(), other.clone()]);
                let request = rig.request(&header);
                request.sign_out().await.unwrap();
                take(&mut jar, &request);
                assert_eq!(jar, BTreeSet::new(), "{strategy:?} {other:?}");
            }
            // Nobody's session ended, and one cookie is removed by one header.
            let request = rig.request(&device.cookie);
            request.verify_session::<Member>().await.unwrap();
            request.sign_out().await.unwrap();
            let mut response = HeaderMap::new();
            request.finish(&mut response);
            assert_eq!(response.get_all(SET_COOKIE).iter().count(), 1);
        }
    }
    // No other host can set a cookie of this name, and an address has no domain above it.
    for (url, name) in [
        ("https://www.app.example", "__Host-session"),
        ("https://192.0.2.7", "sid"),
    ] {
        let rig = Rig::with(|builder| {
            let builder = builder.app_url(url);
            builder.cookie(CookieConfig::new().name(name))
        });
        let request = rig.request(&format!("{name}=a; {name}=b"));
        request.sign_in(&ada()).await.unwrap();
        let mut response = HeaderMap::new();
        request.finish(&mut response);
        assert_eq!(response.get_all(SET_COOKIE).iter().count(), 1, "{url}");
    }
}

#[tokio::test]
async fn ck_23_a_sealed_cookie_is_made_anew_when_its_key_is_retired() {
    let rig = Rig::new();
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    let id = rig.sessions.list(&ada()).await.unwrap()[0].id();
    is_left(&browser, &rig, 200, "the key of today").await;
    let changed = rig.beside(KeyRing::new(key(7)).retired(key(0)), |builder| builder);
    let old = browser.clone();
    let lifetime = {
        let set = |browser: &mut Browser, request: &clearance::RequestContext| {
            let texts = browser.finish(request);
            assert_eq!(texts.len(), 1);
            texts[0].split_once("; ").unwrap().1.to_owned()
        };
        let request = browser.request(&changed);
        request.verify_session::<Member>().await.unwrap();
        set(&mut browser, &request)
    };
    assert_ne!(browser, old);
    assert!(lifetime.contains("Max-Age=2592000;"), "{lifetime}");
    // Once.
    is_left(&browser, &changed, 200, "the new key").await;
    // The new cookie needs the new key alone, and both lead to one session.
    let removed = rig.beside(key(7), |builder| builder);
    is_left(&browser, &removed, 200, "the new key alone").await;
    assert_eq!(old.status(&removed).await, 401);
    assert_eq!(old.status(&changed).await, 200);
    let request = browser.request(&changed);
    let verified = request.verify_session::<Member>().await.unwrap();
    assert_eq!(verified.session_id(), id);
    assert_eq!(rig.sessions.list(&ada()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn ck_23_a_sealed_cookie_is_made_anew_when_it_shows_another_end_than_the_session_has() {
    let rig = Rig::new();
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    let sliding = Lifetime::sliding;
    let same = rig.beside(key(0), |it| it.lifetime(sliding(DAY, 30 * DAY)));
    is_left(&browser, &same, 200, "the same end").await;
    let longer = rig.beside(key(0), |it| it.lifetime(sliding(DAY, 60 * DAY)));
    is_left(&browser, &longer, 200, "sessions keep their end").await;
    let shorter = rig.beside(key(0), |it| it.lifetime(sliding(DAY, 10 * DAY)));
    let request = browser.request(&shorter);
    request.verify_session::<Member>().await.unwrap();
    let texts = browser.finish(&request);
    assert!(texts[0].contains("Max-Age=864000;"), "{texts:?}");
    let shown = browser.request(&shorter).optimistic().unwrap().expires_at();
    assert_eq!(shown, Some(rig.now() + 10 * DAY));
    is_left(&browser, &shorter, 200, "once").await;
}

#[tokio::test]
async fn ck_23_no_cookie_is_made_anew_for_who_has_no_session() {
    let rig = Rig::new();
    let ring = || KeyRing::new(key(7)).retired(key(0));
    let changed = rig.beside(ring(), |builder| builder);
    let browser = Browser::signed_in(&rig, &ada()).await;
    // It ended after it was found, and before the answer.
    let request = browser.request(&changed);
    request.verify_session::<Member>().await.unwrap();
    changed.sessions.revoke_all(&ada()).await.unwrap();
    assert_eq!(browser.clone().finish(&request), [""; 0]);
    is_freed(&browser, &changed, "over").await;

    // Nobody asked, a page is loaded ahead, and a cookie that is not sealed.
    let browser = Browser::signed_in(&rig, &ada()).await;
    let request = browser.request(&changed);
    request.optimistic().unwrap();
    assert_eq!(browser.clone().finish(&request), [""; 0]);
    let mut headers = cookie_header(&browser.cookie());
    headers.insert("sec-purpose", HeaderValue::from_static("prefetch"));
    let request = clearance::RequestContext::new(&changed.sessions, &headers);
    request.verify_session::<Member>().await.unwrap();
    assert_eq!(browser.clone().finish(&request), [""; 0]);
    let rig = Rig::of(Strategy::Database);
    let changed = rig.beside(ring(), |builder| builder.strategy(Strategy::Database));
    let session = rig.sessions.create(&Subject::new("eve")).await.unwrap();
    let cookie = pair(&session.into_set_cookies().remove(0));
    let request = changed.request(&cookie);
    request.verify_session::<Member>().await.unwrap();
    assert_eq!(Browser::default().finish(&request), [""; 0]);
}
