//! What is logged, and what never is.

use std::sync::{Arc, Mutex};

use clearance::session::MemorySessionStore;
use clearance::{RequestContext, Sessions, Subject};
use tracing::field::{Field, Visit};

use crate::support::logs::Capture;
use crate::support::{MINUTE, Member, Rig, Source, key, sqlite_file};

#[tokio::test]
async fn rf_16_no_log_line_and_no_debug_output_holds_a_token_a_key_or_a_secret() {
    let logs = Capture::start();
    let mut shown = String::new();
    let mut tokens = Vec::new();
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        let context = rig.request("");
        context.sign_in(&Subject::new("ada")).await.unwrap();
        let mut response = http::HeaderMap::new();
        context.finish(&mut response);
        // A response's headers are often logged whole.
        shown += &format!("{response:?} {context:?}");
        let cookie = crate::support::pair(&response["set-cookie"]);
        tokens.push(cookie.split_once('=').unwrap().1.to_owned());

        let device = rig.device("eve").await;
        tokens.push(device.value().to_owned());
        for _ in 0..3 {
            let context = rig.request(&cookie);
            let verified = context.verify_session::<Member>().await.unwrap();
            let current = context.verify_current::<Member>().await.unwrap();
            let optimistic = context.optimistic().unwrap();
            shown += &format!("{verified:?} {current:#?} {optimistic:?} {context:?}");
            rig.clock.advance(MINUTE);
        }
        shown += &format!("{:?}", rig.sessions.list(&Subject::new("eve")).await);
        shown += &format!("{:?} {}", rig.sessions, rig.sessions.explain());
        shown += &format!("{:?}", rig.sessions.create(&Subject::new("eve")).await);
        shown += &format!("{:?}", rig.verify(&format!("{cookie}x")).await);
        rig.members
            .down
            .store(true, std::sync::atomic::Ordering::SeqCst);
        shown += &format!("{:?}", rig.verify(&device.cookie).await);
        rig.store.set_down(true);
        shown += &format!("{:?}", rig.verify(&device.cookie).await);
        rig.store.set_down(false);
        rig.members
            .down
            .store(false, std::sync::atomic::Ordering::SeqCst);
        rig.request(&cookie).sign_out().await.unwrap();
        shown += &format!("{:?}", rig.verify(&cookie).await);
        rig.sessions.revoke_all(&Subject::new("eve")).await.unwrap();
        rig.sessions.sweep().await.unwrap();
    }
    let builder = Sessions::builder(
        key(0),
        MemorySessionStore::new(),
        Source(Default::default()),
    );
    shown += &format!("{builder:?} {:?} {db:?} {:?}", key(0), db.session_store());

    let text = logs.text();
    for event in [
        "session created",
        "session revoked",
        "session revoked_many",
        "credential refused",
        "session store failed",
        "viewer source failed",
        "INSERT INTO",
    ] {
        assert!(
            text.contains(event),
            "the capture misses `{event}`:\n{text}"
        );
    }
    let key_text = key(0).expose_text();
    let key_bytes: Vec<String> = (0..32_u8).map(|byte| byte.to_string()).collect();
    tokens.push(key_text.trim_start_matches("base64:").to_owned());
    tokens.push(key_bytes.join(", "));
    tokens.push("hunter2".to_owned());
    for output in [&text, &shown] {
        for token in &tokens {
            assert!(!output.contains(token.as_str()), "{token} in:\n{output}");
            assert!(!output.contains(&token[..token.len().min(24)]));
        }
    }
}

/// What every event says as text, as a subscriber is given it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        let said = format!("{}={value}", field.name());
        self.0.lock().unwrap().push(said);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl tracing::Subscriber for Said {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn sd_62_no_event_turns_the_direction_of_a_log() {
    let said = Said::default();
    let _guard = tracing::subscriber::set_default(said.clone());
    let rig = Rig::new();
    let mut headers = http::HeaderMap::new();
    let agent = "x\u{202e}y\u{2067}z".as_bytes();
    headers.insert("user-agent", http::HeaderValue::from_bytes(agent).unwrap());
    let request = RequestContext::new(&rig.sessions, &headers);
    let request = request.with_request_id("\u{202e}forged");
    let subject = Subject::new("ada\u{202e}nimda\u{200f}\n");
    request.sign_in(&subject).await.unwrap();
    request.sign_out().await.unwrap();
    rig.sessions.revoke_all(&subject).await.unwrap();
    let said = said.0.lock().unwrap();
    let shown = "subject=ada\\u{202e}nimda\\u{200f}\\n";
    assert!(
        said.iter().filter(|said| *said == shown).count() >= 3,
        "{said:?}"
    );
    for said in said.iter() {
        let hidden =
            |letter: char| letter.is_control() || "\u{202e}\u{2067}\u{200f}".contains(letter);
        assert!(!said.contains(hidden), "{said:?}");
    }
}
