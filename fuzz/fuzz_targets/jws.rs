//! Signed tokens: as text, and with a signature that is right over whatever header or payload.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use clearance::token::{SignedCodec, SigningKey};
use clearance_fuzz::{AUDIENCE, check, key, now, part, secret};
use libfuzzer_sys::fuzz_target;

struct Doors {
    now: DateTime<Utc>,
    hs256: SignedCodec,
    ed25519: SignedCodec,
    mac: hmac::Key,
}

static DOORS: LazyLock<Doors> = LazyLock::new(|| {
    let shared = |key| SignedCodec::shared(key, AUDIENCE).expect("a codec");
    Doors {
        now: now(),
        hs256: shared(SigningKey::hs256(&key("hs"))),
        ed25519: shared(SigningKey::ed25519(&key("ed")).expect("a key")),
        mac: hmac::Key::new(hmac::HMAC_SHA256, &secret("hs")),
    }
});

fn sign(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", part(header), part(payload));
    let tag = hmac::sign(&DOORS.mac, signed.as_bytes());
    format!("{signed}.{}", part(tag.as_ref()))
}

fn open(token: &str) {
    for codec in [&DOORS.hs256, &DOORS.ed25519] {
        if let Some(claims) = codec.open(Some(token), DOORS.now) {
            check(&claims, DOORS.now);
            // What opens can be sealed again, unless escapes make it longer, and says the same.
            if let Ok(again) = codec.seal(&claims) {
                assert_eq!(codec.open(Some(&again), DOORS.now), Some(claims));
            }
        }
    }
}

const PAYLOAD: &[u8] = br#"{"sub":"ada","aud":"api","iat":1799999940,"exp":1800003600,"jti":"1"}"#;

fuzz_target!(|data: &[u8]| {
    let Some((form, data)) = data.split_first() else {
        return;
    };
    match form % 3 {
        0 => {
            if let Ok(token) = std::str::from_utf8(data) {
                open(token);
            }
        }
        1 => open(&sign(br#"{"alg":"HS256"}"#, data)),
        _ => open(&sign(data, PAYLOAD)),
    }
});
