//! A second opinion on signed tokens, by the crate `jose`: what we make it verifies, what it makes
//! we open. It is given tokens of our own and of its own only, never hostile ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::format::{Compact, DecodeFormat as _};
use jose::jwk::{JwkSigner, JwkVerifier};
use jose::policy::{Checkable as _, StandardPolicy};
use jose::{JsonWebKey, Jwt, UntypedAdditionalProperties};
use proptest::prelude::*;

use crate::support::{AUDIENCE, NOW, StoredKey, at, claims, keys};

type Claims = jose::jwt::Claims<UntypedAdditionalProperties>;

/// The same key, as the oracle takes it.
fn jwk(key: &StoredKey) -> JsonWebKey {
    let bytes = URL_SAFE_NO_PAD.encode(key.bytes());
    let jwk = match &*key.alg {
        "HS256" => serde_json::json!({ "kty": "oct", "alg": "HS256", "k": bytes }),
        _ => {
            let codec = clearance::token::SignedCodec::shared(key.signing(), AUDIENCE).unwrap();
            let public = URL_SAFE_NO_PAD.encode(codec.public_key().unwrap());
            serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "d": bytes, "x": public,
            })
        }
    };
    serde_json::from_value(jwk).unwrap()
}

fn signed() -> impl Iterator<Item = StoredKey> {
    keys().into_values().filter(|key| key.enc.is_none())
}

fn sign(key: &StoredKey, claims: Claims) -> String {
    let checked = jwk(key).check(StandardPolicy::default()).unwrap();
    let mut signer: JwkSigner = checked.try_into().unwrap();
    if let Some(id) = &key.kid {
        signer = signer.with_key_id(id.clone());
    }
    let token = Jwt::builder_jwt().build(claims).unwrap();
    token.sign(&mut signer).unwrap().to_string()
}

fn verify(key: &StoredKey, token: &str) -> Option<Claims> {
    let checked = jwk(key).check(StandardPolicy::default()).unwrap();
    let mut verifier: JwkVerifier = checked.try_into().unwrap();
    let token: Compact = token.parse().unwrap();
    let unverified = Jwt::<UntypedAdditionalProperties>::decode(token).unwrap();
    let verified = unverified.verify(&mut verifier).ok()?;
    Some(verified.payload().clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sl_03_what_is_sealed_here_the_oracle_verifies(role in "\\PC{0,40}", seats in -9_999_i64..9_999) {
        for key in signed() {
            let claims = claims()
                .with_claim("role", role.clone())
                .unwrap()
                .with_claim("seats", seats)
                .unwrap();
            let token = key.door().seal(&claims).unwrap();
            let verified = verify(&key, &token).unwrap();
            prop_assert_eq!(verified.subject.as_deref(), Some("ada"));
            prop_assert_eq!(verified.audience.as_deref(), Some(AUDIENCE));
            prop_assert_eq!(verified.expiration, Some(NOW as u64 + 3_600));
            prop_assert_eq!(verified.jwt_id.as_deref(), Some(claims.id()));
            prop_assert_eq!(verified.additional["role"].as_str(), Some(&*role));
            prop_assert_eq!(verified.additional["seats"].as_i64(), Some(seats));

            // And it is the key that it verifies with.
            let other = signed().find(|other| other.bytes() != key.bytes() && other.alg == key.alg);
            prop_assert!(verify(&other.unwrap(), &token).is_none());
        }
    }

    #[test]
    fn sl_03_what_the_oracle_signs_opens_here(role in "\\PC{0,40}", seats in -9_999_i64..9_999) {
        for key in signed() {
            let token = sign(&key, Claims {
                subject: Some("ada".to_owned()),
                audience: Some(AUDIENCE.to_owned()),
                issued_at: Some(NOW as u64),
                expiration: Some(NOW as u64 + 3_600),
                jwt_id: Some("1".to_owned()),
                additional: [
                    ("role".to_owned(), role.clone().into()),
                    ("seats".to_owned(), seats.into()),
                ].into_iter().collect(),
                ..Claims::default()
            });
            let opened = key.door().open(Some(&token), at(NOW)).unwrap();
            prop_assert_eq!(opened.subject().as_str(), "ada");
            prop_assert_eq!(opened.claim("role").unwrap().as_text(), Some(&*role));
            prop_assert_eq!(opened.claim("seats").unwrap().as_integer(), Some(seats));
            prop_assert!(key.door().open(Some(&token), at(NOW + 3_600)).is_none());
        }
    }
}
