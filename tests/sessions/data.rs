//! What an application keeps with a session.

use clearance::Subject;
use clearance::session::Strategy;

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig, SECOND, sqlite_file};

fn ada() -> Subject {
    Subject::new("ada")
}

async fn rigs() -> (tempfile::TempDir, Vec<Rig>) {
    let (directory, db) = sqlite_file().await;
    let mut rigs = Vec::new();
    for strategy in [Strategy::Hybrid, Strategy::Database] {
        rigs.push(Rig::of(strategy));
        rigs.push(Rig::over(db.session_store(), |builder| {
            builder.strategy(strategy)
        }));
    }
    (directory, rigs)
}

#[tokio::test]
async fn sd_10_a_mebibyte_comes_back_as_it_was() {
    let (_directory, rigs) = rigs().await;
    for rig in rigs {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let basket: String = ('a'..='z').cycle().take(1 << 20).collect();
        let request = browser.request(&rig);
        assert_eq!(request.session_data::<String>().await.unwrap(), None);
        request.set_session_data(&basket).await.unwrap();
        let kept: Option<String> = browser.request(&rig).session_data().await.unwrap();
        assert!(kept.as_ref() == Some(&basket));
        request.set_session_data(&"short").await.unwrap();
        let kept: Option<String> = browser.request(&rig).session_data().await.unwrap();
        assert_eq!(kept.as_deref(), Some("short"));
        let other: clearance::Result<Option<u8>> = browser.request(&rig).session_data().await;
        assert_eq!(other.unwrap_err().status(), 500);
        request.clear_session_data().await.unwrap();
        let kept: Option<String> = browser.request(&rig).session_data().await.unwrap();
        assert_eq!(kept, None);
    }
}

#[tokio::test]
async fn sd_10_data_end_with_their_session_and_are_nobody_elses() {
    let (_directory, rigs) = rigs().await;
    for rig in rigs {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let second = Browser::signed_in(&rig, &ada()).await;
        let eve = Browser::signed_in(&rig, &Subject::new("eve")).await;
        let request = browser.request(&rig);
        request.set_session_data(&"of ada").await.unwrap();
        for other in [&second, &eve] {
            let data: Option<String> = other.request(&rig).session_data().await.unwrap();
            assert_eq!(data, None);
        }
        let copied = browser.clone();
        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        let data = request.session_data::<String>().await;
        assert!(data.unwrap_err().is_unauthenticated());
        browser.finish(&request);
        for browser in [&browser, &copied, &Browser::default()] {
            let request = browser.request(&rig);
            let data = request.session_data::<String>().await;
            assert!(data.unwrap_err().is_unauthenticated());
            let data = request.set_session_data(&"of nobody").await;
            assert!(data.unwrap_err().is_unauthenticated());
        }
    }
}

#[tokio::test]
async fn sd_10_data_of_a_session_past_its_time_are_not_there() {
    let (_directory, rigs) = rigs().await;
    for rig in rigs {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        request.set_session_data(&"kept").await.unwrap();
        rig.clock.advance(7 * 24 * 60 * MINUTE);
        let request = browser.request(&rig);
        let data = request.session_data::<String>().await;
        assert!(data.unwrap_err().is_unauthenticated());
        rig.clock.set(crate::support::start());
    }
}

#[tokio::test]
async fn rf_1_sd_10_data_that_come_after_the_revocation_bring_nothing_back() {
    let (_directory, rigs) = rigs().await;
    for rig in rigs {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let slow = browser.request(&rig);
        let gate = rig.store.before_set_data.arm();
        let (kept, ()) = tokio::join!(slow.set_session_data(&"late"), async {
            gate.reached().await;
            rig.sessions.revoke_all(&ada()).await.unwrap();
            gate.open();
        });
        assert!(kept.unwrap_err().is_unauthenticated());
        assert!(rig.sessions.list(&ada()).await.unwrap().is_empty());
        assert_eq!(browser.status(&rig).await, 401);
        rig.clock.advance(SECOND);
        let new = Browser::signed_in(&rig, &ada()).await;
        let request = new.request(&rig);
        assert_eq!(request.session_data::<String>().await.unwrap(), None);
        request.verify_session::<Member>().await.unwrap();
    }
}
