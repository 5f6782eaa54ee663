//! A session that goes on under a new id.

use std::time::Duration;

use clearance::session::{Assurance, Strategy};
use clearance::{RequestContext, Subject};

use crate::browser::Browser;
use crate::support::{DAY, MINUTE, Member, Rig, SECOND, STRATEGIES, keep, kept, start};

fn ada() -> Subject {
    Subject::new("ada")
}

#[tokio::test]
async fn asvs_7_2_4_a_new_id_ends_the_old_cookie_and_keeps_the_session() {
    for strategy in STRATEGIES {
        for bound in [Duration::ZERO, 5 * MINUTE] {
            let rig = Rig::with(|builder| builder.strategy(strategy).cache_bound(bound));
            let mut browser = Browser::signed_in(&rig, &ada()).await;
            let request = browser.request(&rig);
            let before = request.verify_session::<Member>().await.unwrap();
            if strategy != Strategy::Stateless {
                keep(&request, vec![1_u8, 2, 3]).await.unwrap();
            }
            rig.clock.advance(DAY);
            assert_eq!(browser.visit(&rig).await, 200);
            let old = browser.clone();

            let request = browser.request(&rig);
            request.verify_session::<Member>().await.unwrap();
            let id = request.rotate_session().await.unwrap();
            assert_ne!(id, before.session_id());
            // This request goes on with the new one.
            let after = request.verify_session::<Member>().await.unwrap();
            assert_eq!(after.session_id(), id);
            assert_eq!(browser.finish(&request).len(), 1);

            assert_eq!(old.status(&rig).await, 401, "{strategy:?} {bound:?}");
            let request = browser.request(&rig);
            let after = request.verify_current::<Member>().await.unwrap();
            assert_eq!(after.session_id(), id);
            assert_eq!(after.expires_at(), before.expires_at());
            assert_eq!(after.created_at(), before.created_at());
            assert_eq!(after.authenticated_at(), before.authenticated_at());
            if strategy != Strategy::Stateless {
                let data: Option<Vec<u8>> = kept(&request).await.unwrap();
                assert_eq!(data, Some(vec![1, 2, 3]), "{strategy:?}");
                assert_eq!(rig.sessions.list(&ada()).await.unwrap().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn asvs_7_2_4_a_new_id_does_not_move_the_idle_limit() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        // Within the touch interval, so that its use is not noted.
        rig.clock.advance(30 * SECOND);
        let request = browser.request(&rig);
        request.rotate_session().await.unwrap();
        browser.finish(&request);
        rig.clock.advance(7 * DAY - 20 * SECOND);
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_2_4_without_a_session_there_is_no_new_id() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let stranger: RequestContext = Browser::default().request(&rig);
        let error = stranger.rotate_session().await.unwrap_err();
        assert!(error.is_unauthenticated());
        browser.request(&rig).sign_out().await.unwrap();
        let request = browser.request(&rig);
        let error = request.step_up(&ada(), Assurance::Aal3).await.unwrap_err();
        assert!(error.is_unauthenticated());
        browser.finish(&request);
        assert!(browser.jar.is_empty());
    }
}

#[tokio::test]
async fn rf_1_of_two_new_ids_at_once_one_lives() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let (one, other) = (browser.request(&rig), browser.request(&rig));
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
        assert_eq!(first.unwrap_err().status(), 401, "{strategy:?}");
        second.unwrap();
        let mut lost = browser.clone();
        lost.finish(&one);
        assert_eq!(lost.status(&rig).await, 401, "{strategy:?}");
        let mut won = browser.clone();
        won.finish(&other);
        assert_eq!(won.status(&rig).await, 200, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_2_4_a_step_up_notes_when_and_how_well_it_was_proved() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.advance(DAY);
        let old = browser.clone();
        let request = browser.request(&rig);
        request.step_up(&ada(), Assurance::Aal2).await.unwrap();
        browser.finish(&request);
        assert_eq!(old.status(&rig).await, 401, "{strategy:?}");
        let request = browser.request(&rig);
        let verified = request.verify_session::<Member>().await.unwrap();
        assert_eq!(verified.authenticated_at(), start() + DAY);
        assert_eq!(verified.created_at(), start());
        assert_eq!(verified.assurance(), Assurance::Aal2);
        assert_eq!(verified.expires_at(), start() + 30 * DAY);
    }
}
