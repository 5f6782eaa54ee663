//! What is sealed or signed with a key of the ring, while that key is changed node by node.

use std::time::Duration;

use clearance::Subject;
use clearance::session::Strategy;
use clearance::token::{Claims, EncryptedCodec, KeyRing, SignedCodec};

use crate::browser::Browser;
use crate::support::{Member, Rig, STRATEGIES, key};

/// The rings of nodes that run at the same time, by pairs: a key is made known to all nodes before it
/// seals, or seals at once where it is known.
fn pairs() -> [(KeyRing, KeyRing); 3] {
    let (old, new) = (key(0), key(1));
    let before = KeyRing::new(old.clone());
    let known = before.clone().retired(new.clone());
    let changed = KeyRing::new(new).retired(old);
    [
        (known.clone(), before),
        (known.clone(), changed.clone()),
        (changed, known),
    ]
}

/// What is made on the first node of a pair, and whether the second one takes it.
async fn is_taken(made_by: &KeyRing, taken_by: &KeyRing) -> Vec<(&'static str, bool)> {
    let mut taken = Vec::new();
    for strategy in STRATEGIES {
        let settings =
            |builder: clearance::session::SessionsBuilder<Member>| builder.strategy(strategy);
        let first = Rig::with(|builder| builder).beside(made_by.clone(), settings);
        let second = first.beside(taken_by.clone(), settings);
        let browser = Browser::signed_in(&first, &Subject::new("ada")).await;
        // An opaque cookie is sealed with no key.
        if strategy != Strategy::Database {
            taken.push((strategy.as_str(), browser.status(&second).await == 200));
        }
        let token = browser.request(&first).csrf_token().unwrap();
        let verified = browser.request(&second).verify_csrf_token(token.expose());
        taken.push(("CSRF token", verified.is_ok()));
        let other = Browser::signed_in(&first, &Subject::new("ada")).await;
        let verified = other.request(&second).verify_csrf_token(token.expose());
        assert!(verified.is_err(), "of another session");
    }
    let now = crate::support::start();
    let claims = Claims::new(Subject::new("ada"), now, Duration::from_secs(60)).unwrap();
    let signed = |ring: &KeyRing| SignedCodec::derived(ring, "report").unwrap();
    let token = signed(made_by).seal(&claims).unwrap();
    let opened = signed(taken_by).open(Some(&token), now);
    taken.push(("HS256", opened.is_some()));
    let signed = |ring: &KeyRing| SignedCodec::derived_ed25519(ring, "report").unwrap();
    let token = signed(made_by).seal(&claims).unwrap();
    let opened = signed(taken_by).open(Some(&token), now);
    taken.push(("EdDSA", opened.is_some()));
    let sealed = |ring: &KeyRing| EncryptedCodec::derived(ring, "report").unwrap();
    let token = sealed(made_by).seal(&claims).unwrap();
    let opened = sealed(taken_by).open(Some(&token), now);
    taken.push(("A256GCM", opened.is_some()));
    taken
}

/// Notices are in `tests/session_stores/nodes.rs`, cursors in `tests/policies/pages.rs`, provider
/// tokens in `tests/stores/accounts`.
#[tokio::test]
async fn sr_31_whatever_one_node_makes_another_takes_while_a_key_is_changed() {
    for (one, other) in pairs() {
        for (made_by, taken_by) in [(&one, &other), (&other, &one)] {
            for (what, taken) in is_taken(made_by, taken_by).await {
                assert!(taken, "{what}");
            }
        }
    }
    // A key that is in neither place opens nothing.
    for (what, taken) in is_taken(&key(0).into(), &key(2).into()).await {
        assert!(!taken, "{what}");
    }
}
