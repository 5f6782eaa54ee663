//! What is logged, and what never is.

use clearance::session::MemorySessionStore;
use clearance::{Sessions, Subject};

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
