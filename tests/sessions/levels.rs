//! Optimistic, verified, current: what each level asks, and what each outcome is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use clearance::session::{Lifetime, SessionStore as _};
use clearance::{RequestContext, Subject, Verified, Viewer, verify_session};

use crate::support::{DAY, MINUTE, Member, Rig, SECOND, count, sqlite_file, start};

/// A subject that an id of a session does not happen to hold, as it now and then does `ada`.
const NAME: &str = "grace-hopper";

struct Stranger;

impl Viewer for Stranger {
    fn subject(&self) -> Subject {
        Subject::new("stranger")
    }
}

#[tokio::test]
async fn vs_01_a_valid_session_gives_its_viewer() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let verified = rig.verify(&device.cookie).await.unwrap();
    assert_eq!(verified.viewer().name, "ada");
    assert_eq!(verified.session_id(), device.id);
    assert_eq!(verified.authenticated_at(), start());
    assert_eq!(verified.expires_at(), start() + chrono::TimeDelta::days(30));
}

#[tokio::test]
async fn vs_01_another_viewer_type_is_misuse() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    assert!(
        context
            .verify_session::<Stranger>()
            .await
            .unwrap_err()
            .is_misuse()
    );
    assert!(
        context
            .verify_current::<Stranger>()
            .await
            .unwrap_err()
            .is_misuse()
    );
    let inside = context.scope(verify_session::<Stranger>()).await;
    assert!(inside.unwrap_err().is_misuse());
}

#[tokio::test]
async fn vs_05_outside_of_a_request_there_is_nobody() {
    let error = verify_session::<Member>().await.unwrap_err();
    assert!(error.is_misuse());
    assert!(error.to_string().contains("context.scope"), "{error}");
    assert!(RequestContext::current().unwrap_err().is_misuse());
    assert!(clearance::spawn(async {}).unwrap_err().is_misuse());
}

#[tokio::test]
async fn vs_01_a_subject_without_viewer_is_refused() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.members.gone.lock().unwrap().push("ada".into());
    assert_eq!(rig.status(&device.cookie).await, 401);
    // It is back: the refusal must not outlive the notice.
    rig.members.gone.lock().unwrap().clear();
    rig.sessions.viewer_changed(&Subject::new("ada"));
    assert_eq!(rig.status(&device.cookie).await, 200);
}

#[tokio::test]
async fn vs_01_a_viewer_of_another_subject_is_an_error() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.members.wrong.store(true, Ordering::SeqCst);
    assert_eq!(rig.status(&device.cookie).await, 500);
}

#[tokio::test]
async fn sd_06_current_sees_a_row_deleted_behind_the_library_verified_within_the_bound() {
    let (_directory, db) = sqlite_file().await;
    let rig = Rig::over(db.session_store(), |builder| {
        builder.cache_bound(5 * SECOND)
    });
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);

    let behind = db.session_store();
    behind
        .delete(device.id, &Subject::new("ada"))
        .await
        .unwrap();
    rig.clock.advance(5 * SECOND - Duration::from_micros(1));
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(Duration::from_micros(1));
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn sd_06_current_refuses_at_once_and_verified_learns_of_it() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    context.verify_session::<Member>().await.unwrap();
    let loads = count(&rig.store.loads);
    context.verify_current::<Member>().await.unwrap();
    context.verify_current::<Member>().await.unwrap();
    assert_eq!(count(&rig.store.loads), loads + 2);
    assert_eq!(count(&rig.members.loads), 3);

    rig.store
        .inner
        .delete(device.id, &Subject::new("ada"))
        .await
        .unwrap();
    let refused = context.verify_current::<Member>().await.unwrap_err();
    assert_eq!(refused.status(), 401);
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
async fn sd_06_without_a_cache_a_deleted_row_is_refused_at_once() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.store
        .inner
        .delete(device.id, &Subject::new("ada"))
        .await
        .unwrap();
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn sd_16_optimistic_asks_no_store_and_names_nobody() {
    let rig = Rig::new();
    let device = rig.device(NAME).await;
    let calls = count(&rig.store.calls);
    let optimistic = rig.request(&device.cookie).optimistic().unwrap();
    assert_eq!(
        optimistic.expires_at(),
        Some(start() + chrono::TimeDelta::days(30))
    );
    assert!(!format!("{optimistic:?}").contains(NAME));
    assert_eq!(count(&rig.store.calls), calls);
}

#[tokio::test]
async fn vs_07_vs_20_rf_6_an_outage_is_neither_signed_in_nor_signed_out() {
    for rig in [Rig::new(), Rig::without_cache()] {
        let device = rig.device("ada").await;
        let context = rig.request(&device.cookie);
        rig.store.set_down(true);
        for _ in 0..2 {
            let error = context.verify_session::<Member>().await.unwrap_err();
            assert!(error.is_unavailable() && !error.is_unauthenticated());
            let error = context.verify_current::<Member>().await.unwrap_err();
            assert_eq!(error.status(), 503);
        }
        // Nothing was kept, neither in this request nor for others.
        rig.store.set_down(false);
        assert!(context.verify_session::<Member>().await.is_ok());
        assert_eq!(rig.status(&device.cookie).await, 200);
    }
}

#[tokio::test]
async fn vs_07_a_failing_viewer_source_is_unavailable_and_nothing_is_kept() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.members.down.store(true, Ordering::SeqCst);
    assert_eq!(rig.status(&device.cookie).await, 503);
    rig.members.down.store(false, Ordering::SeqCst);
    assert_eq!(rig.status(&device.cookie).await, 200);
}

#[tokio::test]
async fn vs_07_an_outage_does_not_sign_a_cached_viewer_out_within_the_bound() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.store.set_down(true);
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(5 * SECOND);
    assert_eq!(rig.status(&device.cookie).await, 503);
}

#[tokio::test]
async fn vs_15_the_subject_comes_from_the_session() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let verified = rig.verify(&device.cookie).await.unwrap();
    assert_eq!(verified.subject(), &Subject::new("ada"));
    assert_eq!(*verified.subject(), verified.viewer().subject());
}

/// `true` when `T` can be serialised.
macro_rules! serializes {
    ($type:ty) => {{
        struct Probe<T>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "only one of the two is chosen")]
        impl<T: serde::Serialize> Probe<T> {
            fn answer(&self) -> bool {
                true
            }
        }
        #[allow(dead_code, reason = "only one of the two is chosen")]
        trait Fallback {
            fn answer(&self) -> bool {
                false
            }
        }
        impl<T> Fallback for Probe<T> {}
        Probe::<$type>(std::marker::PhantomData).answer()
    }};
}

#[tokio::test]
async fn vs_21_a_verified_session_shows_no_more_than_later_code_needs() {
    let rig = Rig::new();
    let device = rig.device(NAME).await;
    let context = rig.request(&device.cookie);
    let verified: Verified<Member> = context.verify_session().await.unwrap();
    let current = context.verify_current::<Member>().await.unwrap();
    assert_eq!(
        format!("{verified:?}"),
        format!(
            "Verified {{ session_id: SessionId({}), created_at: 2026-01-01T00:00:00Z, authenticated_at: 2026-01-01T00:00:00Z, assurance: Aal1, expires_at: 2026-01-31T00:00:00Z, .. }}",
            device.id
        )
    );
    for text in [
        format!("{verified:#?}"),
        format!("{current:?}"),
        format!("{context:?}"),
    ] {
        assert!(!text.contains(NAME) && !text.contains("role"), "{text}");
        assert!(!text.contains(device.value()));
    }
    assert!(serializes!(u8));
    assert!(!serializes!(Verified<Member>));
    assert!(!serializes!(clearance::Current<Member>));
    assert!(!serializes!(clearance::Key));
}

#[tokio::test]
async fn sd_11_use_is_written_once_in_an_interval() {
    for rig in [Rig::new(), Rig::without_cache()] {
        let device = rig.device("ada").await;
        for _ in 0..20 {
            assert_eq!(rig.status(&device.cookie).await, 200);
        }
        assert_eq!(count(&rig.store.touches), 0, "it was just created");
        rig.clock.advance(MINUTE);
        for _ in 0..20 {
            assert_eq!(rig.status(&device.cookie).await, 200);
        }
        assert_eq!(count(&rig.store.touches), 1);
        rig.clock.advance(MINUTE);
        assert_eq!(rig.status(&device.cookie).await, 200);
        assert_eq!(count(&rig.store.touches), 2);
        let seen = rig.sessions.list(&Subject::new("ada")).await.unwrap()[0].last_seen_at();
        assert_eq!(seen, start() + chrono::TimeDelta::minutes(2));
    }
}

#[tokio::test]
async fn sd_11_use_keeps_a_session_alive_up_to_its_absolute_limit() {
    let rig = Rig::with(|builder| builder.lifetime(Lifetime::sliding(10 * MINUTE, 60 * MINUTE)));
    let used = rig.device("ada").await;
    let idle = rig.device("ada").await;
    for _ in 0..11 {
        rig.clock.advance(5 * MINUTE);
        assert_eq!(rig.status(&used.cookie).await, 200);
    }
    assert_eq!(rig.status(&idle.cookie).await, 401);
    rig.clock.advance(5 * MINUTE - Duration::from_micros(1));
    assert_eq!(rig.status(&used.cookie).await, 200);
    rig.clock.advance(Duration::from_micros(1));
    assert_eq!(rig.status(&used.cookie).await, 401);
}

#[tokio::test]
async fn sd_11_the_idle_limit_holds_to_the_microsecond_in_the_cache_too() {
    let bound = 9 * MINUTE;
    let rig = Rig::with(|builder| {
        builder
            .lifetime(Lifetime::sliding(10 * MINUTE, 12 * MINUTE))
            .touch_interval(30 * SECOND)
            .cache_bound(bound)
    });
    let device = rig.device("ada").await;
    rig.clock.advance(8 * MINUTE);
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(4 * MINUTE - Duration::from_micros(1));
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(Duration::from_micros(1));
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn sd_11_a_session_whose_use_could_not_be_written_ends_as_idle_in_the_cache_too() {
    let rig = Rig::with(|builder| {
        builder
            .lifetime(Lifetime::sliding(10 * MINUTE, 30 * DAY))
            .cache_bound(8 * MINUTE)
    });
    let device = rig.device("ada").await;
    rig.clock.advance(5 * MINUTE);
    rig.store.touch_down.store(true, Ordering::SeqCst);
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(5 * MINUTE - Duration::from_micros(1));
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.clock.advance(Duration::from_micros(1));
    assert_eq!(rig.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn sd_11_a_touch_that_fails_refuses_nobody() {
    let rig = Rig::without_cache();
    let device = rig.device("ada").await;
    rig.clock.advance(MINUTE);
    rig.store.touch_down.store(true, Ordering::SeqCst);
    assert_eq!(rig.status(&device.cookie).await, 200);
    assert_eq!(count(&rig.store.touches), 1);
}

#[tokio::test]
async fn sd_18_shorter_limits_hold_for_sessions_of_yesterday() {
    let (_directory, db) = sqlite_file().await;
    let long = Rig::over(db.session_store(), |builder| builder);
    let device = long.device("ada").await;
    let short = Rig::over(db.session_store(), |builder| {
        builder.lifetime(Lifetime::sliding(10 * MINUTE, 30 * DAY))
    });
    short.clock.advance(10 * MINUTE);
    long.clock.advance(10 * MINUTE);
    assert_eq!(long.status(&device.cookie).await, 200);
    short.clock.advance(10 * MINUTE);
    assert_eq!(short.status(&device.cookie).await, 401);
}

#[tokio::test]
async fn sd_06_a_clock_that_is_set_back_makes_nothing_fresh_for_longer() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    rig.clock.advance(MINUTE);
    assert_eq!(rig.status(&device.cookie).await, 200);
    rig.store
        .inner
        .delete(device.id, &Subject::new("ada"))
        .await
        .unwrap();
    rig.clock.set(start() + chrono::TimeDelta::seconds(30));
    assert_eq!(rig.status(&device.cookie).await, 401);
}
