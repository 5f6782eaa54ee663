//! The list of the devices that are signed in, and ending one of them.

use std::net::{IpAddr, Ipv4Addr};

use clearance::session::{Assurance, Fresh, Freshness, SignIn, Strategy};
use clearance::{RequestContext, Subject};
use http::{HeaderMap, HeaderValue};

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig, sqlite_file, start};

const STORED: [Strategy; 2] = [Strategy::Hybrid, Strategy::Database];

fn ada() -> Subject {
    Subject::new("ada")
}

async fn fresh(request: &RequestContext) -> Fresh<Member> {
    let within = Freshness::within(60 * MINUTE);
    request.verify_fresh::<Member>(within).await.unwrap()
}

/// Signs in with this program, from this address.
async fn signed_in(rig: &Rig, agent: &[u8], address: Option<IpAddr>) -> Browser {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_bytes(agent).unwrap());
    let request = match address {
        Some(address) => RequestContext::from_address(&rig.sessions, &headers, address),
        None => RequestContext::new(&rig.sessions, &headers),
    };
    let sign_in = SignIn::new(ada())
        .assurance(Assurance::Aal2)
        .remember(false);
    request.sign_in(sign_in).await.unwrap();
    let mut browser = Browser::default();
    browser.finish(&request);
    browser
}

#[tokio::test]
async fn sd_08_asvs_7_5_2_the_list_tells_the_devices_apart() {
    let (_directory, db) = sqlite_file().await;
    for strategy in STORED {
        for rig in [
            Rig::of(strategy),
            Rig::over(db.session_store(), |builder| builder.strategy(strategy)),
        ] {
            let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
            let phone = signed_in(&rig, b"Phone/1.0", Some(address)).await;
            rig.clock.advance(MINUTE);
            let desk = signed_in(&rig, b"Desk/2.0", Some("2001:db8::1".parse().unwrap())).await;
            Browser::signed_in(&rig, &Subject::new("eve")).await;
            rig.clock.advance(MINUTE);

            let request = phone.request(&rig);
            let listed = request.list_sessions(&fresh(&request).await).await.unwrap();
            let shown: Vec<_> = listed
                .iter()
                .map(|info| (info.agent(), info.address(), info.is_current()))
                .collect();
            assert_eq!(
                shown,
                [
                    (
                        Some("Desk/2.0"),
                        Some("2001:db8::1".parse().unwrap()),
                        false
                    ),
                    (Some("Phone/1.0"), Some(address), true),
                ]
            );
            let phone_info = &listed[1];
            assert_eq!(phone_info.created_at(), start());
            assert_eq!(phone_info.authenticated_at(), start());
            assert_eq!(phone_info.assurance(), Assurance::Aal2);
            assert!(!phone_info.is_persistent());
            assert_eq!(
                phone_info.last_seen_at(),
                start() + chrono::TimeDelta::minutes(2),
                "the request that asked is its last use"
            );

            // Outside of a request none is the current one.
            let listed = rig.sessions.list(&ada()).await.unwrap();
            assert!(listed.iter().all(|info| !info.is_current()));

            let proof = fresh(&request).await;
            let other = listed[0].id();
            assert!(request.revoke_session(&proof, other).await.unwrap());
            assert_eq!(desk.status(&rig).await, 401);
            assert_eq!(phone.status(&rig).await, 200);
            assert!(!request.revoke_session(&proof, other).await.unwrap());
            rig.sessions.revoke_everyone().await.unwrap();
        }
    }
}

#[tokio::test]
async fn asvs_7_5_2_nobody_ends_the_session_of_another_by_its_id() {
    for strategy in crate::support::STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        let id = request
            .verify_session::<Member>()
            .await
            .unwrap()
            .session_id();
        let eve = Browser::signed_in(&rig, &Subject::new("eve")).await;
        let request = eve.request(&rig);
        let _whatever_it_says = request
            .revoke_session(&fresh(&request).await, id)
            .await
            .unwrap();
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
        let node = rig.beside(crate::support::key(0), |builder| builder.strategy(strategy));
        assert_eq!(browser.status(&node).await, 200, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_5_2_a_session_that_ends_itself_by_its_id_is_over_in_its_own_request() {
    for strategy in crate::support::STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        let proof = fresh(&request).await;
        let ended = request.revoke_session(&proof, proof.session_id()).await;
        assert!(ended.unwrap());
        let error = request.verify_session::<Member>().await.unwrap_err();
        assert!(error.is_unauthenticated());
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_5_2_the_others_are_ended_by_a_proof_of_this_session_only() {
    for strategy in crate::support::STRATEGIES {
        let rig = Rig::of(strategy);
        let one = Browser::signed_in(&rig, &ada()).await;
        let two = Browser::signed_in(&rig, &ada()).await;
        let proof = fresh(&one.request(&rig)).await;
        let error = two.request(&rig).revoke_other_sessions(&proof).await;
        assert!(error.unwrap_err().is_misuse());
        assert_eq!(one.status(&rig).await, 200);
        assert_eq!(two.status(&rig).await, 200);
    }
}

#[tokio::test]
async fn sd_08_what_a_program_says_of_itself_is_cut_and_cleaned() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        for (agent, shown) in [
            (b"a\tb\xc2\x85c".to_vec(), "abc".to_owned()),
            (vec![b'x'; 10_240], "x".repeat(255)),
            ("ü".repeat(300).into_bytes(), "ü".repeat(255)),
            (b"\xff\xfeok".to_vec(), "\u{fffd}\u{fffd}ok".to_owned()),
            // What turns the direction of writing, and what is not seen.
            (
                "a\u{202e}b\u{2066}c\u{200f}d\u{61c}".into(),
                "abcd".to_owned(),
            ),
            ("e\u{301}\u{200b}f".into(), "e\u{301}f".to_owned()),
            (Vec::new(), String::new()),
        ] {
            let browser = signed_in(&rig, &agent, None).await;
            assert_eq!(browser.status(&rig).await, 200);
            let listed = rig.sessions.list(&ada()).await.unwrap();
            assert_eq!(listed[0].agent(), Some(&*shown));
            assert_eq!(listed[0].address(), None);
            rig.sessions.revoke_all(&ada()).await.unwrap();
        }
    }
}

/// What each call that takes a proof says: that it did what it was for, or the status of the refusal.
async fn uses(request: &RequestContext, proof: &Fresh<Member>, stored: bool) -> Vec<u16> {
    let elsewhere = clearance::SessionId::from_bytes([7; 16]);
    let status = |refused: Option<clearance::Error>| refused.map_or(200, |error| error.status());
    let mut answers = vec![
        status(request.revoke_session(proof, elsewhere).await.err()),
        status(request.revoke_other_sessions(proof).await.err()),
    ];
    if stored {
        answers.push(status(request.list_sessions(proof).await.err()));
    }
    answers
}

#[tokio::test]
async fn sd_61_a_proof_that_is_held_does_nothing_when_its_time_is_over() {
    for strategy in crate::support::STRATEGIES {
        let stored = strategy != Strategy::Stateless;
        for way in 0..6 {
            let rig = Rig::of(strategy);
            let browser = Browser::signed_in(&rig, &ada()).await;
            let other = Browser::signed_in(&rig, &ada()).await;
            let request = browser.request(&rig);
            let proof = fresh(&request).await;
            let expected = match way {
                0 => {
                    request.sign_out().await.unwrap();
                    401
                }
                1 => {
                    // By another node, of which this one hears nothing.
                    let node =
                        rig.beside(crate::support::key(0), |builder| builder.strategy(strategy));
                    browser.request(&node).sign_out().await.unwrap();
                    401
                }
                2 => {
                    request.rotate_session().await.unwrap();
                    401
                }
                3 => {
                    request.sign_in(&Subject::new("eve")).await.unwrap();
                    401
                }
                4 => {
                    // It is as old as it may be, and then older.
                    rig.clock.advance(60 * MINUTE);
                    assert!(request.revoke_session(&proof, other_id()).await.is_ok());
                    rig.clock.advance(crate::support::SECOND);
                    401
                }
                _ => {
                    rig.members.gone.lock().unwrap().push("ada".to_owned());
                    401
                }
            };
            let answers = uses(&request, &proof, stored).await;
            assert!(
                answers.iter().all(|status| *status == expected),
                "{strategy:?} {way}: {answers:?}"
            );
            if way != 5 {
                assert_eq!(other.status(&rig).await, 200, "{strategy:?} {way}");
            }
        }
    }
}

fn other_id() -> clearance::SessionId {
    clearance::SessionId::from_bytes([9; 16])
}

#[tokio::test]
async fn sd_61_a_proof_is_good_in_its_own_request_as_long_as_it_is_fresh() {
    for strategy in crate::support::STRATEGIES {
        let stored = strategy != Strategy::Stateless;
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        let proof = fresh(&request).await;
        // Of the same session, and of another one of the same subject.
        let again = Browser::signed_in(&rig, &ada()).await;
        for elsewhere in [
            &browser.request(&rig),
            &request.fork(),
            &again.request(&rig),
        ] {
            let answers = uses(elsewhere, &proof, stored).await;
            assert!(answers.iter().all(|status| *status == 500), "{answers:?}");
        }
        assert_eq!(again.status(&rig).await, 200);
        // As often as it takes.
        if stored {
            for _ in 0..2 {
                assert_eq!(uses(&request, &proof, stored).await, [200, 200, 200]);
            }
        } else {
            assert!(request.revoke_session(&proof, other_id()).await.is_ok());
            assert!(request.revoke_other_sessions(&proof).await.is_ok());
        }
        assert_eq!(again.status(&rig).await, 401, "{strategy:?}");
        // When its request is gone, nothing is left that it would be good for.
        drop(request);
        let answers = uses(&browser.request(&rig), &proof, stored).await;
        assert!(answers.iter().all(|status| *status == 500));
    }
}
