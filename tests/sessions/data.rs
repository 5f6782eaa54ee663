//! What an application keeps with a session.

use clearance::Subject;
use clearance::session::Strategy;

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig, SECOND, keep, kept, sqlite_file};

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
        let mut data = request.session_data::<String>().await.unwrap();
        assert_eq!(*data, None);
        *data = Some(basket.clone());
        request.set_session_data(&mut data).await.unwrap();
        let there: Option<String> = kept(&browser.request(&rig)).await.unwrap();
        assert!(there.as_ref() == Some(&basket));
        // What was set is changed and set again.
        *data = Some("short".to_owned());
        request.set_session_data(&mut data).await.unwrap();
        let there: Option<String> = kept(&browser.request(&rig)).await.unwrap();
        assert_eq!(there.as_deref(), Some("short"));
        assert!(!format!("{data:?}").contains("short"));
        let other = kept::<u8>(&browser.request(&rig)).await;
        assert_eq!(other.unwrap_err().status(), 500);
        for clears in [true, false] {
            if clears {
                request.clear_session_data().await.unwrap();
            } else {
                keep(&request, "again".to_owned()).await.unwrap();
                let mut data = request.session_data::<String>().await.unwrap();
                *data = None;
                request.set_session_data(&mut data).await.unwrap();
            }
            let there: Option<String> = kept(&browser.request(&rig)).await.unwrap();
            assert_eq!(there, None);
        }
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
        keep(&request, "of ada".to_owned()).await.unwrap();
        let mut of_ada = request.session_data::<String>().await.unwrap();
        for other in [&second, &eve] {
            let data: Option<String> = kept(&other.request(&rig)).await.unwrap();
            assert_eq!(data, None);
            let set = other.request(&rig).set_session_data(&mut of_ada).await;
            assert!(
                set.unwrap_err().is_conflict(),
                "they are of another session"
            );
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
            let data = request.set_session_data(&mut of_ada).await;
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
        keep(&request, "kept".to_owned()).await.unwrap();
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
        let mut data = slow.session_data::<String>().await.unwrap();
        *data = Some("late".to_owned());
        let gate = rig.store.before_set_data.arm();
        let (kept, ()) = tokio::join!(slow.set_session_data(&mut data), async {
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
        assert_eq!(*request.session_data::<String>().await.unwrap(), None);
        request.verify_session::<Member>().await.unwrap();
    }
}

#[tokio::test]
async fn sd_64_of_two_requests_that_change_the_same_data_one_is_told() {
    let (_directory, rigs) = rigs().await;
    for rig in rigs {
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let (one, other) = (browser.request(&rig), browser.request(&rig));
        let mut first = one.session_data::<Vec<u8>>().await.unwrap();
        let mut second = other.session_data::<Vec<u8>>().await.unwrap();
        first.get_or_insert_default().push(1);
        second.get_or_insert_default().push(2);
        one.set_session_data(&mut first).await.unwrap();
        for _ in 0..2 {
            let error = other.set_session_data(&mut second).await.unwrap_err();
            assert!(error.is_conflict());
            assert_eq!(error.status(), 409);
            assert_eq!(kept(&one).await.unwrap(), Some(vec![1_u8]));
        }
        // Neither is it removed without a word.
        *second = None;
        let error = other.set_session_data(&mut second).await.unwrap_err();
        assert!(error.is_conflict());
        // Who reads again goes on from what is there.
        let mut second = other.session_data::<Vec<u8>>().await.unwrap();
        second.get_or_insert_default().push(2);
        other.set_session_data(&mut second).await.unwrap();
        assert_eq!(kept(&one).await.unwrap(), Some(vec![1_u8, 2]));
        assert!(
            one.set_session_data(&mut first)
                .await
                .unwrap_err()
                .is_conflict()
        );

        // What was removed meanwhile does not come back, and neither does what was there before.
        let mut before = one.session_data::<Vec<u8>>().await.unwrap();
        other.clear_session_data().await.unwrap();
        assert!(
            one.set_session_data(&mut before)
                .await
                .unwrap_err()
                .is_conflict()
        );
        keep(&other, vec![1_u8, 2]).await.unwrap();
        assert!(
            one.set_session_data(&mut before)
                .await
                .unwrap_err()
                .is_conflict()
        );

        // They go with the session under its new id, and not into the next one.
        let request = browser.request(&rig);
        let mut data = request.session_data::<Vec<u8>>().await.unwrap();
        request.rotate_session().await.unwrap();
        data.get_or_insert_default().push(3);
        request.set_session_data(&mut data).await.unwrap();
        browser.finish(&request);
        rig.clock.advance(SECOND);
        let request = browser.request(&rig);
        let mut of_the_first = request.session_data::<Vec<u8>>().await.unwrap();
        assert_eq!(*of_the_first, Some(vec![1, 2, 3]));
        request.sign_in(&ada()).await.unwrap();
        let error = request
            .set_session_data(&mut of_the_first)
            .await
            .unwrap_err();
        assert!(error.is_conflict());
        assert_eq!(kept::<Vec<u8>>(&request).await.unwrap(), None);
        // However often each was changed, they are two.
        let mut of_none = request.session_data::<Vec<u8>>().await.unwrap();
        of_none.get_or_insert_default().push(4);
        rig.clock.advance(SECOND);
        request.sign_in(&ada()).await.unwrap();
        let error = request.set_session_data(&mut of_none).await.unwrap_err();
        assert!(error.is_conflict());
    }
}

#[tokio::test]
async fn sd_64_of_many_changes_at_once_none_is_lost() {
    const AT_ONCE: usize = 8;

    let (_directory, rigs) = rigs().await;
    for rig in rigs {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let add = async |number: usize| {
            let request = browser.request(&rig);
            loop {
                let mut data = request.session_data::<Vec<usize>>().await.unwrap();
                data.get_or_insert_default().push(number);
                match request.set_session_data(&mut data).await {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        };
        futures_util::future::join_all((0..AT_ONCE).map(add)).await;
        let mut there: Vec<usize> = kept(&browser.request(&rig)).await.unwrap().unwrap();
        there.sort_unstable();
        assert_eq!(there, (0..AT_ONCE).collect::<Vec<_>>());
    }
}
