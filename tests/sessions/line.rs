//! A session that goes on under another id, and who ends it with what it was before.

use std::num::NonZeroU32;

use clearance::Subject;
use clearance::session::{Freshness, SessionLimit, SignIn, Strategy};

use crate::browser::Browser;
use crate::strategies::{Place, ada, everywhere};
use crate::support::{MINUTE, Member, Rig, STRATEGIES};

/// Whoever ends a session by its cookie.
#[derive(Debug, Clone, Copy)]
enum Way {
    SignOut,
    SignIn,
}

const WAYS: [Way; 2] = [Way::SignOut, Way::SignIn];

fn eve() -> Subject {
    Subject::new("eve")
}

impl Way {
    async fn end(self, browser: &Browser, rig: &Rig) {
        let request = browser.request(rig);
        match self {
            Self::SignOut => request.sign_out().await.unwrap(),
            Self::SignIn => request.sign_in(&eve()).await.map(|_| ()).unwrap(),
        }
    }
}

async fn rotate(browser: &mut Browser, rig: &Rig) {
    let request = browser.request(rig);
    request.rotate_session().await.unwrap();
    browser.finish(&request);
}

#[tokio::test]
async fn rf_42_an_earlier_cookie_ends_the_session_that_it_became() {
    for Place { strategy, rig, .. } in everywhere().await {
        for way in WAYS {
            for changes in 1..4 {
                let mut browser = Browser::signed_in(&rig, &ada()).await;
                let mut earlier = Vec::new();
                for _ in 0..changes {
                    earlier.push(browser.clone());
                    rotate(&mut browser, &rig).await;
                }
                let other = Browser::signed_in(&rig, &ada()).await;
                assert_eq!(browser.visit(&rig).await, 200);
                for old in &earlier {
                    assert_eq!(old.status(&rig).await, 401);
                }
                way.end(&earlier[0], &rig).await;
                assert_eq!(
                    browser.status(&rig).await,
                    401,
                    "{strategy:?} {way:?} {changes}"
                );
                assert_eq!(other.status(&rig).await, 200, "and no other");
                // Whoever does so again ends nothing.
                for old in &earlier {
                    way.end(old, &rig).await;
                }
                assert_eq!(other.status(&rig).await, 200, "{strategy:?} {way:?}");
            }
        }
    }
}

#[tokio::test]
async fn rf_42_an_earlier_cookie_does_nothing_else() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let old = browser.clone();
        rotate(&mut browser, &rig).await;
        let refused = |error: clearance::Error| assert_eq!(error.status(), 401, "{strategy:?}");
        let request = || old.request(&rig);
        refused(request().verify_session::<Member>().await.unwrap_err());
        refused(request().verify_current::<Member>().await.unwrap_err());
        refused(request().subject_to_prove().await.unwrap_err());
        refused(request().rotate_session().await.unwrap_err());
        assert_eq!(request().extend_session().await.unwrap(), None);
        let freshness = Freshness::within(MINUTE);
        let fresh = request().verify_fresh::<Member>(freshness).await;
        refused(fresh.map(|_| ()).unwrap_err());
        if strategy != Strategy::Stateless {
            refused(request().clear_session_data().await.unwrap_err());
            refused(request().session_data::<i32>().await.unwrap_err());
        }
        assert_eq!(browser.status(&rig).await, 200);
    }
}

/// The id is shown in lists and logs. Without the secret it ends nothing.
#[tokio::test]
async fn rf_42_the_earlier_id_alone_ends_nothing() {
    let rig = Rig::of(Strategy::Database);
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    let mut old = browser.clone();
    rotate(&mut browser, &rig).await;
    for value in old.jar.values_mut() {
        // Within the secret, which is behind the id.
        let changed = if value.as_bytes()[40] == b'A' {
            "B"
        } else {
            "A"
        };
        value.replace_range(40..41, changed);
    }
    old.request(&rig).sign_out().await.unwrap();
    assert_eq!(browser.status(&rig).await, 200);
}

#[tokio::test]
async fn rf_42_a_new_id_that_overtakes_the_end_does_not_outlive_it() {
    for Place { strategy, rig, .. } in everywhere().await {
        for way in WAYS {
            let mut browser = Browser::signed_in(&rig, &ada()).await;
            let old = browser.clone();
            let request = browser.request(&rig);
            request.verify_session::<Member>().await.unwrap();
            if strategy == Strategy::Stateless {
                // The old token is over, and the new one is not yet handed out.
                let gate = rig.store.denied.arm();
                let (rotated, ()) = tokio::join!(request.rotate_session(), async {
                    gate.reached().await;
                    way.end(&old, &rig).await;
                    gate.open();
                });
                rotated.unwrap();
            } else {
                // Whoever ends the session has read it, and is slow.
                let gate = rig.store.loaded.arm();
                let (rotated, ()) = tokio::join!(
                    async {
                        gate.reached().await;
                        let rotated = request.rotate_session().await;
                        gate.open();
                        rotated
                    },
                    way.end(&old, &rig)
                );
                rotated.unwrap();
            }
            browser.finish(&request);
            assert_eq!(browser.status(&rig).await, 401, "{strategy:?} {way:?}");
            if strategy != Strategy::Stateless {
                assert!(rig.sessions.list(&ada()).await.unwrap().is_empty());
            }
        }
    }
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

/// The name of whoever a browser's cookies lead to.
async fn who(browser: &Browser, rig: &Rig) -> String {
    let request = browser.request(rig);
    let verified = request.verify_session::<Member>().await.unwrap();
    verified.viewer().name.clone()
}

#[tokio::test]
async fn rf_44_a_sign_in_that_the_limit_refuses_leaves_the_session_before() {
    let limit = SessionLimit::Reject(TWO);
    for strategy in [Strategy::Hybrid, Strategy::Database] {
        let rig = Rig::with(|builder| builder.strategy(strategy).session_limit(limit));
        let mut browser = Browser::signed_in(&rig, &eve()).await;
        let one = Browser::signed_in(&rig, &ada()).await;
        let _two = Browser::signed_in(&rig, &ada()).await;
        for _ in 0..2 {
            let request = browser.request(&rig);
            request.verify_session::<Member>().await.unwrap();
            let error = request.sign_in(&ada()).await.unwrap_err();
            assert!(error.is_too_many_sessions());
            let verified = request.verify_session::<Member>().await.unwrap();
            assert_eq!(verified.viewer().name, "eve", "in this request, too");
            assert_eq!(browser.finish(&request), [""; 0]);
            assert_eq!(who(&browser, &rig).await, "eve");
        }
        // A place that becomes free is taken, and then the old session is over.
        one.request(&rig).sign_out().await.unwrap();
        let old = browser.clone();
        let request = browser.request(&rig);
        request.sign_in(&ada()).await.unwrap();
        browser.finish(&request);
        assert_eq!(who(&browser, &rig).await, "ada");
        assert_eq!(old.status(&rig).await, 401);
        assert!(rig.sessions.list(&eve()).await.unwrap().is_empty());
        // Signing in again takes no place, however often, and with a cookie of before, too.
        for _ in 0..3 {
            let request = browser.request(&rig);
            request.sign_in(&ada()).await.unwrap();
            browser.finish(&request);
            let old = browser.clone();
            rotate(&mut browser, &rig).await;
            let request = old.request(&rig);
            request.sign_in(&ada()).await.unwrap();
            browser = old;
            browser.finish(&request);
            assert_eq!(rig.sessions.list(&ada()).await.unwrap().len(), 2);
        }
    }
}

#[tokio::test]
async fn rf_44_a_sign_in_that_comes_to_nothing_leaves_the_session_before() {
    let large = "x".repeat(1_100);
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        rig.store.set_down(true);
        if strategy != Strategy::Stateless {
            let error = request.sign_in(&eve()).await.unwrap_err();
            assert_eq!(error.status(), 503);
        }
        rig.store.set_down(false);
        let too_large = SignIn::new(eve()).claim("a", large.as_str()).unwrap();
        request.sign_in(too_large).await.unwrap_err();
        request.sign_in(&Subject::new("")).await.unwrap_err();
        assert_eq!(who(&browser, &rig).await, "ada", "{strategy:?}");
    }
}

/// Whoever gave up, or another one, ended the old session or put it under another id meanwhile.
#[tokio::test]
async fn rf_44_a_session_that_changes_during_the_sign_in_ends_all_the_same() {
    for strategy in [Strategy::Hybrid, Strategy::Database] {
        for ends in [false, true] {
            let rig = Rig::of(strategy);
            let mut browser = Browser::signed_in(&rig, &ada()).await;
            let request = browser.request(&rig);
            let mut other = browser.clone();
            let gate = rig.store.before_create.arm();
            let (signed_in, ()) = tokio::join!(request.sign_in(eve()), async {
                gate.reached().await;
                if ends {
                    Way::SignOut.end(&other, &rig).await;
                } else {
                    rotate(&mut other, &rig).await;
                }
                gate.open();
            });
            signed_in.unwrap();
            browser.finish(&request);
            assert_eq!(who(&browser, &rig).await, "eve");
            assert_eq!(other.status(&rig).await, 401);
            assert!(rig.sessions.list(&ada()).await.unwrap().is_empty());
            assert_eq!(rig.sessions.list(&eve()).await.unwrap().len(), 1);
        }
    }
}
