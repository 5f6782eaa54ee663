//! Random claims, and random damage.

use chrono::{DateTime, Utc};
use clearance::Subject;
use clearance::token::{ClaimValue, Claims};
use proptest::prelude::*;

use crate::support::{Door, NOW, StoredKey, at, claims, keys};

/// The keys that seal.
fn doors() -> Vec<Door> {
    let seals = |key: &StoredKey| key.enc.as_deref() != Some("A256CBC-HS512");
    keys()
        .values()
        .filter(|key| seals(key))
        .map(StoredKey::door)
        .collect()
}

fn value() -> impl Strategy<Value = ClaimValue> {
    let most = (1_i64 << 53) - 1;
    prop_oneof![
        any::<String>().prop_map(|text| ClaimValue::Text(text.chars().take(20).collect())),
        (-most..=most).prop_map(ClaimValue::Integer),
        any::<bool>().prop_map(ClaimValue::Bool),
        proptest::collection::vec("\\PC{0,10}", 0..4).prop_map(ClaimValue::TextList),
    ]
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0..NOW).prop_map(at)
}

fn any_claims() -> impl Strategy<Value = Claims> {
    (
        "\\PC{1,40}",
        proptest::collection::btree_map("c\\PC{0,20}", value(), 0..6),
        proptest::option::of(instant()),
        proptest::option::of(instant()),
        proptest::option::of("\\PC{1,9}"),
        1..1_000_000_u64,
    )
        .prop_map(
            |(subject, values, not_before, authenticated_at, acr, lifetime)| {
                let lifetime = std::time::Duration::from_secs(lifetime);
                let mut claims = Claims::new(Subject::new(subject), at(NOW), lifetime).unwrap();
                if let Some(instant) = not_before {
                    claims = claims.with_not_before(instant);
                }
                if let Some(instant) = authenticated_at {
                    claims = claims.with_authenticated_at(instant);
                }
                if let Some(acr) = acr {
                    claims = claims.with_acr(acr);
                }
                values.into_iter().fold(claims, |claims, (name, value)| {
                    claims.with_claim(name, value).unwrap()
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sl_06_what_is_sealed_opens_as_it_was(claims in any_claims()) {
        for door in doors() {
            match door.seal(&claims) {
                Ok(token) => prop_assert_eq!(door.open(Some(&token), at(NOW)), Some(claims.clone())),
                Err(error) => prop_assert!(error.is_payload_too_large()),
            }
        }
    }

    /// RF-15: no text makes it panic.
    #[test]
    fn rf_15_no_text_opens_and_none_panics(text in "\\PC{0,300}", shape in "[-A-Za-z0-9_]{0,60}(\\.[-A-Za-z0-9_]{0,90}){0,6}") {
        for door in doors() {
            prop_assert!(door.open(Some(&text), at(NOW)).is_none());
            prop_assert!(door.open(Some(&shape), at(NOW)).is_none());
            // Behind a header that is ours.
            let token = door.seal(&claims()).unwrap();
            let header = token.split('.').next().unwrap();
            let (_, rest) = shape.split_once('.').unwrap_or(("", ""));
            let rested = format!("{header}.{rest}");
            prop_assert!(door.open(Some(&rested), at(NOW)).is_none());
        }
    }
}

/// Every bit of one token of each kind.
#[test]
fn sl_21_asvs_9_1_1_a_flipped_bit_is_refused_wherever_it_is() {
    for (name, key) in keys() {
        let token = match key.enc.as_deref() {
            Some("A256CBC-HS512") => stored_token(&name),
            _ => key.door().seal(&claims()).unwrap(),
        };
        let door = key.door();
        assert!(door.open(Some(&token), at(NOW)).is_some());
        for position in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                // What is not UTF-8 is no `str` and never gets here.
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                assert!(
                    door.open(Some(&changed), at(NOW)).is_none(),
                    "{name} {position} {bit}"
                );
            }
        }
        for end in 0..token.len() {
            assert!(door.open(Some(&token[..end]), at(NOW)).is_none());
        }
    }
}

/// A token that another program made, for a key that seals nothing here.
fn stored_token(key: &str) -> String {
    let file: serde_json::Value = crate::support::stored(include_str!("javascript.json"));
    let good = file["good"].as_array().unwrap();
    let good = good.iter().find(|good| good["key"] == key).unwrap();
    good["token"].as_str().unwrap().to_owned()
}
