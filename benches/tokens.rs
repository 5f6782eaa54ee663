//! What it costs to open a token, beside the same written by hand with the same primitives.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use clearance::token::{Claims, EncryptedCodec, EncryptionKey, SignedCodec, SigningKey};
use clearance::{Key, Subject};
use serde::Deserialize;

use support::{Comparison, Judged, Report};

const AUDIENCE: &str = "session";
const PAYLOAD: usize = 250;
const OPENED: u32 = 2_000;

/// What a competent engineer writes: the algorithm is fixed, the header is compared as it is, the
/// claims are a plain struct.
mod by_hand {
    use super::*;

    #[derive(Deserialize)]
    pub(super) struct Session {
        pub(super) sub: String,
        aud: String,
        iat: i64,
        exp: i64,
        pub(super) jti: String,
        auth_time: i64,
        pub(super) role: String,
        pub(super) note: String,
    }

    impl Session {
        fn is_good(&self, now: i64) -> bool {
            self.aud == AUDIENCE && self.iat <= now && self.auth_time <= now && now < self.exp
        }
    }

    pub(super) fn verify(key: &hmac::Key, header: &str, token: &str, now: i64) -> Option<Session> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (found, payload) = signed.split_once('.')?;
        if found != header {
            return None;
        }
        let mut tag = [0; 32];
        URL_SAFE_NO_PAD.decode_slice(signature, &mut tag).ok()?;
        hmac::verify(key, signed.as_bytes(), &tag).ok()?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let session: Session = serde_json::from_slice(&payload).ok()?;
        session.is_good(now).then_some(session)
    }

    pub(super) fn decrypt(
        key: &RandomizedNonceKey,
        header: &str,
        token: &str,
        now: i64,
    ) -> Option<Session> {
        let mut parts = token.split('.');
        if parts.next()? != header || !parts.next()?.is_empty() {
            return None;
        }
        let mut nonce = [0; 12];
        URL_SAFE_NO_PAD
            .decode_slice(parts.next()?, &mut nonce)
            .ok()?;
        let mut content = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        URL_SAFE_NO_PAD
            .decode_vec(parts.next()?, &mut content)
            .ok()?;
        let payload = key
            .open_in_place(Nonce::from(&nonce), Aad::from(header), &mut content)
            .ok()?;
        let session: Session = serde_json::from_slice(payload).ok()?;
        session.is_good(now).then_some(session)
    }
}

/// A session whose JSON has 250 bytes.
fn claims(now: DateTime<Utc>) -> Claims {
    let day = Duration::from_secs(86_400);
    let claims = Claims::new(
        Subject::new("5f0c1e0a-6d0f-4d5e-9d3b-3a1f6c1f9a11"),
        now,
        day,
    )
    .unwrap()
    .with_authenticated_at(now)
    .with_claim("role", "editor")
    .unwrap();
    let signing = SignedCodec::shared(SigningKey::hs256(&key()), AUDIENCE).unwrap();
    let length = |note: &str| {
        let claims = claims.clone().with_claim("note", note).unwrap();
        let token = signing.seal(&claims).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        URL_SAFE_NO_PAD.decode(payload).unwrap().len()
    };
    let note = "n".repeat(PAYLOAD - length(""));
    assert_eq!(length(&note), PAYLOAD);
    claims.with_claim("note", note).unwrap()
}

fn key() -> Key {
    Key::from_bytes(&bytes()).unwrap()
}

fn bytes() -> Vec<u8> {
    (1..33).collect()
}

fn timed(mut open: impl FnMut() -> usize) -> Duration {
    let start = Instant::now();
    for _ in 0..OPENED {
        black_box(open());
    }
    start.elapsed()
}

fn compare(
    report: &mut Report,
    name: &'static str,
    target: f64,
    library: impl Fn() -> Option<Claims>,
    by_hand: impl Fn() -> Option<by_hand::Session>,
) {
    report.compare(
        Comparison {
            name,
            target: Some(target),
            judged: Judged::Median,
            rounds: 400,
            operations: OPENED,
        },
        || timed(|| library().unwrap().id().len()),
        || {
            timed(|| {
                let session = by_hand().unwrap();
                session.jti.len() + session.sub.len() + session.role.len() + session.note.len()
            })
        },
    );
}

fn main() {
    let mut report = Report::default();
    let now = Utc::now();
    let seconds = now.timestamp();
    let claims = claims(now);

    let codec = SignedCodec::shared(SigningKey::hs256(&key()), AUDIENCE).unwrap();
    let token = codec.seal(&claims).unwrap();
    let header = token.split('.').next().unwrap();
    let hmac = hmac::Key::new(hmac::HMAC_SHA256, &bytes());
    compare(
        &mut report,
        "HS256: verify a session of 250 bytes",
        1.10,
        || codec.open(Some(black_box(&token)), now),
        || by_hand::verify(&hmac, header, black_box(&token), seconds),
    );

    let codec = EncryptedCodec::shared(EncryptionKey::a256gcm(&key()).unwrap(), AUDIENCE).unwrap();
    let token = codec.seal(&claims).unwrap();
    let header = token.split('.').next().unwrap();
    let gcm = RandomizedNonceKey::new(&AES_256_GCM, &bytes()).unwrap();
    compare(
        &mut report,
        "A256GCM: open a session of 250 bytes",
        1.15,
        || codec.open(Some(black_box(&token)), now),
        || by_hand::decrypt(&gcm, header, black_box(&token), seconds),
    );
    println!("{report}");
}
