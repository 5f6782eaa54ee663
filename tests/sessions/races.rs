//! What happens when things happen at the same time. Tests stop operations at chosen places and
//! never wait for time to pass.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clearance::Subject;
use futures_util::future::join_all;

use crate::support::{MINUTE, Member, Rig, SECOND, count, sqlite_file};

fn ada() -> Subject {
    Subject::new("ada")
}

#[tokio::test]
async fn rf_1_a_touch_after_a_revocation_brings_nothing_back() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        let device = rig.device("ada").await;
        rig.clock.advance(MINUTE);
        let gate = rig.store.before_touch.arm();
        let (slow, ()) = tokio::join!(rig.status(&device.cookie), async {
            gate.reached().await;
            assert!(rig.sessions.revoke(&ada(), device.id).await.unwrap());
            gate.open();
        });
        assert_eq!(slow, 401);
        assert_eq!(rig.status(&device.cookie).await, 401);
        assert!(rig.sessions.list(&ada()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn rf_1_a_session_that_another_node_ends_before_the_touch_is_refused() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.clock.advance(MINUTE);
    let gate = rig.store.before_touch.arm();
    let (slow, ()) = tokio::join!(rig.status(&device.cookie), async {
        gate.reached().await;
        rig.store.inner.delete(device.id, &ada()).await.unwrap();
        gate.open();
    });
    assert_eq!(slow, 401);
}

#[tokio::test]
async fn rf_3_a_load_that_began_before_a_revocation_is_not_kept_after_it() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        for all in [false, true] {
            let device = rig.device("ada").await;
            // The store has answered; its answer is on the way.
            let gate = rig.store.loaded.arm();
            let (slow, ()) = tokio::join!(rig.status(&device.cookie), async {
                gate.reached().await;
                if all {
                    rig.sessions.revoke_all(&ada()).await.unwrap();
                } else {
                    rig.sessions.revoke(&ada(), device.id).await.unwrap();
                }
                gate.open();
            });
            assert_eq!(slow, 401);
            assert_eq!(rig.status(&device.cookie).await, 401);
        }
    }
}

#[tokio::test]
async fn rf_3_a_revocation_while_the_viewer_is_loaded_is_seen() {
    for rig in [Rig::new(), Rig::without_cache()] {
        let device = rig.device("ada").await;
        let gate = rig.members.loaded.arm();
        let (slow, ()) = tokio::join!(rig.status(&device.cookie), async {
            gate.reached().await;
            rig.sessions.revoke(&ada(), device.id).await.unwrap();
            gate.open();
        });
        assert_eq!(slow, 401);
        assert_eq!(rig.status(&device.cookie).await, 401);
    }
}

#[tokio::test]
async fn rf_3_a_viewer_that_changes_while_it_is_loaded_is_loaded_again() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let gate = rig.members.loaded.arm();
    let (verified, ()) = tokio::join!(rig.verify(&device.cookie), async {
        gate.reached().await;
        rig.members
            .roles
            .lock()
            .unwrap()
            .insert("ada".into(), "admin");
        rig.sessions.viewer_changed(&ada());
        gate.open();
    });
    assert_eq!(verified.unwrap().viewer().role, "admin");
    assert_eq!(
        rig.verify(&device.cookie).await.unwrap().viewer().role,
        "admin"
    );
}

#[tokio::test]
async fn rf_3_current_repeats_a_load_that_a_revocation_overtook() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    let gate = rig.store.loaded.arm();
    let (current, ()) = tokio::join!(context.verify_current::<Member>(), async {
        gate.reached().await;
        rig.sessions.revoke(&ada(), device.id).await.unwrap();
        gate.open();
    });
    assert_eq!(current.unwrap_err().status(), 401);
}

#[tokio::test]
async fn rf_3_a_cached_session_is_refused_from_the_revocation_on() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    context.verify_session::<Member>().await.unwrap();
    rig.sessions.revoke(&ada(), device.id).await.unwrap();
    // In the request that knew it already, too.
    assert_eq!(
        context
            .verify_session::<Member>()
            .await
            .unwrap_err()
            .status(),
        401
    );
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn rf_3_a_revocation_whose_caller_gave_up_holds() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);
    // The caller is dropped when the store has removed the row and not yet said so.
    let gate = rig.store.deleted.arm();
    let subject = ada();
    tokio::select! {
        biased;
        _ = rig.sessions.revoke(&subject, device.id) => panic!("the gate is closed"),
        () = gate.reached() => {}
    }
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn vs_04_a_hundred_requests_at_once_share_one_load() {
    let rig = Arc::new(Rig::new());
    let device = rig.device("ada").await;
    let gate = rig.store.loaded.arm();
    let requests = join_all((0..100).map(|_| rig.status(&device.cookie)));
    let (statuses, ()) = tokio::join!(requests, async {
        gate.reached().await;
        gate.open();
    });
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(count(&rig.store.loads), 1);
    assert_eq!(count(&rig.members.loads), 1);
}

#[tokio::test]
async fn vs_04_stale_requests_at_once_share_one_load() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(5 * SECOND);
    let statuses = join_all((0..100).map(|_| rig.status(&device.cookie))).await;
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(count(&rig.store.loads), 2);
}

#[tokio::test]
async fn vs_04_when_the_loading_request_is_dropped_another_takes_over() {
    let rig = Arc::new(Rig::new());
    let device = rig.device("ada").await;
    let gate = rig.store.loaded.arm();
    let first = tokio::spawn({
        let (rig, cookie) = (Arc::clone(&rig), device.cookie.clone());
        async move { rig.status(&cookie).await }
    });
    gate.reached().await;
    let second = tokio::spawn({
        let (rig, cookie) = (Arc::clone(&rig), device.cookie.clone());
        async move { rig.status(&cookie).await }
    });
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap(), 200);
}

#[tokio::test]
async fn vs_04_when_a_load_panics_another_request_takes_over() {
    let rig = Arc::new(Rig::new());
    let device = rig.device("ada").await;
    rig.members.panics.store(true, Ordering::SeqCst);
    let gate = rig.members.loaded.arm();
    let spawn = || {
        let (rig, cookie) = (Arc::clone(&rig), device.cookie.clone());
        tokio::spawn(async move { rig.status(&cookie).await })
    };
    let first = spawn();
    gate.reached().await;
    let second = spawn();
    gate.open();
    assert!(first.await.unwrap_err().is_panic());
    assert_eq!(second.await.unwrap(), 200);
}

/// Two users share one cache of one hundred concurrent requests each, for 10,000 rounds each,
/// while sessions are revoked and viewers change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_5_two_viewers_never_see_each_other() {
    const REQUESTS: usize = 100;
    const ROUNDS: usize = 10_000;

    let rig = Arc::new(Rig::with(|builder| builder.cache_capacity(16)));
    let mut tasks = Vec::new();
    for name in ["ada", "eve"] {
        let device = Arc::new(rig.device(name).await);
        for number in 0..REQUESTS {
            let (rig, device) = (Arc::clone(&rig), Arc::clone(&device));
            tasks.push(tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let verified = rig.verify(&device.cookie).await.unwrap();
                    assert_eq!(verified.viewer().name, name);
                    assert_eq!(verified.session_id(), device.id);
                    match (number + round) % 50 {
                        0 => rig.sessions.viewer_changed(&Subject::new(name)),
                        1 => rig.clock.advance(SECOND / 100),
                        _ => tokio::task::yield_now().await,
                    }
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn rf_6_a_store_that_dies_in_the_middle_of_a_request_leaves_nothing_behind() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.clock.advance(MINUTE);
    // The session is read, and then the source of viewers is gone.
    let gate = rig.store.loaded.arm();
    let (slow, ()) = tokio::join!(rig.status(&device.cookie), async {
        gate.reached().await;
        rig.store.set_down(true);
        rig.members.down.store(true, Ordering::SeqCst);
        gate.open();
    });
    assert_eq!(slow, 503);
    assert_eq!(rig.status(&device.cookie).await, 503);
    rig.members.down.store(false, Ordering::SeqCst);
    rig.store.set_down(false);
    assert_eq!(rig.status(&device.cookie).await, 200);
}
