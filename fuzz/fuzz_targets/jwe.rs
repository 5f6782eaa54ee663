//! Encrypted tokens: as text, and sealed rightly around whatever header, payload or blocks.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use clearance::token::{DecryptionKey, EncryptedCodec, EncryptionKey, Opener};
use clearance_fuzz::{AUDIENCE, check, key, now, part, secret};
use libfuzzer_sys::fuzz_target;

struct Doors {
    now: DateTime<Utc>,
    gcm: EncryptedCodec,
    cbc: Opener<DecryptionKey>,
    seal: RandomizedNonceKey,
    mac: hmac::Key,
}

static DOORS: LazyLock<Doors> = LazyLock::new(|| {
    let gcm = EncryptionKey::a256gcm(&key("gcm")).expect("a key");
    let cbc = DecryptionKey::a256cbc_hs512(&key("cbc")).expect("a key");
    Doors {
        now: now(),
        gcm: EncryptedCodec::shared(gcm, AUDIENCE).expect("a codec"),
        cbc: Opener::new(cbc, AUDIENCE).expect("an opener"),
        seal: RandomizedNonceKey::new(&AES_256_GCM, &secret("gcm")).expect("a key"),
        mac: hmac::Key::new(hmac::HMAC_SHA512, &secret("cbc")[..32]),
    }
});

fn seal(header: &[u8], payload: &[u8]) -> String {
    let header = part(header);
    let mut sealed = payload.to_vec();
    let nonce = DOORS
        .seal
        .seal_in_place_append_tag(Aad::from(header.as_bytes()), &mut sealed)
        .expect("a sealed payload");
    let (content, tag) = sealed.split_at(payload.len());
    format!(
        "{header}..{}.{}.{}",
        part(nonce.as_ref()),
        part(content),
        part(tag)
    )
}

/// Blocks that nobody encrypted, under a tag that is right.
fn authenticate(data: &[u8]) -> String {
    let header = part(br#"{"alg":"dir","enc":"A256CBC-HS512"}"#);
    let iv = [7; 16];
    let bits = (header.len() as u64 * 8).to_be_bytes();
    let text = [header.as_bytes(), &iv, data, &bits].concat();
    let tag = hmac::sign(&DOORS.mac, &text);
    format!(
        "{header}..{}.{}.{}",
        part(&iv),
        part(data),
        part(&tag.as_ref()[..32])
    )
}

fn open(token: &str) {
    if let Some(claims) = DOORS.cbc.open(Some(token), DOORS.now) {
        check(&claims, DOORS.now);
    }
    if let Some(claims) = DOORS.gcm.open(Some(token), DOORS.now) {
        check(&claims, DOORS.now);
        if let Ok(again) = DOORS.gcm.seal(&claims) {
            assert_eq!(DOORS.gcm.open(Some(&again), DOORS.now), Some(claims));
        }
    }
}

const PAYLOAD: &[u8] = br#"{"sub":"ada","aud":"api","iat":1799999940,"exp":1800003600,"jti":"1"}"#;

fuzz_target!(|data: &[u8]| {
    let Some((form, data)) = data.split_first() else {
        return;
    };
    match form % 4 {
        0 => {
            if let Ok(token) = std::str::from_utf8(data) {
                open(token);
            }
        }
        1 => open(&seal(br#"{"alg":"dir","enc":"A256GCM"}"#, data)),
        2 => open(&seal(data, PAYLOAD)),
        _ => open(&authenticate(data)),
    }
});
