//! What is told of sessions.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use clearance::audit::SessionEventKind as Kind;
use clearance::audit::{
    CredentialRefusal, Revocation, SessionEvent, SessionEventSink, SignInRefusal,
};
use clearance::session::{
    Assurance, Freshness, RequestOrigin, SessionHooks, SessionLimit, SessionsBuilder, SignIn,
    Strategy, Verdict,
};
use clearance::{RequestContext, SourceError, Subject, Verified, async_trait};

use crate::browser::Browser;
use crate::support::logs::Capture;
use crate::support::{DAY, MINUTE, Member, Rig, STRATEGIES, cookie_header};

const UNKNOWN: Kind = Kind::Refused(CredentialRefusal::Unknown);

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
        assert_eq!(recorder.kinds(), [UNKNOWN]);

        let request = browser.request(&rig);
        request.sign_out().await.unwrap();
        request.sign_out().await.unwrap();
        assert_eq!(recorder.kinds(), [Kind::Revoked(Revocation::SignOut)]);
        assert_eq!(browser.status(&rig).await, 401);
        assert_eq!(recorder.kinds(), [UNKNOWN]);

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
    let refused = Kind::SignInRefused(SignInRefusal::Limit);
    assert_eq!(recorder.kinds(), [Kind::Created, refused]);
}

#[tokio::test]
async fn asvs_16_3_1_what_is_refused_is_told_once_in_each_request() {
    for strategy in STRATEGIES {
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy));
        let browser = Browser::signed_in(&rig, &ada()).await;
        recorder.take();
        let cookie = browser.cookie();
        let twice = format!("{cookie}; {cookie}");
        for (wrong, why) in [
            (format!("{cookie}x"), CredentialRefusal::Invalid),
            (twice, CredentialRefusal::Ambiguous),
            ("__Host-session=x".to_owned(), CredentialRefusal::Invalid),
        ] {
            let logs = Capture::start();
            let address = "203.0.113.7".parse().unwrap();
            let headers = cookie_header(&wrong);
            let request = RequestContext::from_address(&rig.sessions, &headers, address)
                .with_request_id("request-7");
            // A route's rule may have looked before.
            let _refused = request.optimistic();
            for _ in 0..2 {
                request.verify_session::<Member>().await.unwrap_err();
                request.verify_current::<Member>().await.unwrap_err();
            }
            let events = recorder.take();
            assert_eq!(events.len(), 1, "{strategy:?} {wrong}");
            assert_eq!(events[0].kind(), Kind::Refused(why));
            assert_eq!(events[0].subject(), None);
            assert_eq!(events[0].session(), None);
            assert_eq!(events[0].address(), Some(address));
            assert_eq!(events[0].request_id(), Some("request-7"));
            // Both say the same.
            let line = format!(
                "credential refused refusal=\"{}\" address=\"203.0.113.7\" request_id=\"request-7\"",
                events[0].kind().reason().unwrap()
            );
            assert_eq!(logs.count(&line), 1, "{line} in:\n{}", logs.text());
            assert_eq!(logs.count("credential refused"), 1);
        }
        // Nothing that was presented was refused.
        assert_eq!(Browser::default().status(&rig).await, 401);
        assert_eq!(recorder.kinds(), []);

        rig.clock.advance(31 * DAY);
        assert_eq!(browser.status(&rig).await, 401);
        // An opaque cookie does not say that it is old, and a store does not tell of old sessions.
        let expected = match strategy {
            Strategy::Hybrid | Strategy::Stateless => Kind::Expired,
            Strategy::Database => UNKNOWN,
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

/// Refuses whoever is called Eve, and asks everybody else for a proof.
struct Strict;

#[async_trait]
impl SessionHooks<Member> for Strict {
    async fn on_sign_in(
        &self,
        sign_in: SignIn,
        _from: &RequestOrigin,
    ) -> Result<Option<SignIn>, SourceError> {
        Ok(Some(sign_in).filter(|sign_in| sign_in.subject().as_str() != "eve"))
    }

    async fn on_verify(&self, _session: &Verified<Member>, _from: &RequestOrigin) -> Verdict {
        Verdict::StepUp
    }
}

#[tokio::test]
async fn sd_09_asvs_16_3_1_a_sign_in_that_is_refused_is_told_with_its_reason() {
    let address = "203.0.113.7".parse().unwrap();
    for strategy in STRATEGIES {
        let stored = strategy != Strategy::Stateless;
        let (rig, recorder) = recorded(|builder| {
            let builder = builder.strategy(strategy).hooks(Strict);
            if stored {
                builder.session_limit(SessionLimit::Reject(NonZeroU32::MIN))
            } else {
                builder
            }
        });
        rig.sessions.create(&ada()).await.unwrap();
        assert_eq!(recorder.kinds(), [Kind::Created], "{strategy:?}");

        let eve = Subject::new("eve");
        let image = [("sec-fetch-dest", "image")];
        let mut cases = vec![
            (eve, &[][..], SignInRefusal::Hook, "hook"),
            (ada(), &image[..], SignInRefusal::Unintended, "unintended"),
        ];
        // Nobody counts stateless sessions.
        if stored {
            cases.push((ada(), &[], SignInRefusal::Limit, "limit"));
        }
        for (subject, headers, why, word) in cases {
            let logs = Capture::start();
            let mut map = http::HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let request = RequestContext::from_address(&rig.sessions, &map, address)
                .with_request_id("request-7");
            let error = request.sign_in(&subject).await.unwrap_err();
            assert_eq!(error.status(), 403);
            assert_eq!(error.is_too_many_sessions(), why == SignInRefusal::Limit);
            let events = recorder.take();
            assert_eq!(events.len(), 1, "{strategy:?} {why:?}");
            assert_eq!(events[0].kind(), Kind::SignInRefused(why));
            assert_eq!(events[0].kind().reason(), Some(word));
            assert_eq!(events[0].subject(), Some(&subject));
            assert_eq!(events[0].session(), None);
            assert_eq!(events[0].address(), Some(address));
            assert_eq!(events[0].request_id(), Some("request-7"));
            let line = format!(
                "session sign_in_refused subject=\"{subject}\" reason=\"{word}\" address=\"203.0.113.7\" request_id=\"request-7\""
            );
            assert_eq!(logs.count(&line), 1, "{line} in:\n{}", logs.text());
        }
    }
}

#[tokio::test]
async fn sd_09_a_session_under_a_new_id_is_told_with_the_one_that_it_had() {
    for strategy in STRATEGIES {
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy));
        let mut browser = Browser::default();
        let request = browser.request(&rig);
        let first = request.sign_in(&ada()).await.unwrap();
        browser.finish(&request);
        assert_eq!(recorder.take()[0].previous(), None);

        let logs = Capture::start();
        let request = browser.request(&rig);
        let second = request.rotate_session().await.unwrap();
        let third = request.step_up(&ada(), Assurance::Aal2).await.unwrap();
        browser.finish(&request);
        let steps: Vec<_> = recorder
            .take()
            .iter()
            .map(|event| (event.kind(), event.previous(), event.session()))
            .collect();
        assert_eq!(
            steps,
            [
                (Kind::Rotated, Some(first), Some(second)),
                (Kind::SteppedUp, Some(second), Some(third)),
            ],
            "{strategy:?}"
        );
        for (word, previous, next) in [("rotated", first, second), ("stepped_up", second, third)] {
            let line = format!("session {word} session=\"{next}\" previous=\"{previous}\"");
            assert_eq!(logs.count(&line), 1, "{line} in:\n{}", logs.text());
        }

        // A stateless session outlives its subject's others under a new id.
        let request = browser.request(&rig);
        let proof = request
            .verify_fresh::<Member>(Freshness::within(MINUTE))
            .await
            .unwrap();
        request.revoke_other_sessions(&proof).await.unwrap();
        browser.finish(&request);
        let events = recorder.take();
        assert_eq!(events[0].kind(), Kind::RevokedMany(0), "{strategy:?}");
        if strategy == Strategy::Stateless {
            let request = browser.request(&rig);
            let now = request.verify_session::<Member>().await.unwrap();
            assert_eq!(events[1].kind(), Kind::Rotated);
            assert_eq!(events[1].previous(), Some(third));
            assert_eq!(events[1].session(), Some(now.session_id()));
        } else {
            assert_eq!(events.len(), 1, "{strategy:?}");
        }
    }
}

#[tokio::test]
async fn sd_09_that_a_fresh_proof_is_wanted_is_told_once_in_each_request() {
    for strategy in STRATEGIES {
        for hooked in [false, true] {
            let (rig, recorder) = recorded(|builder| {
                let builder = builder.strategy(strategy);
                if hooked {
                    builder.hooks(Strict)
                } else {
                    builder
                }
            });
            let mut browser = Browser::default();
            let request = browser.request(&rig);
            let id = request.sign_in(&ada()).await.unwrap();
            browser.finish(&request);
            recorder.take();
            let request = browser.request(&rig).with_request_id("request-7");
            let freshness = Freshness::within(MINUTE).assurance(Assurance::Aal2);
            for _ in 0..2 {
                let error = request.verify_fresh::<Member>(freshness).await.unwrap_err();
                assert!(error.is_step_up());
            }
            let events = recorder.take();
            assert_eq!(events.len(), 1, "{strategy:?} {hooked}");
            assert_eq!(events[0].kind(), Kind::StepUpRequired);
            assert_eq!(events[0].session(), Some(id));
            assert_eq!(events[0].subject(), Some(&ada()));
            assert_eq!(events[0].request_id(), Some("request-7"));
            if !hooked {
                let freshness = Freshness::within(MINUTE);
                let fresh = browser
                    .request(&rig)
                    .verify_fresh::<Member>(freshness)
                    .await;
                assert!(fresh.is_ok());
                assert_eq!(recorder.kinds(), []);
            }
        }
    }
}

#[tokio::test]
async fn sd_09_who_is_asked_for_a_proof_is_told_of_only_where_the_credential_is_refused() {
    for strategy in STRATEGIES {
        let (rig, recorder) = recorded(|builder| builder.strategy(strategy).hooks(Strict));
        let mut browser = Browser::default();
        let request = browser.request(&rig);
        request.sign_in(&ada()).await.unwrap();
        browser.finish(&request);
        recorder.take();
        let request = browser.request(&rig);
        assert_eq!(request.subject_to_prove().await.unwrap(), ada());
        assert_eq!(recorder.kinds(), [], "{strategy:?}");

        let headers = cookie_header("__Host-session=forged");
        let request = RequestContext::new(&rig.sessions, &headers);
        let error = request.subject_to_prove().await.unwrap_err();
        assert!(error.is_unauthenticated());
        let refused = Kind::Refused(CredentialRefusal::Invalid);
        assert_eq!(recorder.kinds(), [refused], "{strategy:?}");
    }
}
