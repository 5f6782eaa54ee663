//! The examples of the standards that have an algorithm of the profile.
//!
//! None of them is a token of ours: they lack a subject, an audience and an id, or are no claims at
//! all. So each is refused for what it says, which is read after its signature has been verified,
//! and with one bit changed it is refused for that.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clearance::Key;
use clearance::token::{Opener, SignedCodec, SigningKey, VerifyingKey};

use crate::support::{AUDIENCE, Door, NOW, at, keys};

fn base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn hs256(secret: &str, id: Option<&str>) -> Door {
    let key = SigningKey::hs256(&Key::from_bytes(&base64url(secret)).unwrap());
    let key = match id {
        Some(id) => key.with_id(id).unwrap(),
        None => key,
    };
    Door::Signed(SignedCodec::shared(key, AUDIENCE).unwrap())
}

fn assert_verified_and_refused_for_its_claims(door: &Door, token: &str) {
    assert_eq!(door.refusal(token, at(NOW)).unwrap(), "claims");
    let dot = token.rfind('.').unwrap();
    let mut changed = token.as_bytes().to_vec();
    for position in [dot - 1, dot + 1] {
        changed[position] = if token.as_bytes()[position] == b'A' {
            b'B'
        } else {
            b'A'
        };
        let changed = std::str::from_utf8(&changed).unwrap();
        assert_ne!(door.refusal(changed, at(NOW)).unwrap(), "claims");
    }
}

/// RFC 7515, appendix A.1: a `typ`, line breaks in the header, and a key of 64 bytes.
#[test]
fn sl_03_the_example_of_rfc_7515_a_1() {
    let door = hs256(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        None,
    );
    let token = concat!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    );
    assert_verified_and_refused_for_its_claims(&door, token);
}

/// RFC 7520, section 4.4: a `kid`, and a text instead of claims.
#[test]
fn sl_03_the_example_of_rfc_7520_4_4() {
    let token = concat!(
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.",
        "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.",
        "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
    );
    let secret = "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg";
    let door = hs256(secret, Some("018c0ae5-4d9b-471b-bfd6-eef314bc7037"));
    assert_verified_and_refused_for_its_claims(&door, token);
    // The key's id is part of what is expected.
    let nameless = hs256(secret, None);
    assert_eq!(nameless.refusal(token, at(NOW)).unwrap(), "unknown_key");
}

/// RFC 8037, appendix A.4.
#[test]
fn sl_03_the_example_of_rfc_8037_a_4() {
    let public = base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let public = public.try_into().unwrap();
    let opener = Opener::new(VerifyingKey::ed25519(&public).unwrap(), AUDIENCE).unwrap();
    let token = concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    let logs = crate::support::logs::Capture::start();
    assert!(opener.open(Some(token), at(NOW)).is_none());
    assert_eq!(logs.count("refusal=\"claims\""), 1, "{}", logs.text());

    // The same private key signs the same bytes here.
    let seed = base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let signing = SigningKey::ed25519(&Key::from_bytes(&seed).unwrap()).unwrap();
    let codec = SignedCodec::shared(signing, AUDIENCE).unwrap();
    assert_eq!(codec.public_key(), Some(public));
}

/// RFC 7516, appendices A.1 to A.3, and RFC 7520, section 5.6: other algorithms than ours. What they
/// say stands in their headers, and no key is asked.
#[test]
fn rf_11_the_examples_of_rfc_7516_are_of_other_algorithms() {
    let headers = [
        r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#,
        r#"{"alg":"RSA1_5","enc":"A128CBC-HS256"}"#,
        r#"{"alg":"A128KW","enc":"A128CBC-HS256"}"#,
        r#"{"alg":"dir","kid":"77c7e2b8-6e13-45cf-8672-617b5b45243a","enc":"A128GCM"}"#,
    ];
    for header in headers {
        let token = format!(
            "{}..refa467QzzKx6QAB.AAAA.vbb32Xvllea2OtmHAdccRQ",
            URL_SAFE_NO_PAD.encode(header)
        );
        for name in ["gcm", "gcm-id", "cbc", "cbc-id"] {
            let door = keys()[name].door();
            assert_eq!(door.refusal(&token, at(NOW)).unwrap(), "header");
        }
    }
}
