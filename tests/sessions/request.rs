//! One request: its memo and its scope.

use std::sync::atomic::Ordering;

use clearance::testing::{as_nobody, as_viewer};
use clearance::{RequestContext, Subject, in_current_scope, spawn, verify_session};
use futures_util::future::join_all;

use crate::support::{Member, Rig, count};

async fn name() -> clearance::Result<String> {
    Ok(verify_session::<Member>().await?.viewer().name.clone())
}

#[tokio::test]
async fn vs_02_fifty_calls_in_a_request_read_the_store_once() {
    for rig in [Rig::new(), Rig::without_cache()] {
        let device = rig.device("ada").await;
        let context = rig.request(&device.cookie);
        context
            .scope(async {
                for _ in 0..50 {
                    assert_eq!(name().await.unwrap(), "ada");
                }
            })
            .await;
        assert_eq!(count(&rig.store.loads), 1);
        assert_eq!(count(&rig.members.loads), 1);
    }
}

#[tokio::test]
async fn vs_02_a_definite_refusal_is_remembered_for_the_request() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    rig.store
        .inner
        .delete(device.id, &Subject::new("ada"))
        .await
        .unwrap();
    let context = rig.request(&device.cookie);
    for _ in 0..50 {
        assert!(context.verify_session::<Member>().await.is_err());
    }
    assert_eq!(count(&rig.store.loads), 1);
}

#[tokio::test]
async fn vs_03_nothing_of_a_request_is_left_after_it() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    for _ in 0..10 {
        let context = rig.request(&device.cookie);
        context.scope(async { name().await.unwrap() }).await;
        assert_eq!(count(&rig.members.alive), 1);
        drop(context);
        assert_eq!(count(&rig.members.alive), 0);
    }
}

#[tokio::test]
async fn vs_03_a_revoked_session_is_refused_by_the_next_request() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.sessions
        .revoke(&Subject::new("ada"), device.id)
        .await
        .unwrap();
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn vs_04_a_hundred_calls_at_once_in_a_request_load_once() {
    for rig in [Rig::new(), Rig::without_cache()] {
        let device = rig.device("ada").await;
        let gate = rig.store.loaded.arm();
        let names = rig
            .request(&device.cookie)
            .scope(join_all((0..100).map(|_| name())));
        let (names, ()) = tokio::join!(names, async {
            gate.reached().await;
            gate.open();
        });
        assert!(names.into_iter().all(|name| name.unwrap() == "ada"));
        assert_eq!(count(&rig.store.loads), 1);
        assert_eq!(count(&rig.members.loads), 1);
    }
}

#[tokio::test]
async fn vs_04_when_the_first_call_is_dropped_a_waiter_takes_over() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    let gate = rig.store.loaded.arm();
    let first = tokio::spawn(context.scope(name()));
    gate.reached().await;
    let second = tokio::spawn(context.scope(name()));
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap().unwrap(), "ada");
    assert_eq!(count(&rig.store.loads), 2);
}

#[tokio::test]
async fn vs_04_when_the_first_call_panics_a_waiter_takes_over() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    rig.members.panics.store(true, Ordering::SeqCst);
    let gate = rig.members.loaded.arm();
    let first = tokio::spawn(context.scope(name()));
    gate.reached().await;
    let second = tokio::spawn(context.scope(name()));
    gate.open();
    assert!(first.await.unwrap_err().is_panic());
    assert_eq!(second.await.unwrap().unwrap(), "ada");
}

#[tokio::test]
async fn vs_04_rf_6_an_error_is_not_remembered() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    rig.store.set_down(true);
    let errors = join_all((0..10).map(|_| context.verify_session::<Member>())).await;
    assert!(
        errors
            .iter()
            .all(|error| error.as_ref().unwrap_err().is_unavailable())
    );
    rig.store.set_down(false);
    assert!(context.verify_session::<Member>().await.is_ok());
}

#[tokio::test]
async fn rf_13_a_spawned_task_has_no_request_unless_it_inherits_one() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.request(&device.cookie)
        .scope(async {
            let stray = tokio::spawn(name()).await.unwrap();
            assert!(stray.unwrap_err().is_misuse());
            let inherited = spawn(name()).unwrap().await.unwrap();
            assert_eq!(inherited.unwrap(), "ada");
            let bound = tokio::spawn(in_current_scope(name()).unwrap());
            assert_eq!(bound.await.unwrap().unwrap(), "ada");
        })
        .await;
}

#[tokio::test]
async fn rf_13_a_future_keeps_the_request_that_it_is_bound_to() {
    let rig = Rig::new();
    let (ada, eve) = (rig.device("ada").await, rig.device("eve").await);
    let bound = rig
        .request(&ada.cookie)
        .sync_scope(|| in_current_scope(name()).unwrap());
    let seen = rig
        .request(&eve.cookie)
        .scope(async { (bound.await.unwrap(), name().await.unwrap()) })
        .await;
    assert_eq!(seen, ("ada".to_owned(), "eve".to_owned()));
    assert!(RequestContext::current().is_err());
}

#[tokio::test]
async fn vs_18_the_explicit_form_gives_the_same_answer() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    let explicit = context.verify_session::<Member>().await.unwrap();
    let implicit = context.scope(verify_session::<Member>()).await.unwrap();
    assert!(std::ptr::eq(explicit.viewer(), implicit.viewer()));
}

#[tokio::test]
async fn a_given_viewer_is_verified_and_current_and_cannot_sign_in() {
    let member = Member {
        name: "ada".into(),
        role: "admin",
        alive: std::sync::Arc::new(1.into()),
    };
    let context = as_viewer(member);
    assert_eq!(context.scope(name()).await.unwrap(), "ada");
    let current = context.verify_current::<Member>().await.unwrap();
    assert_eq!(current.viewer().role, "admin");
    assert!(
        context
            .sign_in(&Subject::new("eve"))
            .await
            .unwrap_err()
            .is_misuse()
    );
    assert!(context.sign_out().await.unwrap_err().is_misuse());

    let nobody = as_nobody();
    assert_eq!(nobody.scope(name()).await.unwrap_err().status(), 401);
    assert!(
        nobody
            .verify_current::<Member>()
            .await
            .unwrap_err()
            .is_unauthenticated()
    );
    assert!(nobody.optimistic().unwrap_err().is_unauthenticated());
    assert!(
        nobody
            .sign_in(&Subject::new("eve"))
            .await
            .unwrap_err()
            .is_misuse()
    );
}
