//! What the targets share: the keys and the instant of `tests/tokens/`, so that its tokens are seeds.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use clearance::Key;
use clearance::token::Claims;
use serde::Deserialize;

pub const AUDIENCE: &str = "api";

#[derive(Deserialize)]
struct KeyFile {
    now: i64,
    keys: BTreeMap<String, StoredKey>,
}

#[derive(Deserialize)]
struct StoredKey {
    hex: String,
}

fn stored() -> KeyFile {
    serde_json::from_str(include_str!("../../tests/tokens/keys.json")).expect("the file of keys")
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(stored().now, 0).expect("an instant")
}

pub fn secret(name: &str) -> Vec<u8> {
    let hex = &stored().keys[name].hex;
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

pub fn key(name: &str) -> Key {
    Key::from_bytes(&secret(name)).expect("a key")
}

pub fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What every opened token keeps to, whatever it was made of.
pub fn check(claims: &Claims, now: DateTime<Utc>) {
    assert!(claims.issued_at() < claims.expires_at());
    assert!(now < claims.expires_at());
    assert!(claims.not_before().is_none_or(|from| from <= now));
    assert!(!claims.subject().as_str().is_empty());
    assert!(!claims.id().is_empty());
    assert!(claims.claims().count() <= 16);
}
