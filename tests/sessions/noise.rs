//! What the sessions of others do to one: 256 groups of subjects share what makes a revocation hold.

use std::time::Duration;

use clearance::session::{Freshness, Strategy};
use clearance::{RequestContext, SessionId, Subject};

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig, STRATEGIES, count};

fn ada() -> Subject {
    Subject::new("ada")
}

/// Somebody else in the same group as `ada`: what of theirs ends has hers loaded again.
async fn neighbour() -> Subject {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);
    for number in 0..100_000 {
        let (other, loads) = (
            Subject::new(format!("eve {number}")),
            count(&rig.store.loads),
        );
        rig.sessions.viewer_changed(&other);
        assert_eq!(rig.status(&device.cookie).await, 200);
        if count(&rig.store.loads) > loads {
            return other;
        }
    }
    panic!("256 groups, and nobody shares one");
}

async fn rigs() -> Vec<(Strategy, Rig)> {
    let mut rigs = Vec::new();
    for strategy in STRATEGIES {
        for bound in [Duration::ZERO, 5 * MINUTE] {
            let rig = Rig::with(|builder| builder.strategy(strategy).cache_bound(bound));
            rigs.push((strategy, rig));
        }
    }
    rigs
}

/// Has the whole group change a thousand times whenever the store was asked.
fn make_noise(rig: &Rig, neighbour: &Subject) {
    let (sessions, neighbour) = (rig.sessions.clone(), neighbour.clone());
    rig.store.set_noise(move || {
        for _ in 0..1_000 {
            sessions.viewer_changed(&neighbour);
        }
    });
}

#[tokio::test]
async fn av_31_a_thousand_revocations_of_others_between_each_step_refuse_nobody() {
    let neighbour = neighbour().await;
    for (strategy, rig) in rigs().await {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        make_noise(&rig, &neighbour);
        for _ in 0..3 {
            assert_eq!(browser.visit(&rig).await, 200, "{strategy:?}");
        }
        let request = browser.request(&rig);
        // A request that goes on does so however often it asks.
        for _ in 0..3 {
            let verified = request.verify_session::<Member>().await.unwrap();
            assert_eq!(verified.viewer().name, "ada");
            request.verify_current::<Member>().await.unwrap();
        }
        assert_eq!(request.subject_to_prove().await.unwrap(), ada());
        request.extend_session().await.unwrap();
        browser.finish(&request);
        let request = browser.request(&rig);
        request.rotate_session().await.unwrap();
        let old = browser.clone();
        browser.finish(&request);
        assert_eq!(old.status(&rig).await, 401, "{strategy:?}");
        assert_eq!(browser.visit(&rig).await, 200, "{strategy:?}");
        browser.request(&rig).sign_out().await.unwrap();
        assert_eq!(browser.visit(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn av_31_rf_3_no_revoked_session_is_answered_meanwhile() {
    let neighbour = neighbour().await;
    for (strategy, rig) in rigs().await {
        // The session ends before the first, the second and the last time that the store is asked.
        for asked in 0..3 {
            let browser = Browser::signed_in(&rig, &ada()).await;
            assert_eq!(browser.status(&rig).await, 200);
            make_noise(&rig, &neighbour);
            let held = browser.request(&rig);
            held.verify_session::<Member>().await.unwrap();
            rig.sessions.viewer_changed(&ada());
            let gate = rig.store.loaded.arm_after(asked);
            let (_overtaken, ()) = tokio::join!(browser.status(&rig), async {
                gate.reached().await;
                rig.sessions.revoke_all(&ada()).await.unwrap();
                gate.open();
            });
            // Whoever asks from now on, also in a request that had found it.
            let error = held.verify_session::<Member>().await.unwrap_err();
            assert_eq!(error.status(), 401, "{strategy:?} {asked}");
            assert_eq!(browser.status(&rig).await, 401, "{strategy:?} {asked}");
            rig.store.silence();
            assert_eq!(browser.status(&rig).await, 401, "{strategy:?} {asked}");
            // Stateless sessions that begin in the same instant would be over, too.
            rig.clock.advance(MINUTE);
        }
    }
}

#[tokio::test]
async fn rf_41_what_ends_nothing_has_nobody_loaded_again() {
    let neighbour = neighbour().await;
    for strategy in STRATEGIES {
        let rig = Rig::with(|builder| builder.strategy(strategy).cache_bound(5 * MINUTE));
        let ada_browser = Browser::signed_in(&rig, &ada()).await;
        let mut eve = Browser::signed_in(&rig, &neighbour).await;
        let dead = Browser::signed_in(&rig, &neighbour).await;
        let request = dead.request(&rig);
        let ended = request.verify_session::<Member>().await.unwrap();
        rig.sessions
            .revoke(&neighbour, ended.session_id())
            .await
            .unwrap();
        assert_eq!(ada_browser.status(&rig).await, 200);
        let loads = || count(&rig.store.loads);

        let nothing_was_loaded = async |what: &str| {
            let before = loads();
            assert_eq!(ada_browser.status(&rig).await, 200);
            assert_eq!(loads(), before, "{strategy:?}: {what}");
        };
        let request = eve.request(&rig);
        request.extend_session().await.unwrap();
        eve.finish(&request);
        nothing_was_loaded("a session that is extended").await;
        let stored = strategy != Strategy::Stateless;
        if stored {
            let nobodys = SessionId::from_bytes([7; 16]);
            assert!(!rig.sessions.revoke(&neighbour, nobodys).await.unwrap());
            nothing_was_loaded("an id that nobody has").await;
            let request = eve.request(&rig);
            let proof = request.verify_fresh::<Member>(Freshness::within(MINUTE));
            let proof = proof.await.unwrap();
            assert_eq!(request.revoke_other_sessions(&proof).await.unwrap(), 0);
            nothing_was_loaded("no other sessions").await;
        }
        let again = rig.sessions.revoke(&neighbour, ended.session_id()).await;
        assert!(!again.unwrap());
        nothing_was_loaded("a session that ended before").await;
        let request = dead.request(&rig);
        assert_eq!(request.rotate_session().await.unwrap_err().status(), 401);
        request.sign_out().await.unwrap();
        nothing_was_loaded("whoever has no session").await;
        lose_a_rotation(&rig, &mut eve).await;
        let (before, request) = (loads(), eve.request(&rig));
        assert_eq!(ada_browser.status(&rig).await, 200);
        assert_eq!(loads(), before + 1, "for the one that went on");

        // What ends has its whole group loaded again, once.
        request.sign_out().await.unwrap();
        let before = loads();
        for _ in 0..3 {
            assert_eq!(ada_browser.status(&rig).await, 200);
        }
        assert_eq!(loads(), before + 1, "{strategy:?}");
    }
}

/// Two put a session under a new id at once, and the second one comes too late.
async fn lose_a_rotation(rig: &Rig, browser: &mut Browser) {
    let (one, other): (RequestContext, RequestContext) =
        (browser.request(rig), browser.request(rig));
    for request in [&one, &other] {
        request.verify_session::<Member>().await.unwrap();
    }
    let gate = rig.store.loaded.arm();
    let (first, second) = tokio::join!(one.rotate_session(), async {
        gate.reached().await;
        let second = other.rotate_session().await;
        gate.open();
        second
    });
    assert_eq!(first.unwrap_err().status(), 401);
    second.unwrap();
    browser.finish(&other);
}
