//! Tokens that other programs made: `javascript.json` and `python.json`, by the scripts beside them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::{NOW, at, claims, keys, stored};

#[derive(Deserialize)]
struct File {
    good: Vec<Good>,
    bad: Vec<Bad>,
}

#[derive(Deserialize)]
struct Good {
    name: String,
    key: String,
    token: String,
}

/// A token that is wrong in one way, `why`. It is told apart from its `twin` by that alone, and is
/// refused with the word `refusal`.
#[derive(Deserialize)]
struct Bad {
    name: String,
    key: String,
    token: String,
    refusal: String,
    why: String,
    twin: String,
}

const FILES: [&str; 2] = [include_str!("javascript.json"), include_str!("python.json")];

#[test]
fn sl_03_sl_05_asvs_11_3_2_what_other_programs_seal_for_us_opens() {
    let keys = keys();
    for file in FILES {
        let file: File = stored(file);
        for good in &file.good {
            let refusal = keys[&good.key].door().refusal(&good.token, at(NOW));
            assert_eq!(refusal, None, "{}", good.name);
        }
    }
}

/// One test for all, so that the count below is of what was judged.
#[test]
fn sr_04_rf_10_rf_11_sl_04_asvs_9_1_1_9_1_2_9_1_3_what_is_wrong_in_one_way_is_refused_for_it() {
    let keys = keys();
    let mut judged = 0;
    let mut wrong = Vec::new();
    for file in FILES {
        let file: File = stored(file);
        let good: BTreeMap<_, _> = file.good.iter().map(|good| (&good.name, good)).collect();
        for bad in &file.bad {
            let door = keys[&bad.key].door();
            let twin = good
                .get(&bad.twin)
                .unwrap_or_else(|| panic!("`{}` has no twin `{}`", bad.name, bad.twin));
            assert_eq!(twin.key, bad.key, "{}", bad.name);
            assert_ne!(twin.token, bad.token, "{}", bad.name);
            assert!(door.open(Some(&twin.token), at(NOW)).is_some());
            let refusal = door.refusal(&bad.token, at(NOW));
            if refusal.as_deref() != Some(&bad.refusal) {
                wrong.push(format!(
                    "{}: {refusal:?}, not `{}`: {}",
                    bad.name, bad.refusal, bad.why
                ));
            }
            judged += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged >= 400, "{judged}");
}

/// An audience is one text, compared whole. A list is none, even where ours is in it.
#[test]
fn asvs_9_2_3_a_token_for_another_audience_for_several_or_for_none_is_refused() {
    let keys = keys();
    let mut met = BTreeMap::new();
    for file in FILES {
        let file: File = stored(file);
        for bad in &file.bad {
            let Some((_, what)) = bad.name.split_once(": aud ") else {
                continue;
            };
            let refusal = keys[&bad.key].door().refusal(&bad.token, at(NOW));
            met.insert(what.to_owned(), refusal);
        }
    }
    for (what, refusal) in [
        ("of another", "audience"),
        ("longer", "audience"),
        ("shorter", "audience"),
        ("in capitals", "audience"),
        ("empty", "audience"),
        ("a list with ours", "claims"),
        ("a list with ours and another", "claims"),
        ("an empty list", "claims"),
        ("null", "claims"),
        ("missing", "claims"),
    ] {
        assert_eq!(met[what].as_deref(), Some(refusal), "aud {what}");
    }
}

/// No key opens what another one made, whatever the two have in common.
#[test]
fn asvs_9_1_2_each_stored_token_opens_with_its_own_key_alone() {
    let keys = keys();
    for file in FILES {
        let file: File = stored(file);
        for good in file.good.iter().filter(|good| good.name.contains("twin")) {
            for (name, key) in &keys {
                let opened = key.door().open(Some(&good.token), at(NOW));
                assert_eq!(opened.is_some(), *name == good.key, "{} {name}", good.name);
            }
        }
    }
}

#[test]
fn sl_04_a_token_of_any_length_is_refused_before_it_is_decoded() {
    for key in keys().values() {
        let door = key.door();
        let huge = "A".repeat(10_000_000);
        assert_eq!(door.refusal(&huge, at(NOW)).unwrap(), "too_long");
        let dots = ".".repeat(10_000_000);
        assert_eq!(door.refusal(&dots, at(NOW)).unwrap(), "too_long");
        assert!(door.open(None, at(NOW)).is_none());
    }
}

/// What npm's `jose` said of tokens of ours, recorded by `verify.mjs`.
#[derive(Deserialize)]
struct Verified {
    by: String,
    tokens: Vec<Ours>,
}

#[derive(Deserialize)]
struct Ours {
    key: String,
    token: String,
    accepted: bool,
    claims: serde_json::Value,
}

/// Signing is a function of the claims, so these are the bytes that are made today.
#[test]
fn sl_03_sl_05_npm_jose_accepts_what_is_sealed_here() {
    let keys = keys();
    let verified: Verified = stored(include_str!("verified.json"));
    assert!(verified.by.starts_with("npm jose 6."), "{}", verified.by);
    let mut seen = Vec::new();
    for ours in &verified.tokens {
        let key = &keys[&ours.key];
        let door = key.door();
        assert!(ours.accepted);
        let opened = door.open(Some(&ours.token), at(NOW)).unwrap();
        assert_eq!(opened.subject().as_str(), ours.claims["sub"]);
        assert_eq!(opened.id(), ours.claims["jti"]);
        assert_eq!(opened.expires_at().timestamp(), ours.claims["exp"]);
        assert_eq!(opened.issued_at().timestamp(), ours.claims["iat"]);
        assert_eq!(
            opened.claim("role").unwrap().as_text(),
            ours.claims["role"].as_str()
        );
        let again = door.seal(&opened).unwrap();
        let header = |token: &str| token.split('.').next().unwrap().to_owned();
        assert_eq!(header(&again), header(&ours.token));
        if key.enc.is_none() {
            assert_eq!(again, ours.token);
        }
        seen.push(&*ours.key);
    }
    assert_eq!(seen, ["ed", "ed-id", "gcm", "gcm-id", "hs", "hs-id"]);
}

/// Writes what `verify.mjs` reads, into the file that the environment names.
#[test]
fn tokens_for_another_program_are_written_when_asked() {
    let Some(path) = std::env::var_os("CLEARANCE_WRITE_TOKENS") else {
        return;
    };
    let tokens: Vec<_> = keys()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("cbc"))
        .map(|(name, key)| {
            let claims = claims().with_claim("role", "editor").unwrap();
            let token = key.door().seal(&claims).unwrap();
            serde_json::json!({ "key": name, "token": token })
        })
        .collect();
    std::fs::write(path, serde_json::to_string_pretty(&tokens).unwrap()).unwrap();
}

/// Whatever the header says of keys is refused before a key is used, and nothing is fetched: there is
/// no client that could.
#[test]
fn asvs_9_1_3_a_token_that_brings_a_key_or_says_where_one_is_is_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const OF_KEYS: [&str; 5] = ["\"jwk\"", "\"jku\"", "\"x5u\"", "\"x5c\"", "\"x5t\""];

    let keys = keys();
    let mut met = std::collections::BTreeSet::new();
    for file in FILES {
        let file: File = stored(file);
        for bad in &file.bad {
            let header = bad.token.split('.').next().unwrap_or_default();
            let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
            let header = String::from_utf8_lossy(&header);
            let of_keys = OF_KEYS.iter().find(|member| header.contains(**member));
            let Some(member) = of_keys else { continue };
            let refusal = keys[&bad.key].door().refusal(&bad.token, at(NOW));
            assert_eq!(refusal.as_deref(), Some("header"), "{}", bad.name);
            met.insert(*member);
        }
    }
    assert!(met.len() >= 3, "{met:?}");
}
