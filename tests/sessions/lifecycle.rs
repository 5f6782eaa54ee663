//! Signing in and out, ending sessions, listing them.

use std::time::Duration;

use clearance::session::{Lifetime, MemorySessionStore};
use clearance::{RequestContext, Sessions, Subject};
use http::{HeaderMap, HeaderValue};

use crate::support::{
    MINUTE, Member, Members, Rig, SECOND, Source, cookie_header, key, pair, sqlite_file, start,
};

/// The cookie that the response to this request sets.
fn response_cookie(context: &RequestContext) -> Option<String> {
    let mut headers = HeaderMap::new();
    context.finish(&mut headers);
    headers.get("set-cookie").map(pair)
}

#[tokio::test]
async fn rf_2_signing_in_makes_a_new_session_and_ends_the_old_one() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        let mut ids = std::collections::HashSet::new();
        // Over nobody, over the same user, over another user.
        let mut cookie = String::new();
        for name in ["ada", "ada", "eve"] {
            let context = rig.request(&cookie);
            if !cookie.is_empty() {
                context.verify_session::<Member>().await.unwrap();
            }
            let id = context.sign_in(&Subject::new(name)).await.unwrap();
            assert!(ids.insert(id));

            let verified = context.verify_session::<Member>().await.unwrap();
            assert_eq!(
                verified.viewer().name,
                name,
                "nothing of the old one is left"
            );
            assert_eq!(verified.session_id(), id);
            let current = context.verify_current::<Member>().await.unwrap();
            assert_eq!(current.session_id(), id);

            let new = response_cookie(&context).unwrap();
            if !cookie.is_empty() {
                assert_eq!(rig.status(&cookie).await, 401);
            }
            assert_eq!(rig.verify(&new).await.unwrap().viewer().name, name);
            cookie = new;
        }
        assert!(
            rig.sessions
                .list(&Subject::new("ada"))
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            rig.sessions.list(&Subject::new("eve")).await.unwrap().len(),
            1
        );
    }
}

#[tokio::test]
async fn rf_2_signing_in_forgets_a_viewer_whose_session_was_ended_behind_the_library() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    context.verify_session::<Member>().await.unwrap();
    let ada = Subject::new("ada");
    rig.store.inner.delete(device.id, &ada).await.unwrap();
    context.sign_in(&Subject::new("eve")).await.unwrap();
    let verified = context.verify_session::<Member>().await.unwrap();
    assert_eq!(verified.viewer().name, "eve");
}

#[tokio::test]
async fn rf_2_signing_in_leaves_other_devices() {
    let rig = Rig::new();
    let other = rig.device("ada").await;
    let this = rig.device("ada").await;
    rig.request(&this.cookie)
        .sign_in(&Subject::new("ada"))
        .await
        .unwrap();
    assert_eq!(rig.status(&other.cookie).await, 200);
    assert_eq!(rig.status(&this.cookie).await, 401);
}

#[tokio::test]
async fn rf_2_a_cookie_that_does_not_open_ends_no_session() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let twice = format!("{0}; {0}", device.cookie);
    for cookie in [twice.as_str(), "__Host-session=x"] {
        let context = rig.request(cookie);
        context.sign_in(&Subject::new("eve")).await.unwrap();
    }
    assert_eq!(rig.status(&device.cookie).await, 200);
}

#[tokio::test]
async fn rf_2_when_the_store_fails_there_is_neither_session_nor_cookie() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    rig.store.set_down(true);
    let error = context.sign_in(&Subject::new("ada")).await.unwrap_err();
    assert_eq!(error.status(), 503);
    assert_eq!(response_cookie(&context), None);
}

#[tokio::test]
async fn vs_03_sd_07_signing_out_ends_the_session_and_removes_the_cookie() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    context.verify_session::<Member>().await.unwrap();
    context.sign_out().await.unwrap();
    assert_eq!(
        context
            .verify_session::<Member>()
            .await
            .unwrap_err()
            .status(),
        401
    );
    assert_eq!(response_cookie(&context).unwrap(), "__Host-session=");
    assert_eq!(rig.status(&device.cookie).await, 401);
    assert!(rig.request("").sign_out().await.is_ok());
}

/// Headers come in and headers go out: no framework, no redirect and nobody else is part of it.
#[tokio::test]
async fn sd_19_a_session_ends_by_headers_alone_and_no_other_with_it() {
    let rig = Rig::new();
    let (one, other) = (rig.device("ada").await, rig.device("ada").await);
    let mut response = HeaderMap::new();
    response.insert("location", HeaderValue::from_static("/bye"));
    let request = RequestContext::new(&rig.sessions, &cookie_header(&one.cookie));
    request.sign_out().await.unwrap();
    request.finish(&mut response);
    assert_eq!(response["location"], "/bye");
    assert_eq!(pair(&response["set-cookie"]), "__Host-session=");
    assert_eq!(rig.status(&one.cookie).await, 401);
    assert_eq!(rig.status(&other.cookie).await, 200);
}

#[tokio::test]
async fn sd_07_signing_out_without_a_store_fails_and_keeps_the_cookie() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    rig.store.set_down(true);
    assert_eq!(context.sign_out().await.unwrap_err().status(), 503);
    assert_eq!(response_cookie(&context), None);
    rig.store.set_down(false);
    assert_eq!(rig.status(&device.cookie).await, 200);
}

#[tokio::test]
async fn sd_07_one_all_or_the_other_sessions_can_be_ended() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        let ada = Subject::new("ada");
        let (one, two, three) = (
            rig.device("ada").await,
            rig.device("ada").await,
            rig.device("ada").await,
        );
        let eve = rig.device("eve").await;
        for device in [&one, &two, &three, &eve] {
            assert_eq!(rig.status(&device.cookie).await, 200);
        }

        assert!(
            !rig.sessions
                .revoke(&Subject::new("eve"), one.id)
                .await
                .unwrap()
        );
        assert_eq!(rig.status(&one.cookie).await, 200);
        assert!(rig.sessions.revoke(&ada, one.id).await.unwrap());
        assert_eq!(rig.status(&one.cookie).await, 401);
        assert_eq!(rig.status(&two.cookie).await, 200);

        assert_eq!(rig.sessions.revoke_others(&ada, two.id).await.unwrap(), 1);
        assert_eq!(rig.status(&three.cookie).await, 401);
        assert_eq!(rig.status(&two.cookie).await, 200);

        assert_eq!(rig.sessions.revoke_all(&ada).await.unwrap(), 1);
        assert_eq!(rig.status(&two.cookie).await, 401);
        assert_eq!(rig.status(&eve.cookie).await, 200);
    }
}

#[tokio::test]
async fn sd_08_the_list_shows_living_sessions_and_no_secret() {
    let rig = Rig::new();
    let first = rig.device("ada").await;
    rig.clock.advance(MINUTE);
    let second = rig.device("ada").await;
    let listed = rig.sessions.list(&Subject::new("ada")).await.unwrap();
    let ids: Vec<_> = listed
        .iter()
        .map(clearance::session::SessionInfo::id)
        .collect();
    assert_eq!(ids, [second.id, first.id]);
    assert_eq!(listed[1].created_at(), start());
    assert_eq!(
        listed[1].expires_at(),
        start() + chrono::TimeDelta::days(30)
    );
    assert!(format!("{listed:?}").contains("SecretHash(..)"));
}

#[tokio::test]
async fn vs_03_a_changed_viewer_is_loaded_again_at_once() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let context = rig.request(&device.cookie);
    let before = context.verify_session::<Member>().await.unwrap();
    assert_eq!(before.viewer().role, "viewer");
    rig.members
        .roles
        .lock()
        .unwrap()
        .insert("ada".into(), "admin");
    rig.sessions.viewer_changed(&Subject::new("ada"));
    for _ in 0..2 {
        let after = context.verify_session::<Member>().await.unwrap();
        assert_eq!(after.viewer().role, "admin");
    }
    assert_eq!(count_loads(&rig), 2);
}

fn count_loads(rig: &Rig) -> usize {
    crate::support::count(&rig.members.loads)
}

#[tokio::test]
async fn rf_2_after_the_headers_are_sent_nobody_can_sign_in() {
    let rig = Rig::new();
    let context = rig.request("");
    context.finish(&mut HeaderMap::new());
    let error = context.sign_in(&Subject::new("ada")).await.unwrap_err();
    assert!(error.is_misuse());
    assert!(
        rig.sessions
            .list(&Subject::new("ada"))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn rf_2_an_empty_subject_cannot_sign_in() {
    let rig = Rig::new();
    let error = rig.sessions.create(&Subject::new("")).await.unwrap_err();
    assert!(error.is_misuse());
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let build = |idle, absolute, touch, bound, capacity| {
        Sessions::<Member>::builder(
            key(0),
            MemorySessionStore::new(),
            Source(Members::default().into()),
        )
        .app_url("https://app.example")
        .lifetime(Lifetime::sliding(idle, absolute))
        .touch_interval(touch)
        .cache_bound(bound)
        .cache_capacity(capacity)
        .build()
    };
    let zero = Duration::ZERO;
    assert!(build(MINUTE, MINUTE, SECOND, SECOND, 1).is_ok());
    assert!(build(MINUTE, MINUTE, zero, zero, 0).is_ok());
    for (idle, absolute, touch, bound, capacity) in [
        (zero, MINUTE, zero, zero, 1),
        (MINUTE, zero, zero, zero, 1),
        (2 * MINUTE, MINUTE, SECOND, SECOND, 1),
        (MINUTE, MINUTE, MINUTE, zero, 1),
        (MINUTE, MINUTE, 30 * SECOND, 30 * SECOND, 1),
        (MINUTE, MINUTE, SECOND, SECOND, 0),
        (Duration::MAX, Duration::MAX, SECOND, SECOND, 1),
    ] {
        let error = build(idle, absolute, touch, bound, capacity).unwrap_err();
        assert!(error.is_configuration(), "{error}");
    }
}

#[test]
fn explain_prints_every_effective_setting() {
    let rig = Rig::with(|builder| {
        builder
            .lifetime(Lifetime::sliding(15 * MINUTE, 12 * 60 * MINUTE))
            .touch_interval(30 * SECOND)
            .cache_capacity(77)
    });
    assert_eq!(
        rig.sessions.explain(),
        "application: https://app.example (set by the program)\n\
         strategy: hybrid (default)\n\
         cookie: __Host-session; HttpOnly; Secure; SameSite=Lax; Path=/\n\
         idle limit: 900.000 s (set by the program)\n\
         absolute limit: 43200.000 s (set by the program)\n\
         limits: meets the session limits of NIST SP 800-63B-4 AAL3\n\
         sessions of a subject: 1000 at most, one more sign-in ends the oldest (default)\n\
         groups: claim `groups` (default)\n\
         touch interval: 30.000 s (set by the program)\n\
         verified: at most 5.000 s old; a change through this library on this node takes effect at once (default)\n\
         cache: 77 sessions (set by the program)\n\
         other nodes: no channel; their changes take effect within the bound\n\
         current: the store and the viewer source are queried in every call\n\
         writes: the session is read before the statement\n"
    );
    let explained = Rig::without_cache().sessions.explain();
    assert!(
        explained
            .contains("verified: the store and the viewer source are queried in every request")
    );
}
