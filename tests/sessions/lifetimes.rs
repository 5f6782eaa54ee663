//! How long sessions live.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clearance::session::{Assurance, Lifetime, SessionsBuilder, SignIn};
use clearance::{Sessions, Subject};
use proptest::prelude::*;

use crate::browser::Browser;
use crate::support::{DAY, MINUTE, Member, Rig, SECOND, STRATEGIES, Source, key, start};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn ada() -> Subject {
    Subject::new("ada")
}

#[tokio::test]
async fn sl_13_sl_14_asvs_7_3_1_asvs_7_3_2_a_session_lives_as_its_lifetime_says() {
    let fixed = Lifetime::fixed(10 * HOUR);
    let sliding = Lifetime::sliding(2 * HOUR, 5 * HOUR);
    // After how many minutes it is used, and whether it lives then.
    let cases: [(Lifetime, &[(u32, bool)]); 6] = [
        (fixed, &[(599, true), (600, false)]),
        (fixed, &[(300, true), (599, true), (600, false)]),
        (
            sliding,
            &[(119, true), (238, true), (299, true), (300, false)],
        ),
        (sliding, &[(120, false)]),
        (sliding, &[(119, true), (239, false)]),
        (
            sliding,
            &[(60, true), (179, true), (298, true), (301, false)],
        ),
    ];
    for strategy in STRATEGIES {
        for (lifetime, uses) in cases {
            let rig = Rig::with(|builder| builder.strategy(strategy).lifetime(lifetime));
            let mut browser = Browser::signed_in(&rig, &ada()).await;
            let mut passed = 0;
            for (minutes, lives) in uses {
                rig.clock.advance((minutes - passed) * MINUTE);
                passed = *minutes;
                let expected = if *lives { 200 } else { 401 };
                assert_eq!(
                    browser.visit(&rig).await,
                    expected,
                    "{strategy:?} {lifetime:?} {minutes}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn sl_14_no_use_leads_past_the_absolute_limit(
        idle in 1_u64..40_000_000,
        more in 0_u64..40_000_000,
        created in -2_000_000_000_i64..4_000_000_000,
        used in 0_i64..100_000_000,
    ) {
        let absolute = idle + more;
        let lifetime = Lifetime::sliding(Duration::from_secs(idle), Duration::from_secs(absolute));
        let created = DateTime::<Utc>::from_timestamp(created, 0).unwrap();
        let used = created + TimeDelta::seconds(used);
        let expiry = lifetime.expiry(created, used);
        let end = created + TimeDelta::seconds(i64::try_from(absolute).unwrap());
        let unused = used + TimeDelta::seconds(i64::try_from(idle).unwrap());
        prop_assert!(expiry <= end);
        prop_assert!(expiry <= unused);
        prop_assert!(expiry == end || expiry == unused);
        let fixed = Lifetime::fixed(Duration::from_secs(absolute));
        prop_assert_eq!(fixed.expiry(created, created), end);
    }
}

#[test]
fn sl_14_an_instant_that_no_clock_shows_does_not_overflow() {
    let lifetime = Lifetime::sliding(Duration::MAX, Duration::MAX);
    let far = DateTime::<Utc>::MAX_UTC;
    assert_eq!(lifetime.expiry(far, far), far);
    assert_eq!(Lifetime::fixed(DAY).expiry(far, far), far);
}

#[tokio::test]
async fn sl_15_a_session_that_the_browser_forgets_ends_on_the_server_too() {
    for strategy in STRATEGIES {
        let rig = Rig::with(|builder| builder.strategy(strategy).lifetime(Lifetime::fixed(HOUR)));
        let mut browser = Browser::default();
        let request = browser.request(&rig);
        request
            .sign_in(SignIn::new(ada()).remember(false))
            .await
            .unwrap();
        let set = browser.finish(&request);
        assert!(!set[0].contains("Max-Age"), "{set:?}");
        assert!(!set[0].contains("Expires"), "{set:?}");
        rig.clock.advance(HOUR - SECOND);
        let request = browser.request(&rig);
        let verified = request.verify_session::<Member>().await.unwrap();
        assert_eq!(verified.expires_at(), start() + HOUR);
        // Nor does one that is made anew say how long.
        for text in browser.finish(&request) {
            assert!(!text.contains("Max-Age"), "{text}");
        }
        rig.clock.advance(SECOND);
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn sl_16_a_session_ends_after_30_days_unless_said() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        let verified = request.verify_session::<Member>().await.unwrap();
        assert_eq!(verified.expires_at(), start() + 30 * DAY);

        let settings = |builder: SessionsBuilder<Member>| {
            let lifetime = Lifetime::fixed(2 * DAY);
            builder.strategy(strategy).lifetime(lifetime)
        };
        let rig = Rig::with(settings);
        let mut browser = Browser::default();
        let request = browser.request(&rig);
        request.sign_in(&ada()).await.unwrap();
        let set = browser.finish(&request);
        assert!(set[0].contains("; Max-Age=172800; "), "{set:?}");
    }
}

#[tokio::test]
async fn sl_13_a_remembered_session_lives_longer_and_stays_in_the_browser() {
    for strategy in STRATEGIES {
        let rig = Rig::with(|builder| {
            builder
                .strategy(strategy)
                .lifetime(Lifetime::sliding(HOUR, 8 * HOUR))
                .remembered(Lifetime::sliding(7 * DAY, 60 * DAY))
        });
        let mut browsers = Vec::new();
        for remember in [None, Some(false), Some(true)] {
            let mut browser = Browser::default();
            let request = browser.request(&rig);
            let sign_in = SignIn::new(ada());
            let sign_in = match remember {
                Some(remember) => sign_in.remember(remember),
                None => sign_in,
            };
            request.sign_in(sign_in).await.unwrap();
            let set = browser.finish(&request);
            let kept = remember == Some(true);
            assert_eq!(set[0].contains("; Max-Age="), kept, "{strategy:?} {set:?}");
            browsers.push(browser);
        }
        rig.clock.advance(HOUR);
        let expected = [401, 401, 200];
        for (browser, expected) in browsers.iter_mut().zip(expected) {
            assert_eq!(browser.visit(&rig).await, expected, "{strategy:?}");
        }
        rig.clock.advance(7 * DAY);
        assert_eq!(browsers[2].status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_3_1_limits_that_are_made_shorter_hold_for_sessions_that_are_there() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let node = |lifetime| {
            rig.beside(key(0), |builder| {
                builder.strategy(strategy).lifetime(lifetime)
            })
        };
        rig.clock.advance(2 * HOUR);
        let idle = node(Lifetime::sliding(HOUR, 8 * HOUR));
        assert_eq!(browser.status(&idle).await, 401, "{strategy:?}");
        let absolute = node(Lifetime::fixed(2 * HOUR));
        assert_eq!(browser.status(&absolute).await, 401, "{strategy:?}");
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
    }
}

#[test]
fn asvs_7_1_1_the_presets_are_those_of_the_levels_and_say_so() {
    for (level, name, idle, absolute) in [
        (Assurance::Aal1, "AAL1", 2_592_000, 2_592_000),
        (Assurance::Aal2, "AAL2", 3_600, 86_400),
        (Assurance::Aal3, "AAL3", 900, 43_200),
    ] {
        // A preset takes back what was remembered for longer.
        let rig = Rig::with(|builder| builder.remembered(Lifetime::fixed(60 * DAY)).preset(level));
        let explained = rig.sessions.explain();
        for line in [
            format!("idle limit: {idle}.000 s (preset {name})\n"),
            format!("absolute limit: {absolute}.000 s (preset {name})\n"),
            format!("limits: meets the session limits of NIST SP 800-63B-4 {name}\n"),
        ] {
            assert!(explained.contains(&line), "{line} in:\n{explained}");
        }
        assert!(!explained.contains("remembered"), "{explained}");
    }
    let rig = Rig::with(|builder| {
        builder
            .preset(Assurance::Aal3)
            .remembered(Lifetime::fixed(60 * DAY))
    });
    let explained = rig.sessions.explain();
    for line in [
        "limits: meets the session limits of NIST SP 800-63B-4 AAL3\n",
        "remembered, absolute limit: 5184000.000 s (set by the program)\n",
        "remembered, limits: longer than the session limits of NIST SP 800-63B-4 AAL1\n",
    ] {
        assert!(explained.contains(line), "{line} in:\n{explained}");
    }
}

#[test]
fn asvs_7_1_1_every_setting_is_explained_with_its_source() {
    let explained = Rig::of(clearance::session::Strategy::Stateless)
        .sessions
        .explain();
    for line in [
        "strategy: stateless (set by the program)\n",
        "token: 1024 bytes of JSON at most (default)\n",
        "touch interval: 60.000 s (default)\n",
        "writes: the session is read before the statement\n",
    ] {
        assert!(explained.contains(line), "{line} in:\n{explained}");
    }
}

#[test]
fn sl_12_sr_07_sr_22_plain_http_is_for_development_at_a_loopback_address() {
    let built = |url: &str, development: bool| {
        let store = clearance::session::MemorySessionStore::new();
        let builder = Sessions::<Member>::builder(key(0), store, Source(Default::default()));
        let builder = builder.app_url(url);
        let builder = if development {
            builder.development()
        } else {
            builder
        };
        builder.build()
    };
    for url in ["https://app.example", "https://localhost"] {
        for development in [false, true] {
            let explained = built(url, development).unwrap().explain();
            assert!(explained.contains("; Secure; "), "{explained}");
            assert_eq!(explained.contains("profile: development"), development);
        }
    }
    for url in [
        "http://localhost:3000",
        "http://app.localhost",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:3000",
        "http://LOCALHOST",
    ] {
        let explained = built(url, true).unwrap().explain();
        assert!(!explained.contains("Secure"), "{explained}");
        assert!(explained.contains("cookie: session; "), "{explained}");
        let error = built(url, false).unwrap_err();
        assert!(error.is_configuration());
        assert!(error.to_string().contains("`.development()`"), "{error}");
    }
    for url in [
        "http://app.example",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://notlocalhost",
        "http://[::2]",
    ] {
        assert!(built(url, true).unwrap_err().is_configuration(), "{url}");
    }
}
