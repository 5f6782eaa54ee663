//! The application's own part.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use clearance::session::{
    Assurance, RequestOrigin, SessionClaims, SessionHooks, SessionsBuilder, SignIn, Strategy,
    Verdict,
};
use clearance::{
    Key, RequestContext, Result, Sessions, SourceError, Subject, Verified, Viewer, ViewerSource,
    async_trait,
};

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig, STRATEGIES, cookie_header, count};

fn ada() -> Subject {
    Subject::new("ada")
}

/// An application that suspends, and watches where its users come from.
#[derive(Default)]
struct App {
    suspended: Mutex<BTreeSet<String>>,
    asked: AtomicUsize,
    refreshed: AtomicUsize,
}

impl App {
    fn suspend(&self, name: &str) {
        self.suspended.lock().unwrap().insert(name.to_owned());
    }

    fn has_suspended(&self, subject: &Subject) -> bool {
        self.suspended.lock().unwrap().contains(subject.as_str())
    }
}

struct Hooks(Arc<App>);

#[async_trait]
impl SessionHooks<Member> for Hooks {
    async fn on_sign_in(
        &self,
        sign_in: SignIn,
        from: &RequestOrigin,
    ) -> Result<Option<SignIn>, SourceError> {
        if self.0.has_suspended(sign_in.subject()) {
            return Ok(None);
        }
        let home = from.address().map(|address| address.to_string());
        let home = home.unwrap_or_default();
        Ok(Some(sign_in.claim("home", home)?.claim("visits", 1_i64)?))
    }

    fn on_refresh(&self, claims: SessionClaims) -> SessionClaims {
        self.0.refreshed.fetch_add(1, Ordering::SeqCst);
        let visits = claims.get("visits").and_then(|visits| visits.as_integer());
        claims
            .with("visits", visits.unwrap_or_default() + 1)
            .unwrap()
    }

    async fn on_verify(&self, session: &Verified<Member>, from: &RequestOrigin) -> Verdict {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let home = session.claims().get("home").and_then(|home| home.as_text());
        let here = from.address().map(|address| address.to_string());
        let proved = session.authenticated_at() > session.created_at();
        if self.0.has_suspended(session.subject()) {
            Verdict::Revoke
        } else if !proved && home != Some(&*here.unwrap_or_default()) {
            Verdict::StepUp
        } else {
            Verdict::Keep
        }
    }
}

fn hooked(strategy: Strategy) -> (Rig, Arc<App>) {
    let app = Arc::new(App::default());
    let settings = |builder: SessionsBuilder<Member>| {
        builder.strategy(strategy).hooks(Hooks(Arc::clone(&app)))
    };
    (Rig::with(settings), app)
}

async fn visits(rig: &Rig, browser: &mut Browser) -> Option<i64> {
    let request = browser.request(rig);
    let verified = request.verify_session::<Member>().await.unwrap();
    browser.finish(&request);
    verified
        .claims()
        .get("visits")
        .and_then(|visits| visits.as_integer())
}

#[tokio::test]
async fn sl_17_claims_are_noted_at_the_sign_in_and_changed_in_a_new_token_only() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        for _ in 0..3 {
            assert_eq!(visits(&rig, &mut browser).await, Some(1), "{strategy:?}");
        }
        assert_eq!(count(&app.refreshed), 0);
        rig.clock.advance(MINUTE);
        assert_eq!(visits(&rig, &mut browser).await, Some(1));
        let stateless = strategy == Strategy::Stateless;
        let expected = if stateless { 2 } else { 1 };
        assert_eq!(
            visits(&rig, &mut browser).await,
            Some(expected),
            "{strategy:?}"
        );
        let request = browser.request(&rig);
        request.extend_session().await.unwrap();
        browser.finish(&request);
        let expected = if stateless { 3 } else { 1 };
        assert_eq!(
            visits(&rig, &mut browser).await,
            Some(expected),
            "{strategy:?}"
        );
        // A new id is no new token of the old session.
        let request = browser.request(&rig);
        request.rotate_session().await.unwrap();
        browser.finish(&request);
        assert_eq!(
            visits(&rig, &mut browser).await,
            Some(expected),
            "{strategy:?}"
        );
        assert_eq!(count(&app.refreshed) > 0, stateless);
    }
}

#[tokio::test]
async fn rb_20_a_sign_in_that_is_refused_changes_nothing() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        app.suspend("eve");
        let eve = Subject::new("eve");
        let request = browser.request(&rig);
        let error = request.sign_in(&eve).await.unwrap_err();
        assert!(error.is_forbidden(), "what the hook said");
        assert_eq!(browser.finish(&request), [""; 0]);
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
        let error = rig.sessions.create(&eve).await.unwrap_err();
        assert!(error.is_forbidden(), "outside of requests, too");
    }
}

#[tokio::test]
async fn rb_20_what_a_suspended_user_does_with_a_session_is_judged_too() {
    for strategy in STRATEGIES {
        for step in 0..4 {
            let (rig, app) = hooked(strategy);
            let mut browser = Browser::signed_in(&rig, &ada()).await;
            let data = browser.request(&rig).session_data::<u8>().await;
            app.suspend("ada");
            let request = browser.request(&rig);
            match step {
                0 => assert!(
                    request
                        .session_data::<u8>()
                        .await
                        .unwrap_err()
                        .is_unauthenticated()
                ),
                1 => {
                    let Ok(mut data) = data else {
                        // Stateless sessions have none.
                        continue;
                    };
                    *data = Some(1);
                    let error = request.set_session_data(&mut data).await.unwrap_err();
                    assert!(error.is_unauthenticated());
                }
                2 => assert!(request.extend_session().await.unwrap().is_none()),
                _ => assert!(
                    request
                        .rotate_session()
                        .await
                        .unwrap_err()
                        .is_unauthenticated()
                ),
            }
            browser.finish(&request);
            assert!(browser.jar.is_empty(), "{strategy:?} {step}");
        }
    }
}

#[tokio::test]
async fn rb_20_a_suspended_user_has_no_session_from_the_next_request_on() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let eve = Browser::signed_in(&rig, &Subject::new("eve")).await;
        assert_eq!(browser.visit(&rig).await, 200);
        let copied = browser.clone();
        app.suspend("ada");
        let request = browser.request(&rig);
        let error = request.verify_session::<Member>().await.unwrap_err();
        assert!(error.is_unauthenticated() && !error.is_step_up());
        let removed = browser.finish(&request);
        assert_eq!(removed.len(), 1, "{strategy:?}");
        assert!(browser.jar.is_empty(), "{strategy:?}");
        // It is over, whatever the application says later.
        app.suspended.lock().unwrap().clear();
        assert_eq!(copied.status(&rig).await, 401, "{strategy:?}");
        assert_eq!(eve.status(&rig).await, 200);

        let request = eve.request(&rig);
        app.suspend("eve");
        let error = request.verify_current::<Member>().await.unwrap_err();
        assert!(error.is_unauthenticated());
        assert_eq!(eve.status(&rig).await, 401);
    }
}

#[tokio::test]
async fn asvs_7_4_2_every_session_of_a_user_who_is_disabled_or_deleted_ends() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let mut browsers = Vec::new();
        for name in ["ada", "ada", "ada", "eve"] {
            let browser = Browser::signed_in(&rig, &Subject::new(name)).await;
            assert_eq!(browser.status(&rig).await, 200);
            browsers.push(browser);
        }
        let statuses = async |rig: &Rig| {
            let mut statuses = Vec::new();
            for browser in &browsers {
                statuses.push(browser.status(rig).await);
            }
            statuses
        };
        app.suspend("ada");
        assert_eq!(statuses(&rig).await, [401, 401, 401, 200], "{strategy:?}");
        // Whoever comes back signs in anew.
        app.suspended.lock().unwrap().clear();
        assert_eq!(statuses(&rig).await, [401, 401, 401, 200], "{strategy:?}");

        // The row of a user is gone, and nobody told the library.
        rig.members.gone.lock().unwrap().push("eve".to_owned());
        let request = browsers[3].request(&rig);
        let current = request.verify_current::<Member>().await;
        assert!(current.unwrap_err().is_unauthenticated(), "{strategy:?}");
        assert_eq!(statuses(&rig).await, [401; 4], "{strategy:?}");
        // And the sessions themselves, for when the id is somebody's again.
        rig.sessions.revoke_all(&Subject::new("eve")).await.unwrap();
        rig.members.gone.lock().unwrap().clear();
        assert_eq!(statuses(&rig).await, [401; 4], "{strategy:?}");
    }
}

#[tokio::test]
async fn rb_20_when_the_session_cannot_be_ended_the_request_is_not_let_in() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        assert_eq!(browser.visit(&rig).await, 200);
        app.suspend("ada");
        rig.store.set_down(true);
        assert_eq!(browser.visit(&rig).await, 503, "{strategy:?}");
        rig.store.set_down(false);
        assert_eq!(browser.visit(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_8_2_4_a_change_of_address_asks_for_another_proof() {
    for strategy in STRATEGIES {
        let (rig, _app) = hooked(strategy);
        let home: IpAddr = "203.0.113.7".parse().unwrap();
        let away: IpAddr = "198.51.100.9".parse().unwrap();
        let mut browser = Browser::default();
        let from = |browser: &Browser, address| {
            RequestContext::from_address(&rig.sessions, &browser.headers(), address)
        };
        let request = from(&browser, home);
        request.sign_in(&ada()).await.unwrap();
        browser.finish(&request);
        assert!(
            from(&browser, home)
                .verify_session::<Member>()
                .await
                .is_ok()
        );
        let request = from(&browser, away);
        for _ in 0..2 {
            let error = request.verify_session::<Member>().await.unwrap_err();
            assert!(error.is_step_up(), "{strategy:?}");
            let error = request.verify_current::<Member>().await.unwrap_err();
            assert!(error.is_step_up(), "{strategy:?}");
        }
        // The session is still there.
        assert!(
            from(&browser, home)
                .verify_session::<Member>()
                .await
                .is_ok()
        );
        rig.clock.advance(MINUTE);
        let request = from(&browser, away);
        request.step_up(&ada(), Assurance::Aal1).await.unwrap();
        assert!(request.verify_session::<Member>().await.is_ok());
        browser.finish(&request);
        assert!(
            from(&browser, away)
                .verify_session::<Member>()
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn asvs_7_5_3_only_a_proof_of_the_sessions_own_subject_steps_it_up() {
    let away: IpAddr = "198.51.100.9".parse().unwrap();
    for strategy in STRATEGIES {
        let (rig, _app) = hooked(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = RequestContext::from_address(&rig.sessions, &browser.headers(), away);
        let error = request.verify_session::<Member>().await.unwrap_err();
        assert!(error.is_step_up(), "{strategy:?}");
        // The page that asks for the proof has to know of whom.
        assert_eq!(request.subject_to_prove().await.unwrap(), ada());

        let eve = Subject::new("eve");
        let refused = request.step_up(&eve, Assurance::Aal2).await.unwrap_err();
        assert!(refused.is_forbidden(), "{strategy:?}");
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
        request.step_up(&ada(), Assurance::Aal2).await.unwrap();
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_5_3_a_proof_brings_back_nobody_who_is_suspended_or_gone() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let mut suspended = Browser::signed_in(&rig, &ada()).await;
        let gone = Browser::signed_in(&rig, &Subject::new("eve")).await;
        app.suspend("ada");
        rig.members.gone.lock().unwrap().push("eve".to_owned());

        let request = suspended.request(&rig);
        let refused = request.step_up(&ada(), Assurance::Aal2).await.unwrap_err();
        assert!(refused.is_unauthenticated(), "{strategy:?}");
        suspended.finish(&request);
        assert!(suspended.jar.is_empty(), "{strategy:?}");

        let request = gone.request(&rig);
        let eve = Subject::new("eve");
        let refused = request.step_up(&eve, Assurance::Aal2).await.unwrap_err();
        assert!(refused.is_unauthenticated(), "{strategy:?}");
        let refused = request.subject_to_prove().await.unwrap_err();
        assert!(refused.is_unauthenticated(), "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_8_2_4_the_hook_is_asked_once_in_each_request() {
    for strategy in STRATEGIES {
        let (rig, app) = hooked(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        for requests in 1..4 {
            let request = browser.request(&rig);
            for _ in 0..5 {
                request.verify_session::<Member>().await.unwrap();
            }
            assert_eq!(count(&app.asked), requests, "{strategy:?}");
        }
        assert_eq!(count(&rig.store.loads), 1, "whatever the cache says");
        // Whoever wants to know what holds now has it asked now.
        let request = browser.request(&rig);
        for asked in 4..7 {
            request.verify_current::<Member>().await.unwrap();
            assert_eq!(count(&app.asked), asked, "{strategy:?}");
        }
    }
}

/// An application that keeps no users: what it knows of them stands in the session.
struct Guest {
    subject: Subject,
    role: String,
}

impl Viewer for Guest {
    fn subject(&self) -> Subject {
        self.subject.clone()
    }
}

struct Guests;

#[async_trait]
impl ViewerSource<Guest> for Guests {
    async fn load(&self, _: &Subject) -> std::result::Result<Option<Guest>, SourceError> {
        Err("a guest is known by its claims only".into())
    }

    async fn load_with(
        &self,
        subject: &Subject,
        claims: &SessionClaims,
    ) -> std::result::Result<Option<Guest>, SourceError> {
        let role = claims.get("role").and_then(|role| role.as_text());
        Ok(role.map(|role| Guest {
            subject: subject.clone(),
            role: role.to_owned(),
        }))
    }
}

#[tokio::test]
async fn rb_06_a_viewer_can_be_made_of_what_was_noted_at_the_sign_in() {
    for strategy in STRATEGIES {
        let store = clearance::session::MemorySessionStore::new();
        let sessions = Sessions::builder(Key::generate().unwrap(), store, Guests)
            .app_url("https://app.example")
            .strategy(strategy)
            .build()
            .unwrap();
        for (role, expected) in [(Some("editor"), Some("editor")), (None, None)] {
            let sign_in = SignIn::new(ada());
            let sign_in = match role {
                Some(role) => sign_in.claim("role", role).unwrap(),
                None => sign_in,
            };
            let new = sessions.create(sign_in).await.unwrap();
            let cookie = crate::support::pair(&new.into_set_cookies()[0]);
            let request = RequestContext::new(&sessions, &cookie_header(&cookie));
            let verified = request.verify_session::<Guest>().await.ok();
            let found = verified.as_ref().map(|guest| &*guest.viewer().role);
            assert_eq!(found, expected, "{strategy:?}");
        }
    }
}

/// Notes a claim under a name that the library keeps for itself.
struct Careless;

#[async_trait]
impl SessionHooks<Member> for Careless {
    async fn on_sign_in(
        &self,
        sign_in: SignIn,
        _: &RequestOrigin,
    ) -> Result<Option<SignIn>, SourceError> {
        Ok(Some(sign_in.claim("exp", 1_i64)?))
    }
}

#[tokio::test]
async fn sl_17_what_the_library_says_in_a_hook_is_the_answer() {
    let rig = Rig::with(|builder| builder.hooks(Careless));
    let request = Browser::default().request(&rig);
    let error = request.sign_in(&ada()).await.unwrap_err();
    assert!(error.is_misuse(), "{error}");
}

fn noted() -> SignIn {
    let sign_in = SignIn::new(ada()).claim("name", "Ada Lovelace").unwrap();
    let sign_in = sign_in.claim("image", "/ada.png").unwrap();
    let sign_in = sign_in.claim("refresh_token", "do-not-show").unwrap();
    sign_in
        .claim("groups", vec!["one".to_owned(), "two".to_owned()])
        .unwrap()
}

#[tokio::test]
async fn sl_18_dt_13_a_view_shows_the_chosen_claims_and_no_others() {
    for strategy in STRATEGIES {
        for (rig, expected) in [
            (
                Rig::of(strategy),
                serde_json::json!({
                    "id": "ada",
                    "expires_at": "2026-01-31T00:00:00Z",
                    "name": "Ada Lovelace",
                    "image": "/ada.png",
                }),
            ),
            (
                Rig::with(|builder| builder.strategy(strategy).view(["groups", "absent"])),
                serde_json::json!({
                    "id": "ada",
                    "expires_at": "2026-01-31T00:00:00Z",
                    "groups": ["one", "two"],
                }),
            ),
            (
                Rig::with(|builder| builder.strategy(strategy).view([""; 0])),
                serde_json::json!({ "id": "ada", "expires_at": "2026-01-31T00:00:00Z" }),
            ),
        ] {
            let browser = Browser::signed_in(&rig, noted()).await;
            let request = browser.request(&rig);
            let view = request.session_view::<Member>().await.unwrap();
            assert_eq!(
                serde_json::to_value(&view).unwrap(),
                expected,
                "{strategy:?}"
            );
            assert!(!format!("{view:?}").contains("do-not-show"));
            let verified = request.verify_session::<Member>().await.unwrap();
            assert!(!format!("{:?}", verified.claims()).contains("do-not-show"));
            let nobody = Browser::default().request(&rig);
            assert!(nobody.session_view::<Member>().await.is_err());
        }
    }
}

#[test]
fn sl_18_a_view_shows_no_claim_in_the_place_of_the_subject() {
    for name in ["id", "expires_at"] {
        let built = Sessions::<Member>::builder(
            crate::support::key(0),
            clearance::session::MemorySessionStore::new(),
            crate::support::Source(Default::default()),
        )
        .app_url("https://app.example")
        .view(["name", name])
        .build();
        let error = built.unwrap_err();
        assert!(
            error.is_configuration() && error.to_string().contains(name),
            "{error}"
        );
    }
}

#[test]
fn sl_06_a_session_holds_a_bounded_number_of_claims_under_names_of_its_own() {
    let mut claims = SessionClaims::new();
    for number in 0..13 {
        claims = claims.with(format!("claim {number}"), number).unwrap();
    }
    assert!(claims.clone().with("one more", 1).unwrap_err().is_misuse());
    // One that is there is replaced.
    let claims = claims.with("claim 0", "other").unwrap();
    assert_eq!(claims.get("claim 0").unwrap().as_text(), Some("other"));
    assert_eq!(claims.iter().count(), 13);
    for name in [
        "",
        "sub",
        "exp",
        "jti",
        "session_at",
        "session_x",
        &"x".repeat(65),
    ] {
        assert!(
            SessionClaims::new().with(name, 1).unwrap_err().is_misuse(),
            "{name}"
        );
    }
}
