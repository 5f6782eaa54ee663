//! Rings, purposes, ids and keys that are shared with other programs.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clearance::token::{
    DecryptionKey, EncryptedCodec, EncryptionKey, KeyRing, Opener, SignedCodec, SigningKey,
    VerifyingKey,
};
use clearance::{Key, Result};

use crate::support::{AUDIENCE, Door, NOW, at, claims, key};

/// A codec of each derived form, for one ring and purpose.
fn derived(ring: &KeyRing, purpose: &str) -> Vec<Door> {
    let codecs = || -> Result<_> {
        Ok(vec![
            Door::Signed(SignedCodec::derived(ring, purpose)?),
            Door::Signed(SignedCodec::derived_ed25519(ring, purpose)?),
            Door::Encrypted(EncryptedCodec::derived(ring, purpose)?),
        ])
    };
    codecs().unwrap()
}

fn id(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[test]
fn asvs_11_2_2_a_new_key_seals_an_old_one_opens_until_it_is_taken_out() {
    let (before, after) = (KeyRing::new(key(1)), KeyRing::new(key(2)));
    let both = after.clone().retired(key(1));
    for form in 0..3 {
        let old = derived(&before, "session")[form].seal(&claims()).unwrap();
        let both = &derived(&both, "session")[form];
        let new = both.seal(&claims()).unwrap();
        assert_ne!(id(&old), id(&new));
        assert!(both.open(Some(&old), at(NOW)).is_some());
        assert!(both.open(Some(&new), at(NOW)).is_some());

        let before = &derived(&before, "session")[form];
        assert_eq!(before.refusal(&new, at(NOW)).unwrap(), "unknown_key");
        let after = &derived(&after, "session")[form];
        assert!(after.open(Some(&new), at(NOW)).is_some());
        assert_eq!(after.refusal(&old, at(NOW)).unwrap(), "unknown_key");
    }
}

#[test]
fn rf_9_asvs_9_2_2_9_2_4_a_token_for_one_purpose_opens_for_no_other() {
    let ring = KeyRing::new(key(1));
    let purposes = [
        "session",
        "state",
        "session cookie",
        "cursor",
        "sessio",
        "session\u{a0}",
    ];
    for form in 0..3 {
        for purpose in purposes {
            let token = derived(&ring, purpose)[form].seal(&claims()).unwrap();
            for other in purposes {
                let refusal = derived(&ring, other)[form].refusal(&token, at(NOW));
                // Not by its audience: no key of the other purpose fits.
                let expected = (other != purpose).then(|| "unknown_key".to_owned());
                assert_eq!(refusal, expected, "{purpose} {other}");
            }
        }
    }
}

/// The purpose is in the key and in the audience. Each of them is enough.
#[test]
fn asvs_9_2_4_with_one_key_the_audience_alone_tells_tokens_apart() {
    let codec =
        |audience| Door::Signed(SignedCodec::shared(SigningKey::hs256(&key(1)), audience).unwrap());
    let token = codec("state").seal(&claims()).unwrap();
    assert_eq!(
        codec("session").refusal(&token, at(NOW)).unwrap(),
        "audience"
    );
    assert!(codec("state").open(Some(&token), at(NOW)).is_some());
}

#[test]
fn asvs_11_2_2_the_id_of_a_key_is_stable_and_shows_no_key() {
    let ring = KeyRing::new(key(1));
    let ids: Vec<_> = ["session", "state"]
        .iter()
        .flat_map(|purpose| derived(&ring, purpose))
        .map(|door| id(&door.seal(&claims()).unwrap()))
        .collect();
    // So that a token of today opens with the same key after an upgrade.
    assert_eq!(
        ids,
        [
            "u__RjDfr-NE",
            "qL6F3xobK4M",
            "PydbxDpQq1c",
            "vZOATVj1WnI",
            "aMYK_JGqGzc",
            "-lvnFAnyMGU"
        ],
    );
}

#[test]
fn asvs_11_2_2_a_ring_with_one_key_twice_is_refused() {
    let ring = KeyRing::new(key(1)).retired(key(2)).retired(key(1));
    let error = SignedCodec::derived(&ring, "session").unwrap_err();
    assert!(error.is_configuration());
    assert!(error.to_string().contains("same id"), "{error}");
    assert!(EncryptedCodec::derived(&ring, "session").is_err());
    let named = |first| VerifyingKey::hs256(&key(first)).with_id("a").unwrap();
    assert!(
        Opener::new(named(1), AUDIENCE)
            .unwrap()
            .also(named(2))
            .is_err()
    );
}

/// Keys without an id are tried in turn.
#[test]
fn asvs_11_2_2_shared_keys_without_an_id_can_be_changed_too() {
    let codec = |first| SignedCodec::shared(SigningKey::hs256(&key(first)), AUDIENCE).unwrap();
    let both = codec(2).also_opens(VerifyingKey::hs256(&key(1))).unwrap();
    for (token, opens) in [(codec(1), true), (codec(2), true), (codec(3), false)] {
        let token = token.seal(&claims()).unwrap();
        assert_eq!(both.open(Some(&token), at(NOW)).is_some(), opens);
    }
    let codec = |first| {
        EncryptedCodec::shared(EncryptionKey::a256gcm(&key(first)).unwrap(), AUDIENCE).unwrap()
    };
    let both = codec(2)
        .also_opens(DecryptionKey::a256gcm(&key(1)).unwrap())
        .unwrap();
    for (token, opens) in [(codec(1), true), (codec(2), true), (codec(3), false)] {
        let token = token.seal(&claims()).unwrap();
        assert_eq!(both.open(Some(&token), at(NOW)).is_some(), opens);
    }
}

#[test]
fn sr_05_rf_16_no_key_and_no_codec_shows_its_key() {
    let ring = KeyRing::new(key(1)).retired(key(2));
    let keys = (
        SigningKey::hs256(&key(1)),
        SigningKey::ed25519(&key(1)).unwrap(),
        VerifyingKey::hs256(&key(1)),
        EncryptionKey::a256gcm(&key(1))
            .unwrap()
            .with_id("a")
            .unwrap(),
        DecryptionKey::a256gcm(&key(1)).unwrap(),
    );
    let signed = SignedCodec::derived(&ring, "session").unwrap();
    let encrypted = EncryptedCodec::derived(&ring, "session").unwrap();
    let shown = format!("{ring:?} {keys:?} {signed:?} {encrypted:?}");
    assert!(
        shown.contains("EncryptionKey { algorithm: DirA256Gcm, id: Some(\"a\"), .. }"),
        "{shown}"
    );
    for secret in ["1, 2, 3", "010203", "AQID"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn sl_02_keys_of_the_wrong_length_and_bad_ids_are_refused() {
    let longer = Key::from_bytes(&(0..33).collect::<Vec<u8>>()).unwrap();
    assert!(SigningKey::ed25519(&longer).unwrap_err().is_configuration());
    assert!(
        EncryptionKey::a256gcm(&longer)
            .unwrap_err()
            .is_configuration()
    );
    assert!(
        DecryptionKey::a256gcm(&longer)
            .unwrap_err()
            .is_configuration()
    );
    for length in [32, 63, 65] {
        let key = Key::from_bytes(&(0..length).collect::<Vec<u8>>()).unwrap();
        assert!(
            DecryptionKey::a256cbc_hs512(&key)
                .unwrap_err()
                .is_configuration()
        );
    }
    for id in ["", "a b", "a\"", "a\\", "ä", &"a".repeat(65)] {
        let error = SigningKey::hs256(&key(1)).with_id(id).unwrap_err();
        assert!(error.is_configuration());
    }
    for purpose in ["", "a\nb", &"a".repeat(129)] {
        assert!(SignedCodec::derived(&KeyRing::new(key(1)), purpose).is_err());
    }
}

#[path = "../../examples/generate_key.rs"]
#[expect(dead_code, reason = "the test takes the line, without `main`")]
mod generate_key;

#[test]
fn sl_01_the_example_prints_another_key_of_32_bytes_each_time() {
    let line = || generate_key::line().unwrap();
    let (one, other) = (line(), line());
    assert_ne!(one, other);
    for line in [one, other] {
        let text = line.strip_prefix("base64:").unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        assert_eq!(bytes.unwrap().len(), 32);
    }
}

/// The environment says one key in three ways, and each opens what the others seal.
#[test]
fn sl_02_each_spelling_of_a_secret_is_the_key_that_others_have() {
    const VARIABLE: &str = "CLEARANCE_TEST_SECRET";
    const TEXT: &str = "correct horse battery staple, again";
    if std::env::var_os(VARIABLE).is_some() {
        let key = Key::from_env(VARIABLE).unwrap();
        let codec = SignedCodec::shared(SigningKey::hs256(&key), AUDIENCE).unwrap();
        println!("token={}", codec.seal(&claims()).unwrap());
        return;
    }
    let same = Key::from_bytes(TEXT.as_bytes()).unwrap();
    let codec = SignedCodec::shared(SigningKey::hs256(&same), AUDIENCE).unwrap();
    let hex: String = TEXT.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(TEXT);
    let another = format!("text:{TEXT}!");
    for (value, opens) in [
        (format!("text:{TEXT}"), true),
        (format!("hex:{hex}"), true),
        (format!("base64:{base64}"), true),
        (another, false),
        (format!("text:{base64}"), false),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("keys::sl_02_each_spelling_of_a_secret_is_the_key_that_others_have")
            .env(VARIABLE, &value)
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let (_, token) = output.split_once("token=").unwrap();
        let token = token.split_whitespace().next();
        assert_eq!(codec.open(token, at(NOW)).is_some(), opens, "{value}");
    }
}

#[test]
fn rf_9_nobody_makes_tokens_for_the_librarys_own_purposes() {
    let ring = KeyRing::new(Key::generate().unwrap());
    for purpose in ["clearance", "clearance session __Host-session"] {
        let error = EncryptedCodec::derived(&ring, purpose).unwrap_err();
        assert!(error.is_configuration(), "{error}");
    }
    assert!(EncryptedCodec::derived(&ring, "session").is_ok());
}
