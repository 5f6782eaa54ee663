//! What is told of sessions.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use clearance::SessionEventKind as Kind;
use clearance::session::{Assurance, SessionLimit, SessionsBuilder, Strategy};
use clearance::{RequestContext, Revocation, SessionEvent, SessionEventSink, Subject, async_trait};

use crate::browser::Browser;
use crate::support::logs::Capture;
use crate::support::{DAY, MINUTE, Member, Rig, STRATEGIES, cookie_header};

#[derive(Default)]
struct Recorder(Mutex<Vec<SessionEvent>>);

#[async_trait]
impl SessionEventSink for Recorder {
    async fn record(&self, event: &SessionEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Recorder {
    fn take(&self) -> Vec<SessionEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// What happened since it was asked last.
    fn kinds(&self) -> Vec<Kind> {
        self.take().iter().map(SessionEvent::kind).collect()
    }
}

fn ada() -> Subject {
    Subject::new("ada")
}

fn recorded(
    settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
) -> (Rig, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let rig = Rig::with(|builder| settings(builder.events(Arc::clone(&recorder))));
    (rig, recorder)
}

#[tokio::test]
async fn sd_09_the_whole_life_of_a_session_is_told() {
    for strategy in STRATEGIES {
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy));
        let stored = strategy != Strategy::Stateless;
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        assert_eq!(recorder.kinds(), [Kind::Created]);
        browser.visit(&rig).await;
        assert_eq!(recorder.kinds(), []);
        rig.clock.advance(MINUTE);
        browser.visit(&rig).await;
        browser.visit(&rig).await;
        // A token that is made anew is written nowhere.
        let touched: &[Kind] = if stored { &[Kind::Touched] } else { &[] };
        assert_eq!(recorder.kinds(), touched, "{strategy:?}");

        let request = browser.request(&rig);
        request.extend_session().await.unwrap();
        request.rotate_session().await.unwrap();
        request.step_up(&ada(), Assurance::Aal2).await.unwrap();
        browser.finish(&request);
        let kinds = recorder.kinds();
        assert_eq!(
            kinds,
            [Kind::Extended, Kind::Rotated, Kind::SteppedUp],
            "{strategy:?}"
        );

        let request = browser.request(&rig);
        request.sign_in(&ada()).await.unwrap();
        let replaced = browser.clone();
        browser.finish(&request);
        let kinds = recorder.kinds();
        assert_eq!(
            kinds,
            [Kind::Revoked(Revocation::SignIn), Kind::Created],
            "{strategy:?}"
        );
        assert_eq!(replaced.status(&rig).await, 401);
        assert_eq!(recorder.kinds(), [Kind::Refused]);

        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        request.sign_out().await.unwrap();
        assert_eq!(recorder.kinds(), [Kind::Revoked(Revocation::SignOut)]);
        assert_eq!(browser.status(&rig).await, 401);
        assert_eq!(recorder.kinds(), [Kind::Refused]);

        let id = rig.sessions.create(&ada()).await.unwrap().id();
        for _ in 0..2 {
            rig.sessions.revoke(&ada(), id).await.unwrap();
        }
        let kinds = recorder.kinds();
        assert_eq!(
            kinds,
            [Kind::Created, Kind::Revoked(Revocation::ById)],
            "{strategy:?}"
        );

        for _ in 0..2 {
            rig.sessions.create(&ada()).await.unwrap();
        }
        rig.sessions.revoke_all(&ada()).await.unwrap();
        rig.sessions.revoke_everyone().await.unwrap();
        rig.sessions.create(&ada()).await.unwrap();
        rig.clock.advance(31 * DAY);
        rig.sessions.sweep().await.unwrap();
        let many = if stored { 2 } else { 0 };
        let swept = u64::from(stored);
        assert_eq!(
            recorder.kinds(),
            [
                Kind::Created,
                Kind::Created,
                Kind::RevokedMany(many),
                Kind::RevokedEveryone,
                Kind::Created,
                Kind::Swept(swept),
            ],
            "{strategy:?}"
        );
    }
}

#[tokio::test]
async fn sd_09_an_event_says_who_which_when_and_from_where() {
    for strategy in STRATEGIES {
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy));
        rig.clock.advance(DAY);
        let mut headers = http::HeaderMap::new();
        headers.insert("user-agent", "Desk/2.0".parse().unwrap());
        let address = "203.0.113.7".parse().unwrap();
        let request = RequestContext::from_address(&rig.sessions, &headers, address)
            .with_request_id("request-7");
        let id = request.sign_in(&ada()).await.unwrap();
        request.sign_out().await.unwrap();
        let events = recorder.take();
        assert_eq!(events.len(), 2);
        for event in events {
            assert_eq!(event.at(), rig.now());
            assert_eq!(event.session(), Some(id), "{strategy:?}");
            assert_eq!(event.subject(), Some(&ada()));
            assert_eq!(event.address(), Some(address));
            assert_eq!(event.agent(), Some("Desk/2.0"));
            assert_eq!(event.request_id(), Some("request-7"));
        }
    }
}

#[tokio::test]
async fn sd_09_asvs_7_1_2_what_the_limit_ended_is_told_first() {
    let most = NonZeroU32::MIN;
    let (rig, recorder) =
        recorded(|builder| builder.session_limit(SessionLimit::EvictOldest(most)));
    let first = rig.sessions.create(&ada()).await.unwrap().id();
    recorder.take();
    rig.sessions.create(&ada()).await.unwrap();
    let events = recorder.take();
    assert_eq!(events[0].kind(), Kind::Revoked(Revocation::Limit));
    assert_eq!(events[0].session(), Some(first));
    assert_eq!(events[1].kind(), Kind::Created);

    let (rig, recorder) = recorded(|builder| builder.session_limit(SessionLimit::Reject(most)));
    rig.sessions.create(&ada()).await.unwrap();
    rig.sessions.create(&ada()).await.unwrap_err();
    assert_eq!(recorder.kinds(), [Kind::Created]);
}

#[tokio::test]
async fn asvs_16_3_1_what_is_refused_is_told_once_in_each_request() {
    for strategy in STRATEGIES {
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy));
        let browser = Browser::signed_in(&rig, &ada()).await;
        recorder.take();
        let cookie = browser.cookie();
        let twice = format!("{cookie}; {cookie}");
        for wrong in [format!("{cookie}x"), twice, "__Host-session=x".to_owned()] {
            let request = RequestContext::new(&rig.sessions, &cookie_header(&wrong));
            // A route's rule may have looked before.
            let _refused = request.optimistic();
            for _ in 0..2 {
                request.verify_session::<Member>().await.unwrap_err();
                request.verify_current::<Member>().await.unwrap_err();
            }
            let events = recorder.take();
            assert_eq!(events.len(), 1, "{strategy:?} {wrong}");
            assert_eq!(events[0].kind(), Kind::Refused);
            assert_eq!(events[0].subject(), None);
            assert_eq!(events[0].session(), None);
            assert!(events[0].request_id().is_some());
        }
        // Nothing that was presented was refused.
        assert_eq!(Browser::default().status(&rig).await, 401);
        assert_eq!(recorder.kinds(), []);

        rig.clock.advance(31 * DAY);
        assert_eq!(browser.status(&rig).await, 401);
        // An opaque cookie does not say that it is old, and a store does not tell of old sessions.
        let expected = match strategy {
            Strategy::Hybrid | Strategy::Stateless => Kind::Expired,
            Strategy::Database => Kind::Refused,
        };
        assert_eq!(recorder.kinds(), [expected], "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_16_2_5_rf_16_no_event_holds_a_token() {
    for strategy in STRATEGIES {
        let logs = Capture::start();
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy));
        let mut tokens = Vec::new();
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        tokens.extend(browser.jar.values().cloned());
        rig.clock.advance(MINUTE);
        browser.visit(&rig).await;
        let request = browser.request(&rig);
        request.extend_session().await.unwrap();
        browser.finish(&request);
        tokens.extend(browser.jar.values().cloned());
        let request = browser.request(&rig);
        request.step_up(&ada(), Assurance::Aal2).await.unwrap();
        browser.finish(&request);
        tokens.extend(browser.jar.values().cloned());
        let wrong = format!("{}x", browser.cookie());
        let request = RequestContext::new(&rig.sessions, &cookie_header(&wrong));
        let shown = format!(
            "{:?}",
            request.verify_session::<Member>().await.unwrap_err()
        );
        browser.request(&rig).sign_out().await.unwrap();
        assert_eq!(browser.status(&rig).await, 401);
        let told = format!("{:?}", recorder.take());
        let text = logs.text();
        assert!(text.contains("session stepped_up"), "{text}");
        assert!(text.contains("reason=\"sign_out\""), "{text}");
        for token in tokens {
            // The header of a JWE is the same for all, and no secret.
            let secret = token.split('.').next_back().unwrap();
            for output in [&told, &text, &shown] {
                assert!(!output.contains(&secret[..16]), "{strategy:?} {output}");
            }
        }
    }
}
