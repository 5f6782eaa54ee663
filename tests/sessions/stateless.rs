//! Sessions that are kept in their tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clearance::session::{
    Lifetime, MemorySessionStore, SessionLimit, SessionsBuilder, SignIn, Strategy,
};
use clearance::{RequestContext, Sessions, Subject};
use http::HeaderValue;
use std::num::NonZeroU32;

use crate::browser::Browser;
use crate::support::{
    DAY, MINUTE, Member, Members, Rig, SECOND, STRATEGIES, Source, count, key, start,
};

fn ada() -> Subject {
    Subject::new("ada")
}

fn rig() -> Rig {
    Rig::of(Strategy::Stateless)
}

fn stateless(builder: SessionsBuilder<Member>) -> SessionsBuilder<Member> {
    builder.strategy(Strategy::Stateless)
}

#[tokio::test]
async fn sl_05_nothing_of_the_session_can_be_read_from_the_cookie() {
    let rig = rig();
    let subject = Subject::new("ada-the-subject-of-this-session");
    let sign_in = SignIn::new(subject)
        .claim("greeting", "hello-claim")
        .unwrap();
    let browser = Browser::signed_in(&rig, sign_in).await;
    let value = browser.jar.values().next().unwrap();
    let parts: Vec<_> = value.split('.').collect();
    assert_eq!(parts.len(), 5, "a compact JWE");
    let mut texts = vec![value.clone().into_bytes()];
    texts.extend(
        parts
            .iter()
            .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()),
    );
    for text in texts {
        for word in ["ada-the", "hello", "greeting", "session_at", "\"exp\""] {
            let there = text.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!there, "{word}");
        }
    }
    // Two sign-ins of one subject have nothing in common but the header.
    let other = Browser::signed_in(&rig, &ada()).await;
    let other = other.jar.values().next().unwrap();
    assert_ne!(other.split('.').nth(3), Some(parts[3]));
}

#[tokio::test]
async fn sl_09_a_session_that_is_extended_outlives_its_first_token() {
    let rig = rig();
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    let first = browser.clone();
    rig.clock.advance(6 * DAY);
    let request = browser.request(&rig);
    let until = request.extend_session().await.unwrap().unwrap();
    assert_eq!(until, start() + 13 * DAY);
    assert_eq!(browser.finish(&request).len(), 1);
    rig.clock.advance(2 * DAY);
    assert_eq!(browser.status(&rig).await, 200);
    assert_eq!(first.status(&rig).await, 401);
}

#[tokio::test]
async fn sl_09_every_strategy_extends() {
    for strategy in crate::support::STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        for _ in 0..4 {
            rig.clock.advance(6 * DAY);
            let request = browser.request(&rig);
            let until = request.extend_session().await.unwrap().unwrap();
            assert!(until > rig.now(), "{strategy:?}");
            browser.finish(&request);
        }
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
        // 30 days after the sign-in nothing extends it.
        rig.clock.advance(6 * DAY);
        let request = browser.request(&rig);
        assert_eq!(request.extend_session().await.unwrap(), None);
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_10_nobodys_session_is_not_extended() {
    for strategy in crate::support::STRATEGIES {
        let rig = Rig::of(strategy);
        let signed_out = Browser::signed_in(&rig, &ada()).await;
        signed_out.request(&rig).sign_out().await.unwrap();
        let mut forged = signed_out.clone();
        for value in forged.jar.values_mut() {
            value.push('x');
        }
        for mut browser in [Browser::default(), signed_out, forged] {
            let request = browser.request(&rig);
            assert_eq!(request.extend_session().await.unwrap(), None);
            browser.finish(&request);
            assert!(browser.jar.is_empty(), "{strategy:?}");
        }
    }
}

#[tokio::test]
async fn sd_11_a_token_is_made_anew_once_in_the_touch_interval() {
    let rig = rig();
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    let mut renewed = 0;
    for _ in 0..6 {
        rig.clock.advance(MINUTE / 2);
        let before = browser.clone();
        assert_eq!(browser.visit(&rig).await, 200);
        renewed += usize::from(browser != before);
        assert_eq!(
            before.status(&rig).await,
            200,
            "the older one is still good"
        );
    }
    assert_eq!(renewed, 3);
    assert_eq!(count(&rig.store.touches), 0);
}

#[tokio::test]
async fn sl_09_whichever_way_a_request_used_the_session_its_token_is_made_anew() {
    let rig = rig();
    let browser = Browser::signed_in(&rig, &ada()).await;
    rig.clock.advance(MINUTE);

    let request = browser.request(&rig);
    request.verify_session::<Member>().await.unwrap();
    assert_eq!(browser.clone().finish(&request).len(), 1);

    let request = browser.request(&rig);
    request.verify_current::<Member>().await.unwrap();
    assert_eq!(browser.clone().finish(&request).len(), 1);

    // One that asked for nothing, or only what the cookie says, did not use it.
    let request = browser.request(&rig);
    assert_eq!(browser.clone().finish(&request).len(), 0);
    let request = browser.request(&rig);
    request.optimistic().unwrap();
    assert_eq!(browser.clone().finish(&request).len(), 0);
}

#[tokio::test]
async fn op_24_sl_09_a_page_that_is_loaded_ahead_extends_nothing() {
    let rig = rig();
    let browser = Browser::signed_in(&rig, &ada()).await;
    rig.clock.advance(MINUTE);
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "Prefetch"),
        ("purpose", "prefetch"),
        ("next-router-prefetch", "1"),
    ] {
        let mut headers = browser.headers();
        headers.insert(name, HeaderValue::from_static(value));
        let request = RequestContext::new(&rig.sessions, &headers);
        request.verify_session::<Member>().await.unwrap();
        assert_eq!(browser.clone().finish(&request), [""; 0], "{name}: {value}");
    }
    let request = browser.request(&rig);
    request.verify_session::<Member>().await.unwrap();
    assert_eq!(browser.clone().finish(&request).len(), 1);
}

#[tokio::test]
async fn sl_20_one_of_two_sessions_ends_with_all_tokens_that_it_had() {
    let rig = rig();
    let mut one = Browser::signed_in(&rig, &ada()).await;
    let other = Browser::signed_in(&rig, &ada()).await;
    let mut copies = vec![one.clone()];
    for _ in 0..3 {
        rig.clock.advance(MINUTE);
        assert_eq!(one.visit(&rig).await, 200);
        copies.push(one.clone());
    }
    copies[1].request(&rig).sign_out().await.unwrap();
    for copy in &copies {
        assert_eq!(copy.status(&rig).await, 401);
    }
    assert_eq!(other.status(&rig).await, 200);
}

#[tokio::test]
async fn sl_20_a_cut_off_ends_what_began_before_it_and_nothing_else() {
    let rig = rig();
    let old = Browser::signed_in(&rig, &ada()).await;
    let eve = Browser::signed_in(&rig, &Subject::new("eve")).await;
    rig.clock.advance(SECOND);
    rig.sessions.revoke_all(&ada()).await.unwrap();
    // Within the same second as the cut-off.
    rig.clock.advance(std::time::Duration::from_micros(1));
    let mut new = Browser::signed_in(&rig, &ada()).await;
    for _ in 0..3 {
        assert_eq!(old.status(&rig).await, 401);
        assert_eq!(new.visit(&rig).await, 200);
        assert_eq!(eve.status(&rig).await, 200);
        rig.clock.advance(MINUTE);
    }
    // A new id does not make a session younger than it is.
    let request = new.request(&rig);
    request.rotate_session().await.unwrap();
    new.finish(&request);
    rig.sessions.revoke_all(&ada()).await.unwrap();
    assert_eq!(new.status(&rig).await, 401);
}

#[tokio::test]
async fn sl_20_what_was_ended_is_known_on_another_node_and_after_a_sweep() {
    let rig = rig();
    let one = Browser::signed_in(&rig, &ada()).await;
    let node = rig.beside(key(0), stateless);
    assert_eq!(one.status(&node).await, 200);
    one.request(&rig).sign_out().await.unwrap();
    assert_eq!(one.status(&node).await, 200, "within the bound");
    rig.clock.advance(5 * SECOND);
    assert_eq!(one.status(&node).await, 401);
    rig.clock.advance(7 * DAY - 10 * SECOND);
    node.sessions.sweep().await.unwrap();
    assert_eq!(one.status(&node).await, 401);
}

#[tokio::test]
async fn sl_20_stateless_sessions_are_neither_listed_nor_counted_nor_hold_data() {
    let rig = rig();
    let browser = Browser::signed_in(&rig, &ada()).await;
    assert!(rig.sessions.list(&ada()).await.unwrap_err().is_misuse());
    let request = browser.request(&rig);
    let data = request.session_data::<String>().await;
    assert!(data.unwrap_err().is_misuse());
    // Nor does it take those of a session that is stored.
    let stored = Rig::new();
    let ada = Browser::signed_in(&stored, &ada()).await;
    let mut data = ada.request(&stored).session_data().await.unwrap();
    *data = Some("data".to_owned());
    let data = request.set_session_data(&mut data).await;
    assert!(data.unwrap_err().is_misuse());
    let limit = SessionLimit::Reject(NonZeroU32::MIN);
    let built = clearance::Sessions::<Member>::builder(
        key(0),
        clearance::session::MemorySessionStore::new(),
        crate::support::Source(Default::default()),
    )
    .app_url("https://app.example")
    .strategy(Strategy::Stateless)
    .session_limit(limit)
    .build();
    assert!(built.unwrap_err().is_configuration());
}

#[tokio::test]
async fn sl_14_a_token_is_never_good_for_longer_than_its_session() {
    let lifetime = Lifetime::sliding(DAY, 2 * DAY);
    let rig = Rig::with(|builder| stateless(builder).lifetime(lifetime));
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    let mut last = Vec::new();
    for _ in 0..47 {
        rig.clock.advance(60 * MINUTE);
        let request = browser.request(&rig);
        request.verify_session::<Member>().await.unwrap();
        last = browser.finish(&request);
    }
    assert!(last[0].contains("; Max-Age=3600; "), "{last:?}");
    rig.clock.advance(60 * MINUTE);
    assert_eq!(browser.status(&rig).await, 401);
}

#[test]
fn sl_07_a_token_has_room_for_what_it_says_of_itself() {
    for strategy in STRATEGIES {
        let store = MemorySessionStore::new();
        let source = Source(Members::default().into());
        let built = Sessions::builder(key(0), store, source)
            .app_url("https://app.example")
            .strategy(strategy)
            .max_payload_bytes(255)
            .build();
        let error = built.unwrap_err();
        assert!(error.is_configuration(), "{error}");
        assert!(error.to_string().contains("`max_payload_bytes`"), "{error}");
    }
}

#[tokio::test]
async fn sl_07_a_session_with_too_many_claims_is_refused_before_anything_happens() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let before = Browser::signed_in(&rig, &ada()).await;
        let sign_in = SignIn::new(ada()).claim("long", "x".repeat(1_100)).unwrap();
        let request = Browser::default().request(&rig);
        let error = request.sign_in(sign_in).await.unwrap_err();
        assert!(error.is_payload_too_large(), "{strategy:?}");
        assert_eq!(Browser::default().finish(&request), [""; 0]);
        assert_eq!(before.status(&rig).await, 200);
    }
}
