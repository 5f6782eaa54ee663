//! Who may sign in: the number of sessions, and requests that nobody meant.

use std::num::NonZeroU32;

use clearance::session::{SessionLimit, SessionsBuilder, Strategy};
use clearance::{RequestContext, Subject};
use http::{HeaderMap, HeaderValue};

use crate::browser::Browser;
use crate::support::{Member, Rig, SECOND, STRATEGIES, count, sqlite_file};

fn ada() -> Subject {
    Subject::new("ada")
}

async fn rigs(limit: SessionLimit) -> (tempfile::TempDir, Vec<Rig>) {
    let (directory, db) = sqlite_file().await;
    let mut rigs = Vec::new();
    for strategy in [Strategy::Hybrid, Strategy::Database] {
        let settings =
            |builder: SessionsBuilder<Member>| builder.strategy(strategy).session_limit(limit);
        rigs.push(Rig::with(settings));
        rigs.push(Rig::over(db.session_store(), settings));
    }
    (directory, rigs)
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

#[tokio::test]
async fn asvs_7_1_2_one_sign_in_too_many_is_refused() {
    let (_directory, rigs) = rigs(SessionLimit::Reject(TWO)).await;
    for rig in rigs {
        let one = Browser::signed_in(&rig, &ada()).await;
        let mut two = Browser::signed_in(&rig, &ada()).await;
        let mut third = Browser::default();
        let request = third.request(&rig);
        let error = request.sign_in(&ada()).await.unwrap_err();
        assert!(error.is_too_many_sessions());
        assert_eq!(error.status(), 403);
        assert_eq!(third.finish(&request), [""; 0]);
        let error = rig.sessions.create(&ada()).await.unwrap_err();
        assert!(error.is_too_many_sessions());
        // Another subject is not concerned, and signing in again in one browser takes no place.
        Browser::signed_in(&rig, &Subject::new("eve")).await;
        let request = two.request(&rig);
        request.sign_in(&ada()).await.unwrap();
        two.finish(&request);
        assert_eq!(one.status(&rig).await, 200);
        assert_eq!(two.status(&rig).await, 200);
        one.request(&rig).sign_out().await.unwrap();
        Browser::signed_in(&rig, &ada()).await;
        rig.sessions.revoke_everyone().await.unwrap();
    }
}

#[tokio::test]
async fn asvs_7_1_2_one_sign_in_too_many_ends_the_oldest() {
    let (_directory, rigs) = rigs(SessionLimit::EvictOldest(TWO)).await;
    for rig in rigs {
        let mut browsers = Vec::new();
        for _ in 0..3 {
            let browser = Browser::signed_in(&rig, &ada()).await;
            assert_eq!(browser.status(&rig).await, 200);
            browsers.push(browser);
            rig.clock.advance(SECOND);
        }
        let mut statuses = Vec::new();
        for browser in &browsers {
            statuses.push(browser.status(&rig).await);
        }
        assert_eq!(statuses, [401, 200, 200], "at once, for all its cached");
        rig.sessions.revoke_everyone().await.unwrap();
    }
}

#[test]
fn asvs_7_1_2_the_limit_is_explained() {
    let of = |limit| {
        Rig::with(|builder| builder.session_limit(limit))
            .sessions
            .explain()
    };
    let line =
        "sessions of a subject: 2 at most, one more sign-in is refused (set by the program)\n";
    assert!(of(SessionLimit::Reject(TWO)).contains(line));
    let line =
        "sessions of a subject: 2 at most, one more sign-in ends the oldest (set by the program)\n";
    assert!(of(SessionLimit::EvictOldest(TWO)).contains(line));
}

#[tokio::test]
async fn asvs_7_6_2_nobody_is_signed_in_by_a_request_that_no_user_meant() {
    let refused: [&[(&str, &str)]; 12] = [
        &[("sec-purpose", "prefetch")],
        &[
            ("sec-purpose", "prefetch;prerender"),
            ("sec-fetch-dest", "document"),
        ],
        &[("purpose", "prefetch")],
        &[("next-router-prefetch", "1")],
        &[("sec-fetch-dest", "image")],
        &[("sec-fetch-dest", "script")],
        &[("sec-fetch-dest", "style")],
        &[
            ("sec-fetch-dest", "object"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("sec-fetch-dest", "worker")],
        &[
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[
            ("sec-fetch-dest", "frame"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[
            ("sec-fetch-dest", "fencedframe"),
            ("sec-fetch-site", "cross-site"),
        ],
    ];
    let allowed: [&[(&str, &str)]; 6] = [
        // A program that is no browser.
        &[],
        // A plain form, a link from an identity provider, `fetch`, a frame of the application's own.
        &[
            ("sec-fetch-dest", "document"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[
            ("sec-fetch-dest", "document"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("purpose", "something else")],
    ];
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let before = Browser::signed_in(&rig, &ada()).await;
        let request = |headers: &[(&'static str, &'static str)]| {
            let mut map: HeaderMap = before.headers();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_static(value));
            }
            RequestContext::new(&rig.sessions, &map)
        };
        let calls = count(&rig.store.calls);
        for headers in refused {
            let request = request(headers);
            let error = request.sign_in(&Subject::new("eve")).await.unwrap_err();
            assert!(error.is_forbidden(), "{strategy:?} {headers:?}");
            assert_eq!(before.clone().finish(&request), [""; 0], "{headers:?}");
        }
        assert_eq!(count(&rig.store.calls), calls);
        assert_eq!(before.status(&rig).await, 200, "and nobody is signed out");
        for headers in allowed {
            let signed_in = request(headers).sign_in(&Subject::new("eve")).await;
            assert!(signed_in.is_ok(), "{strategy:?} {headers:?}");
        }
    }
}
