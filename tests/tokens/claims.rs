//! What a token may say, how much of it, and when.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use clearance::Subject;
use clearance::token::{ClaimValue, Claims, EncryptedCodec, KeyRing, SignedCodec};

use crate::support::{NOW, at, claims, key};

fn signed() -> SignedCodec {
    SignedCodec::derived(&KeyRing::new(key(1)), "session").unwrap()
}

fn encrypted() -> EncryptedCodec {
    EncryptedCodec::derived(&KeyRing::new(key(1)), "session").unwrap()
}

/// A subject that random text does not happen to hold, as it now and then does `ada`.
const NAME: &str = "ada-of-these-claims";

fn named() -> Claims {
    let hour = Duration::from_secs(3_600);
    Claims::new(Subject::new(NAME), at(NOW), hour).unwrap()
}

fn payload(token: &str) -> String {
    let part = token.split('.').nth(1).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn sl_03_a_signed_token_is_exactly_this() {
    let week = Duration::from_secs(7 * 24 * 3_600);
    let claims = Claims::new(Subject::new(42), at(NOW), week).unwrap();
    let token = signed().seal(&claims).unwrap();
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let id = signed().key_id().unwrap().to_owned();
    assert_eq!(
        header,
        format!(r#"{{"alg":"HS256","kid":"{id}"}}"#).as_bytes()
    );
    assert_eq!(
        payload(&token),
        format!(
            r#"{{"sub":"42","aud":"session","iat":{NOW},"exp":{},"jti":"{}"}}"#,
            NOW + 604_800,
            claims.id()
        )
    );
    assert_eq!(signed().open(Some(&token), at(NOW)), Some(claims));
}

#[test]
fn sl_05_nothing_of_an_encrypted_token_can_be_read() {
    let claims = named().with_claim("role", "editor-in-chief").unwrap();
    let token = encrypted().seal(&claims).unwrap();
    for part in token.split('.') {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for hidden in [NAME, "editor", "session", claims.id(), "1800000000"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
            assert!(!part.contains(hidden));
        }
    }
    assert_ne!(token, encrypted().seal(&claims).unwrap());
}

#[test]
fn sl_06_every_claim_comes_back_as_it_was() {
    let claims = claims()
        .with_not_before(at(NOW - 5))
        .with_authenticated_at(at(NOW - 10))
        .with_acr("2")
        .with_claim("role", "editor")
        .unwrap()
        .with_claim("teams", ["press", "\"quoted\"\n☂"])
        .unwrap()
        .with_claim("seats", 3)
        .unwrap()
        .with_claim("beta", true)
        .unwrap()
        .with_claim("role", "chief")
        .unwrap();
    for token in [signed().seal(&claims), encrypted().seal(&claims)] {
        let token = token.unwrap();
        let opened = signed()
            .open(Some(&token), at(NOW))
            .or_else(|| encrypted().open(Some(&token), at(NOW)))
            .unwrap();
        assert_eq!(opened, claims);
    }
    assert_eq!(claims.claims().count(), 4);
    assert_eq!(claims.claim("role").unwrap().as_text(), Some("chief"));
    assert_eq!(claims.claim("seats").unwrap().as_integer(), Some(3));
    assert_eq!(claims.claim("beta").unwrap().as_bool(), Some(true));
    assert_eq!(
        claims.claim("teams").unwrap().as_text_list().unwrap()[0],
        "press"
    );
    assert_eq!(claims.claim("other"), None);
    assert_eq!(claims.acr(), Some("2"));
    assert_eq!(claims.not_before(), Some(at(NOW - 5)));
    assert_eq!(claims.authenticated_at(), Some(at(NOW - 10)));
}

#[test]
fn sl_06_claims_are_bounded() {
    let limit = (1_i64 << 53) - 1;
    for name in [
        "sub",
        "aud",
        "iat",
        "exp",
        "nbf",
        "jti",
        "auth_time",
        "acr",
        "",
        "a\tb",
        &"a".repeat(65),
    ] {
        assert!(
            claims().with_claim(name, "x").unwrap_err().is_misuse(),
            "{name}"
        );
    }
    for value in [limit + 1, -limit - 1, i64::MAX, i64::MIN] {
        assert!(claims().with_claim("n", value).unwrap_err().is_misuse());
    }
    assert!(claims().with_claim("n", limit).is_ok());
    assert!(claims().with_claim("iss", 1).unwrap_err().is_misuse());
    assert!(claims().with_claim("iss", "https://id.example").is_ok());
    let mut full = claims();
    for n in 0..16 {
        full = full.with_claim(format!("c{n}"), n).unwrap();
    }
    assert!(full.clone().with_claim("c16", 16).unwrap_err().is_misuse());
    assert!(full.with_claim("c15", "again").is_ok());
}

#[test]
fn sl_07_a_payload_of_1025_bytes_is_an_error_of_its_own() {
    let empty = claims().with_claim("note", "").unwrap();
    let base = payload(&signed().seal(&empty).unwrap()).len();
    let of = |bytes: usize| {
        let note = "x".repeat(bytes - base);
        empty.clone().with_claim("note", note).unwrap()
    };
    for bytes in [1_024, 1_025, 5_000] {
        let claims = of(bytes);
        for sealed in [signed().seal(&claims), encrypted().seal(&claims)] {
            match sealed {
                Ok(_) => assert_eq!(bytes, 1_024),
                Err(error) => {
                    assert!(bytes > 1_024 && error.is_payload_too_large() && !error.is_misuse());
                    assert_eq!(error.status(), 500);
                    assert!(error.to_string().contains("`max_payload_bytes`"), "{error}");
                    assert!(!error.to_string().contains("xxx"));
                }
            }
        }
    }
    let wide = signed().max_payload_bytes(5_000);
    let token = wide.seal(&of(5_000)).unwrap();
    assert_eq!(wide.open(Some(&token), at(NOW)), Some(of(5_000)));
    assert_eq!(signed().open(Some(&token), at(NOW)), None);
    let wide = encrypted().max_payload_bytes(5_000);
    let token = wide.seal(&of(5_000)).unwrap();
    assert_eq!(wide.open(Some(&token), at(NOW)), Some(of(5_000)));
    assert_eq!(encrypted().open(Some(&token), at(NOW)), None);
    // One byte over is refused after decoding, where the length of the text leaves room.
    let narrow = signed().max_payload_bytes(1_023);
    assert_eq!(
        narrow.open(Some(&signed().seal(&of(1_024)).unwrap()), at(NOW)),
        None
    );
    assert_eq!(
        narrow.open(Some(&signed().seal(&of(1_023)).unwrap()), at(NOW)),
        Some(of(1_023))
    );
}

#[test]
fn asvs_9_2_1_a_token_is_good_from_nbf_until_exp_to_the_second() {
    let claims = claims().with_not_before(at(NOW + 10));
    let signed = (signed(), signed().seal(&claims).unwrap());
    let encrypted = (encrypted(), encrypted().seal(&claims).unwrap());
    let almost = TimeDelta::microseconds(999_999);
    let good = |now: DateTime<Utc>| {
        let opened = signed.0.open(Some(&signed.1), now).is_some();
        assert_eq!(opened, encrypted.0.open(Some(&encrypted.1), now).is_some());
        opened
    };
    assert!(!good(at(NOW + 9) + almost));
    assert!(good(at(NOW + 10)));
    assert!(good(at(NOW + 3_599) + almost));
    assert!(!good(at(NOW + 3_600)));
    assert!(!good(at(NOW + 3_601)));
    assert!(!good(DateTime::<Utc>::MAX_UTC));
    assert!(!good(DateTime::<Utc>::MIN_UTC));
}

#[test]
fn asvs_9_2_1_a_token_that_was_made_later_than_now_is_refused() {
    let claims = claims().with_authenticated_at(at(NOW));
    let token = signed().seal(&claims).unwrap();
    assert!(signed().open(Some(&token), at(NOW - 60)).is_some());
    assert!(signed().open(Some(&token), at(NOW - 61)).is_none());
}

#[test]
fn asvs_9_2_1_no_token_ends_before_it_begins_or_is_about_nobody() {
    let second = Duration::from_secs(1);
    let new = |subject: &str, lifetime| Claims::new(Subject::new(subject), at(NOW), lifetime);
    assert!(new("ada", second).is_ok());
    assert!(
        new("ada", Duration::from_millis(999))
            .unwrap_err()
            .is_misuse()
    );
    assert!(new("ada", Duration::ZERO).unwrap_err().is_misuse());
    assert!(new("ada", Duration::MAX).unwrap_err().is_misuse());
    assert!(new("", second).unwrap_err().is_misuse());
    assert!(new(&"a".repeat(257), second).unwrap_err().is_misuse());
    for wrong in [
        claims().with_expires_at(at(NOW)),
        claims().with_issued_at(at(-1)),
        claims().with_not_before(at(-1)),
        claims().with_acr(""),
        claims().with_expires_at(DateTime::<Utc>::MAX_UTC),
    ] {
        assert!(signed().seal(&wrong).unwrap_err().is_misuse());
        assert!(encrypted().seal(&wrong).unwrap_err().is_misuse());
    }
    let longer = claims()
        .with_issued_at(at(NOW + 5))
        .with_expires_at(at(NOW + 9_000));
    let opened = signed().open(Some(&signed().seal(&longer).unwrap()), at(NOW + 8_999));
    assert_eq!(opened, Some(longer));
}

#[test]
fn asvs_11_5_1_ids_of_tokens_are_128_random_bits() {
    let ids: std::collections::HashSet<_> = (0..10_000).map(|_| claims().id().to_owned()).collect();
    assert_eq!(ids.len(), 10_000);
    for id in ids {
        assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 16);
    }
}

#[test]
fn rf_16_claims_do_not_show_what_they_say() {
    let claims = named().with_claim("phone", "555-0100").unwrap();
    let shown = format!("{claims:?}");
    assert!(
        shown.contains("phone") && !shown.contains("555-") && !shown.contains(NAME),
        "{shown}"
    );
    assert_eq!(claims.claim("phone"), Some(&ClaimValue::from("555-0100")));
}
