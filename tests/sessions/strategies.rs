//! One suite over the three strategies.

use clearance::session::{Assurance, Optimistic, SessionsBuilder, Strategy};
use clearance::token::KeyRing;
use clearance::{RequestContext, Subject};

use crate::browser::Browser;
use crate::support::{
    DAY, MINUTE, Member, Rig, SECOND, STRATEGIES, cookie_header, count, keep, kept, key,
    sqlite_file,
};

pub(crate) fn ada() -> Subject {
    Subject::new("ada")
}

pub(crate) struct Place {
    pub(crate) strategy: Strategy,
    pub(crate) rig: Rig,
    _directory: Option<tempfile::TempDir>,
}

pub(crate) type Settings = fn(SessionsBuilder<Member>) -> SessionsBuilder<Member>;

/// Each strategy over memory and over SQLite.
pub(crate) async fn places(settings: Settings) -> Vec<Place> {
    let mut places = Vec::new();
    for strategy in STRATEGIES {
        let settings = |builder: SessionsBuilder<Member>| settings(builder.strategy(strategy));
        places.push(Place {
            strategy,
            rig: Rig::with(settings),
            _directory: None,
        });
        let (directory, db) = sqlite_file().await;
        places.push(Place {
            strategy,
            rig: Rig::over(db.session_store(), settings),
            _directory: Some(directory),
        });
    }
    places
}

pub(crate) async fn everywhere() -> Vec<Place> {
    places(|builder| builder).await
}

/// What an application answers, whatever the strategy.
async fn greet(request: &RequestContext) -> String {
    match request.verify_session::<Member>().await {
        Ok(member) => format!("200 {}", member.viewer().name),
        Err(error) => error.status().to_string(),
    }
}

#[tokio::test]
async fn sl_23_sd_20_sl_24_the_same_handlers_serve_each_strategy() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut browser = Browser::default();
        assert_eq!(greet(&browser.request(&rig)).await, "401");
        assert_eq!(
            count(&rig.store.calls),
            0,
            "{strategy:?}: nothing was asked"
        );

        let request = browser.request(&rig);
        request.sign_in(&ada()).await.unwrap();
        assert_eq!(greet(&request).await, "200 ada");
        let set = browser.finish(&request);
        assert_eq!(set.len(), 1);
        assert!(set[0].ends_with(" GMT"), "{}", set[0]);

        let request = browser.request(&rig);
        assert_eq!(greet(&request).await, "200 ada");
        let current = request.verify_current::<Member>().await.unwrap();
        assert_eq!(current.subject(), &ada());
        assert_eq!(current.assurance(), Assurance::Aal1);

        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        assert_eq!(greet(&request).await, "401");
        browser.finish(&request);
        assert!(browser.jar.is_empty(), "{strategy:?}");
        assert_eq!(greet(&browser.request(&rig)).await, "401");
    }
}

#[tokio::test]
async fn asvs_7_4_1_a_cookie_is_of_no_use_after_the_sign_out() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        assert_eq!(browser.visit(&rig).await, 200);
        let copied = browser.clone();
        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        browser.finish(&request);
        assert_eq!(copied.status(&rig).await, 401, "{strategy:?}");
        // Where the cache is empty, and when the cache is old.
        let node = rig.beside(key(0), |builder| builder.strategy(strategy));
        assert_eq!(copied.status(&node).await, 401, "{strategy:?}");
        rig.clock.advance(MINUTE);
        assert_eq!(copied.status(&rig).await, 401, "{strategy:?}");
        let swept = rig.sessions.sweep().await.unwrap();
        assert_eq!(swept, 0);
        assert_eq!(copied.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_4_1_a_denial_is_kept_for_as_long_as_the_token_is_good() {
    for Place { strategy, rig, .. } in everywhere().await {
        let copied = Browser::signed_in(&rig, &ada()).await;
        copied.request(&rig).sign_out().await.unwrap();
        for _ in 0..31 {
            rig.sessions.sweep().await.unwrap();
            assert_eq!(copied.status(&rig).await, 401, "{strategy:?}");
            rig.clock.advance(DAY);
        }
    }
}

#[tokio::test]
async fn rf_1_asvs_7_4_1_a_slow_request_does_not_outlive_the_sign_out() {
    for Place { strategy, rig, .. } in everywhere().await {
        // The store has answered, and the answer is on its way when the session ends.
        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.advance(MINUTE);
        let slow = browser.request(&rig);
        let gate = rig.store.loaded.arm();
        let (greeting, ()) = tokio::join!(greet(&slow), async {
            gate.reached().await;
            browser.request(&rig).sign_out().await.unwrap();
            gate.open();
        });
        assert_eq!(greeting, "401", "{strategy:?}");
        let mut late = browser.clone();
        late.finish(&slow);
        assert!(late.jar.is_empty(), "{strategy:?}");
        let late = browser.clone();
        assert_eq!(late.status(&rig).await, 401, "{strategy:?}");

        // The session ends after the answer, and before the response.
        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.advance(MINUTE);
        let slow = browser.request(&rig);
        assert_eq!(greet(&slow).await, "200 ada");
        browser.request(&rig).sign_out().await.unwrap();
        let mut late = browser.clone();
        assert_eq!(late.finish(&slow), [""; 0], "{strategy:?}");
        assert_eq!(late.status(&rig).await, 401, "{strategy:?}");

        // It ends on another node, so that this one writes a cookie. It leads nowhere.
        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.advance(MINUTE);
        let slow = browser.request(&rig);
        assert_eq!(greet(&slow).await, "200 ada");
        let node = rig.beside(key(0), |builder| builder.strategy(strategy));
        browser.request(&node).sign_out().await.unwrap();
        let mut late = browser.clone();
        late.finish(&slow);
        rig.clock.advance(5 * SECOND);
        assert_eq!(late.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn rf_1_what_extends_a_session_does_not_outlive_the_sign_out() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let slow = browser.request(&rig);
        let gate = rig.store.loaded.arm();
        let (extended, ()) = tokio::join!(slow.extend_session(), async {
            gate.reached().await;
            browser.request(&rig).sign_out().await.unwrap();
            gate.open();
        });
        let _whatever_it_says = extended.unwrap();
        browser.finish(&slow);
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn rf_1_asvs_7_4_1_a_new_id_does_not_outlive_the_sign_out() {
    for Place { strategy, rig, .. } in everywhere().await {
        // On another node nothing but the store tells this one of it.
        let node = rig.beside(key(0), |builder| builder.strategy(strategy));
        // The sign-out comes in between two of the answers of the store, of which each case has so many first.
        let cases = [(false, 0), (false, 1), (true, 1)];
        let cases = cases
            .iter()
            .flat_map(|case| [(*case, &rig), (*case, &node)]);
        for ((others, skipped), at) in cases {
            let mut browser = Browser::signed_in(&rig, &ada()).await;
            let slow = browser.request(&rig);
            let freshness = clearance::session::Freshness::within(MINUTE);
            let proof = slow.verify_fresh::<Member>(freshness).await.unwrap();
            let gate = rig.store.loaded.arm_after(skipped);
            let (outcome, ()) = tokio::join!(
                async {
                    if others {
                        slow.revoke_other_sessions(&proof).await.map(|_| ())
                    } else {
                        slow.rotate_session().await.map(|_| ())
                    }
                },
                async {
                    gate.reached().await;
                    browser.request(at).sign_out().await.unwrap();
                    gate.open();
                }
            );
            if strategy == Strategy::Stateless || !others {
                assert_eq!(outcome.unwrap_err().status(), 401, "{strategy:?} {others}");
            }
            browser.finish(&slow);
            // What another node did is known when this one asks anew.
            rig.clock.advance(MINUTE);
            assert_eq!(browser.status(&rig).await, 401, "{strategy:?} {others}");
        }
    }
}

#[tokio::test]
async fn rf_1_asvs_7_4_5_a_session_does_not_outlive_the_end_of_all_while_it_ends_the_others() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let slow = browser.request(&rig);
        let freshness = clearance::session::Freshness::within(MINUTE);
        let proof = slow.verify_fresh::<Member>(freshness).await.unwrap();
        let gate = rig.store.loaded.arm_after(1);
        let (_, ()) = tokio::join!(slow.revoke_other_sessions(&proof), async {
            gate.reached().await;
            rig.clock.advance(SECOND);
            rig.sessions.revoke_all(&ada()).await.unwrap();
            rig.clock.advance(SECOND);
            gate.open();
        });
        browser.finish(&slow);
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn sd_07_asvs_7_4_5_one_all_or_everybodys_sessions_end() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browsers = async |rig: &Rig| {
            [
                Browser::signed_in(rig, &ada()).await,
                Browser::signed_in(rig, &ada()).await,
                Browser::signed_in(rig, &Subject::new("eve")).await,
            ]
        };
        let statuses = async |browsers: &[Browser; 3]| {
            let [one, two, eve] = browsers;
            (
                one.status(&rig).await,
                two.status(&rig).await,
                eve.status(&rig).await,
            )
        };
        let there = browsers(&rig).await;
        assert_eq!(statuses(&there).await, (200, 200, 200));

        let verified = there[0].request(&rig);
        let id = verified
            .verify_session::<Member>()
            .await
            .unwrap()
            .session_id();
        // By its id, and only by whom it belongs to.
        let eve = Subject::new("eve");
        let _whatever_it_says = rig.sessions.revoke(&eve, id).await.unwrap();
        assert_eq!(statuses(&there).await, (200, 200, 200), "{strategy:?}");
        assert!(rig.sessions.revoke(&ada(), id).await.unwrap());
        assert_eq!(statuses(&there).await, (401, 200, 200), "{strategy:?}");
        assert!(!rig.sessions.revoke(&ada(), id).await.unwrap());

        rig.sessions.revoke_all(&ada()).await.unwrap();
        assert_eq!(statuses(&there).await, (401, 401, 200), "{strategy:?}");

        // Whoever signs in afterwards is not concerned.
        rig.clock.advance(SECOND);
        let there = browsers(&rig).await;
        assert_eq!(statuses(&there).await, (200, 200, 200), "{strategy:?}");
        rig.sessions.revoke_everyone().await.unwrap();
        assert_eq!(statuses(&there).await, (401, 401, 401), "{strategy:?}");
        rig.clock.advance(SECOND);
        let there = browsers(&rig).await;
        assert_eq!(statuses(&there).await, (200, 200, 200), "{strategy:?}");
    }
}

#[tokio::test]
async fn sd_07_the_sessions_own_request_survives_the_end_of_the_others() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut own = Browser::signed_in(&rig, &ada()).await;
        let stolen = own.clone();
        let other = Browser::signed_in(&rig, &ada()).await;
        let eve = Browser::signed_in(&rig, &Subject::new("eve")).await;
        assert_eq!(other.status(&rig).await, 200);
        rig.clock.advance(SECOND);

        let request = own.request(&rig);
        let freshness = clearance::session::Freshness::within(MINUTE);
        let proof = request.verify_fresh::<Member>(freshness).await.unwrap();
        let ended = request.revoke_other_sessions(&proof).await.unwrap();
        assert_eq!(greet(&request).await, "200 ada");
        own.finish(&request);
        assert_eq!(own.status(&rig).await, 200, "{strategy:?}");
        assert_eq!(other.status(&rig).await, 401, "{strategy:?}");
        assert_eq!(eve.status(&rig).await, 200, "{strategy:?}");
        if strategy == Strategy::Stateless {
            assert_eq!(ended, 0, "nobody counts them");
            assert_ne!(own, stolen);
            assert_eq!(stolen.status(&rig).await, 401);
            let error = rig.sessions.revoke_others(&ada(), proof.session_id()).await;
            assert!(error.unwrap_err().is_misuse());
        } else {
            assert_eq!(ended, 1);
        }
        rig.clock.advance(SECOND);
        rig.sessions.revoke_all(&ada()).await.unwrap();
        assert_eq!(own.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_21_a_cookie_with_any_bit_flipped_is_refused() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let (name, value) = browser.jar.iter().next().unwrap();
        let calls = count(&rig.store.calls);
        for index in 0..value.len() {
            for bit in 0..8 {
                let mut bytes = value.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let Ok(text) =
                    http::HeaderValue::from_bytes(&[name.as_bytes(), b"=", &bytes].concat())
                else {
                    continue;
                };
                let mut headers = http::HeaderMap::new();
                headers.insert("cookie", text);
                let request = RequestContext::new(&rig.sessions, &headers);
                assert_eq!(greet(&request).await, "401", "{strategy:?} {index} {bit}");
            }
        }
        // Only the opaque strategy has to look.
        let asked = count(&rig.store.calls) - calls;
        assert_eq!(asked > 0, strategy == Strategy::Database, "{strategy:?}");
        assert_eq!(browser.status(&rig).await, 200);
    }
}

#[tokio::test]
async fn sd_04_sl_24_forged_cookies_cost_the_sealed_strategies_no_store_call() {
    for strategy in [Strategy::Hybrid, Strategy::Stateless] {
        let rig = Rig::of(strategy);
        let forger = Rig::of(strategy).beside(key(9), |builder| builder.strategy(strategy));
        for _ in 0..1_000 {
            let forged = Browser::signed_in(&forger, &ada()).await;
            assert_eq!(forged.status(&rig).await, 401);
        }
        assert_eq!(count(&rig.store.calls), 0);
        assert_eq!(count(&rig.members.loads), 0);
    }
}

#[tokio::test]
async fn rf_9_a_cookie_of_one_strategy_is_refused_by_another() {
    for made in STRATEGIES {
        let rig = Rig::of(made);
        let browser = Browser::signed_in(&rig, &ada()).await;
        for other in STRATEGIES {
            let node = rig.beside(key(0), |builder| builder.strategy(other));
            let expected = if made == other { 200 } else { 401 };
            assert_eq!(browser.status(&node).await, expected, "{made:?} {other:?}");
            // A cookie of another name is one of another application.
            let renamed = rig.beside(key(0), |builder| {
                let cookie = clearance::session::CookieConfig::new().name("__Host-other");
                builder.strategy(other).cookie(cookie)
            });
            let mut moved = Browser::default();
            for value in browser.jar.values() {
                moved.jar.insert("__Host-other".to_owned(), value.clone());
            }
            let status = moved.status(&renamed).await;
            let expected = if made == other && made == Strategy::Database {
                200
            } else {
                401
            };
            assert_eq!(status, expected, "{made:?} {other:?}");
        }
    }
}

#[tokio::test]
async fn asvs_11_2_2_a_retired_key_opens_and_a_removed_one_does_not() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let ring = KeyRing::new(key(7)).retired(key(0));
        let changed = rig.beside(ring, |builder| builder.strategy(strategy));
        assert_eq!(browser.status(&changed).await, 200, "{strategy:?}");

        // What is made now needs the new key alone.
        let new = Browser::signed_in(&changed, &ada()).await;
        let removed = rig.beside(key(7), |builder| builder.strategy(strategy));
        assert_eq!(new.status(&removed).await, 200, "{strategy:?}");
        let sealed = strategy != Strategy::Database;
        let expected = if sealed { 401 } else { 200 };
        assert_eq!(browser.status(&removed).await, expected, "{strategy:?}");
        assert_eq!(new.status(&rig).await, expected, "{strategy:?}");
    }
}

#[tokio::test]
async fn rf_6_asvs_16_5_3_an_outage_is_503_and_is_not_remembered() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.store.set_down(true);
        let request = browser.request(&rig);
        for _ in 0..2 {
            assert_eq!(greet(&request).await, "503", "{strategy:?}");
        }
        assert_eq!(request.sign_out().await.unwrap_err().status(), 503);
        assert_eq!(request.rotate_session().await.unwrap_err().status(), 503);
        assert_eq!(request.extend_session().await.unwrap_err().status(), 503);
        assert_eq!(browser.clone().finish(&request), [""; 0]);
        for error in [
            rig.sessions.revoke_all(&ada()).await.unwrap_err(),
            rig.sessions.revoke_everyone().await.unwrap_err(),
        ] {
            assert!(error.is_unavailable());
        }
        rig.store.set_down(false);
        assert_eq!(
            greet(&browser.request(&rig)).await,
            "200 ada",
            "{strategy:?}"
        );
    }
}

#[tokio::test]
async fn rf_2_asvs_7_2_4_a_sign_in_leaves_nothing_of_the_session_before() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut browser = Browser::default();
        let mut ids = std::collections::HashSet::new();
        // Over nobody, the same user, another user.
        for name in ["ada", "ada", "eve"] {
            let before = browser.clone();
            let request = browser.request(&rig);
            let sign_in = clearance::session::SignIn::new(Subject::new(name))
                .claim(format!("of_{name}_{}", ids.len()), name)
                .unwrap();
            assert!(ids.insert(request.sign_in(sign_in).await.unwrap()));
            browser.finish(&request);
            if !before.jar.is_empty() {
                assert_eq!(before.status(&rig).await, 401, "{strategy:?}");
            }
            let request = browser.request(&rig);
            let verified = request.verify_session::<Member>().await.unwrap();
            assert_eq!(verified.viewer().name, name);
            let claims: Vec<_> = verified.claims().iter().map(|(name, _)| name).collect();
            assert_eq!(claims, [format!("of_{name}_{}", ids.len() - 1)]);
            if strategy != Strategy::Stateless {
                let data: Option<String> = kept(&request).await.unwrap();
                assert_eq!(data, None, "{strategy:?}");
                keep(&request, name.to_owned()).await.unwrap();
            }
        }
    }
}

/// In whatever state a user comes, the same call lets them go.
#[tokio::test]
async fn asvs_7_4_4_signing_out_is_one_call_whatever_the_request_came_with() {
    for Place { strategy, rig, .. } in everywhere().await {
        let live = Browser::signed_in(&rig, &ada()).await;
        let over = Browser::signed_in(&rig, &ada()).await;
        over.request(&rig).sign_out().await.unwrap();
        let mut forged = live.clone();
        for value in forged.jar.values_mut() {
            value.push('x');
        }
        for mut browser in [live, over, forged, Browser::default()] {
            let request = browser.request(&rig);
            // From wherever in the program.
            let anywhere = async { RequestContext::current().unwrap().sign_out().await };
            request.scope(anywhere).await.unwrap();
            assert_eq!(browser.finish(&request).len(), 1, "{strategy:?}");
            assert!(browser.jar.is_empty(), "{strategy:?}");
            assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
        }
    }
}

/// A token may say what it said when it was made. What decides is the viewer as it is now.
#[tokio::test]
async fn asvs_8_3_2_a_role_that_changed_holds_in_the_next_check() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let role = async |request: &RequestContext| {
            let verified = request.verify_session::<Member>().await.unwrap();
            verified.viewer().role
        };
        let set = |role| rig.members.roles.lock().unwrap().insert("ada".into(), role);
        let began_before = browser.request(&rig);
        assert_eq!(role(&began_before).await, "viewer");

        // Behind the library: at once where the source is asked, else when the bound has passed.
        set("admin");
        let current = began_before.verify_current::<Member>().await.unwrap();
        assert_eq!(current.viewer().role, "admin", "{strategy:?}");
        rig.clock.advance(5 * SECOND);
        assert_eq!(role(&browser.request(&rig)).await, "admin", "{strategy:?}");

        // Said to the library: everywhere at once.
        set("viewer");
        rig.sessions.viewer_changed(&ada());
        assert_eq!(role(&began_before).await, "viewer", "{strategy:?}");
        assert_eq!(role(&browser.request(&rig)).await, "viewer", "{strategy:?}");
    }
}

#[tokio::test]
async fn rf_3_a_load_that_began_before_a_revocation_is_not_kept() {
    for Place { strategy, rig, .. } in everywhere().await {
        for how in 0..3 {
            let browser = Browser::signed_in(&rig, &ada()).await;
            let gate = rig.store.loaded.arm();
            let (slow, ()) = tokio::join!(browser.status(&rig), async {
                gate.reached().await;
                match how {
                    0 => browser.request(&rig).sign_out().await.unwrap(),
                    1 => drop(rig.sessions.revoke_all(&ada()).await.unwrap()),
                    _ => drop(rig.sessions.revoke_everyone().await.unwrap()),
                }
                gate.open();
            });
            assert_eq!(slow, 401, "{strategy:?} {how}");
            assert_eq!(browser.status(&rig).await, 401, "{strategy:?} {how}");
            rig.clock.advance(SECOND);
        }
    }
}

#[tokio::test]
async fn sd_16_without_the_store_a_cookie_says_as_much_as_its_strategy_lets_it() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let calls = count(&rig.store.calls);
        let optimistic = browser.request(&rig).optimistic().unwrap();
        match (strategy, optimistic) {
            (Strategy::Hybrid, Optimistic::Sealed(sealed)) => {
                assert_eq!(sealed.expires_at(), crate::support::start() + 30 * DAY);
            }
            (Strategy::Stateless, Optimistic::Sealed(sealed)) => {
                assert_eq!(sealed.expires_at(), crate::support::start() + 7 * DAY);
            }
            (Strategy::Database, Optimistic::Present(_)) => {
                assert_eq!(optimistic.expires_at(), None);
                // A cookie of the right shape is all that it is.
                let forged = format!("__Host-session={}", "A".repeat(64));
                let request = RequestContext::new(&rig.sessions, &cookie_header(&forged));
                assert!(matches!(request.optimistic(), Ok(Optimistic::Present(_))));
                assert_eq!(count(&rig.store.calls), calls);
                assert_eq!(greet(&request).await, "401");
            }
            other => panic!("{other:?}"),
        }
        for wrong in ["", "x", &"A".repeat(63), &"A".repeat(65)] {
            let cookie = format!("__Host-session={wrong}");
            let request = RequestContext::new(&rig.sessions, &cookie_header(&cookie));
            assert!(request.optimistic().is_err(), "{strategy:?} {wrong}");
        }
    }
}
