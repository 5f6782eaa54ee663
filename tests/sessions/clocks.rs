//! Two nodes over one store whose clocks are half a minute apart: in which direction each comparison
//! of an instant of one with the other's clock errs. `SECURITY.md` lists them.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use clearance::session::{Freshness, Lifetime, SessionLimit, SessionsBuilder, Strategy};
use clearance::{RequestContext, Subject};

use crate::browser::Browser;
use crate::support::{DAY, MINUTE, Member, Rig, SECOND, STRATEGIES};

const APART: std::time::Duration = std::time::Duration::from_secs(30);

fn ada() -> Subject {
    Subject::new("ada")
}

/// A node and one whose clock is ahead.
fn nodes(settings: impl Fn(SessionsBuilder<Member>) -> SessionsBuilder<Member>) -> (Rig, Rig) {
    let slow = Rig::with(&settings);
    let fast = slow.apart(TimeDelta::from_std(APART).unwrap(), &settings);
    (slow, fast)
}

fn advance(nodes: (&Rig, &Rig), by: std::time::Duration) {
    nodes.0.clock.advance(by);
    nodes.1.clock.advance(by);
}

async fn is_fresh(request: &RequestContext) -> bool {
    let within = Freshness::within(5 * MINUTE);
    request.verify_fresh::<Member>(within).await.is_ok()
}

#[tokio::test]
async fn sl_31_a_session_ends_by_the_clock_of_the_node_that_is_asked() {
    let lifetime = Lifetime::fixed(7 * DAY);
    for strategy in STRATEGIES {
        let (slow, fast) = nodes(|builder| builder.strategy(strategy).lifetime(lifetime));
        let of_slow = Browser::signed_in(&slow, &ada()).await;
        let of_fast = Browser::signed_in(&fast, &ada()).await;
        advance((&slow, &fast), 7 * DAY - APART - SECOND);
        for browser in [&of_slow, &of_fast] {
            assert_eq!(browser.status(&fast).await, 200, "{strategy:?}");
        }
        advance((&slow, &fast), 5 * SECOND);
        assert_eq!(of_slow.status(&fast).await, 401, "sooner by the difference");
        assert_eq!(of_slow.status(&slow).await, 200);
        advance((&slow, &fast), APART - 4 * SECOND);
        assert_eq!(of_fast.status(&fast).await, 401);
        assert_eq!(of_fast.status(&slow).await, 200, "later by the difference");
        advance((&slow, &fast), APART);
        assert_eq!(of_fast.status(&slow).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_32_a_clock_that_is_behind_takes_no_time_from_a_session() {
    for strategy in STRATEGIES {
        let (slow, fast) = nodes(|builder| builder.strategy(strategy));
        let mut browser = Browser::signed_in(&fast, &ada()).await;
        let request = browser.request(&fast);
        let before = request.extend_session().await.unwrap();
        browser.finish(&request);
        let request = browser.request(&slow);
        assert_eq!(request.extend_session().await.unwrap(), before);
        browser.finish(&request);
        advance((&slow, &fast), 7 * DAY - SECOND);
        assert_eq!(browser.status(&fast).await, 200, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_31_a_proof_is_asked_for_again_rather_than_believed_for_longer() {
    for strategy in STRATEGIES {
        let (slow, fast) = nodes(|builder| builder.strategy(strategy));
        let of_slow = Browser::signed_in(&slow, &ada()).await;
        let of_fast = Browser::signed_in(&fast, &ada()).await;
        assert!(is_fresh(&of_fast.request(&fast)).await);
        assert!(
            !is_fresh(&of_fast.request(&slow)).await,
            "of an instant to come"
        );
        advance((&slow, &fast), APART);
        assert!(is_fresh(&of_fast.request(&slow)).await, "{strategy:?}");
        advance((&slow, &fast), 5 * MINUTE - 2 * APART + SECOND);
        assert!(is_fresh(&of_slow.request(&slow)).await);
        assert!(
            !is_fresh(&of_slow.request(&fast)).await,
            "sooner by the difference"
        );
        advance((&slow, &fast), 2 * APART - SECOND);
        assert!(
            is_fresh(&of_fast.request(&slow)).await,
            "later by the difference"
        );
        advance((&slow, &fast), SECOND);
        assert!(!is_fresh(&of_fast.request(&slow)).await, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_31_a_sweep_ends_sessions_sooner_and_brings_none_back() {
    for strategy in [Strategy::Hybrid, Strategy::Database] {
        let lifetime = Lifetime::fixed(7 * DAY);
        let (slow, fast) = nodes(|builder| builder.strategy(strategy).lifetime(lifetime));
        let browser = Browser::signed_in(&slow, &ada()).await;
        advance((&slow, &fast), 7 * DAY - APART - SECOND);
        fast.sessions.sweep().await.unwrap();
        assert_eq!(browser.status(&slow).await, 200, "{strategy:?}");
        advance((&slow, &fast), SECOND * 6);
        fast.sessions.sweep().await.unwrap();
        assert_eq!(browser.status(&slow).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_33_what_ended_a_session_is_kept_until_the_slowest_clock_is_past_its_end() {
    let lifetime = Lifetime::fixed(DAY);
    let (slow, fast) = nodes(|builder| builder.strategy(Strategy::Stateless).lifetime(lifetime));
    let browser = Browser::signed_in(&fast, &ada()).await;
    let lives = Browser::signed_in(&fast, &ada()).await;
    browser.request(&fast).sign_out().await.unwrap();
    advance((&slow, &fast), DAY);
    fast.sessions.sweep().await.unwrap();
    // By this clock it would have half a minute yet.
    assert_eq!(browser.status(&slow).await, 401);
    assert_eq!(lives.status(&slow).await, 200);
}

#[tokio::test]
async fn sl_31_what_is_cached_is_judged_by_its_own_node_alone() {
    for strategy in STRATEGIES {
        let (slow, fast) = nodes(|builder| builder.strategy(strategy));
        for (one, other) in [(&slow, &fast), (&fast, &slow)] {
            let browser = Browser::signed_in(one, &ada()).await;
            assert_eq!(browser.status(other).await, 200);
            one.sessions.revoke_all(&ada()).await.unwrap();
            assert_eq!(browser.status(one).await, 401);
            other
                .clock
                .advance(5 * SECOND - std::time::Duration::from_micros(1));
            assert_eq!(browser.status(other).await, 200, "{strategy:?}");
            other.clock.advance(std::time::Duration::from_micros(1));
            assert_eq!(browser.status(other).await, 401, "{strategy:?}");
        }
    }
}

#[tokio::test]
async fn sl_31_the_number_of_sessions_holds_and_which_is_oldest_can_be_wrong() {
    let two = NonZeroU32::new(2).unwrap();
    let (slow, fast) = nodes(|builder| builder.session_limit(SessionLimit::EvictOldest(two)));
    let first = Browser::signed_in(&fast, &ada()).await;
    advance((&slow, &fast), SECOND);
    let second = Browser::signed_in(&slow, &ada()).await;
    advance((&slow, &fast), SECOND);
    let third = Browser::signed_in(&fast, &ada()).await;
    assert_eq!(first.status(&fast).await, 200);
    assert_eq!(
        second.status(&fast).await,
        401,
        "it seems older by the difference"
    );
    assert_eq!(third.status(&fast).await, 200);
    assert_eq!(fast.sessions.list(&ada()).await.unwrap().len(), 2);
}
