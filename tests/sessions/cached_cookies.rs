//! A cookie that the cache knows is not opened again: what must hold of it all the same.

use clearance::session::Lifetime;

use crate::browser::Browser;
use crate::strategies::{Place, Settings, ada, everywhere, places};
use crate::support::{SECOND, count};

/// A cookie that is cached is not opened again, but its end is compared in each request.
#[tokio::test]
async fn rf_5_a_cookie_that_the_cache_knows_ends_when_it_says() {
    let settings: Settings = |builder| {
        builder
            .lifetime(Lifetime::fixed(30 * SECOND))
            .touch_interval(SECOND)
            .cache_bound(20 * SECOND)
    };
    for Place { strategy, rig, .. } in places(settings).await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.advance(15 * SECOND);
        assert_eq!(browser.status(&rig).await, 200);
        rig.clock.advance(14 * SECOND);
        let asked = count(&rig.store.calls);
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
        assert_eq!(
            count(&rig.store.calls),
            asked,
            "{strategy:?}: it was cached"
        );
        rig.clock.advance(SECOND);
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

/// A text that nobody sealed makes no entry, and a cached one is of no use to a text beside it.
#[tokio::test]
async fn rf_5_a_text_beside_a_cached_cookie_is_refused() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        assert_eq!(browser.status(&rig).await, 200);
        let pair = browser.cookie();
        let value = pair.split_once('=').unwrap().1.len();
        for place in pair.len() - value..pair.len() {
            let mut other = pair.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(rig.status(&other).await, 401, "{strategy:?} at {place}");
        }
        for shorter in pair.len() - value..pair.len() {
            assert_eq!(rig.status(&pair[..shorter]).await, 401, "{strategy:?}");
        }
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
    }
}

/// The next request finds the answer in the cache, where it still is, and asks again.
#[tokio::test]
async fn rf_3_rf_5_a_cookie_that_the_cache_knows_is_refused_from_the_revocation_on() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        assert_eq!(browser.status(&rig).await, 200);
        rig.sessions.revoke_all(&ada()).await.unwrap();
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}
