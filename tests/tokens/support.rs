//! The keys of the stored tokens, and what opens them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clearance::token::{
    Claims, DecryptionKey, EncryptedCodec, EncryptionKey, Opener, SignedCodec, SigningKey,
};
use clearance::{Key, Subject};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use logs::Capture;

#[path = "../support/logs.rs"]
pub(crate) mod logs;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const AUDIENCE: &str = "api";

#[derive(Deserialize)]
pub(crate) struct StoredKey {
    pub(crate) alg: String,
    pub(crate) enc: Option<String>,
    pub(crate) kid: Option<String>,
    hex: String,
}

impl StoredKey {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        bytes_of_hex(&self.hex)
    }

    pub(crate) fn key(&self) -> Key {
        Key::from_bytes(&self.bytes()).unwrap()
    }

    pub(crate) fn signing(&self) -> SigningKey {
        let key = match &*self.alg {
            "HS256" => SigningKey::hs256(&self.key()),
            "EdDSA" => SigningKey::ed25519(&self.key()).unwrap(),
            other => panic!("`{other}` signs nothing"),
        };
        match &self.kid {
            Some(id) => key.with_id(id).unwrap(),
            None => key,
        }
    }

    fn encryption(&self) -> EncryptionKey {
        let key = EncryptionKey::a256gcm(&self.key()).unwrap();
        match &self.kid {
            Some(id) => key.with_id(id).unwrap(),
            None => key,
        }
    }

    /// A door for this key alone.
    pub(crate) fn door(&self) -> Door {
        match self.enc.as_deref() {
            None => Door::Signed(SignedCodec::shared(self.signing(), AUDIENCE).unwrap()),
            Some("A256GCM") => {
                Door::Encrypted(EncryptedCodec::shared(self.encryption(), AUDIENCE).unwrap())
            }
            Some("A256CBC-HS512") => {
                let key = DecryptionKey::a256cbc_hs512(&self.key()).unwrap();
                let key = match &self.kid {
                    Some(id) => key.with_id(id).unwrap(),
                    None => key,
                };
                Door::OpensOnly(Opener::new(key, AUDIENCE).unwrap())
            }
            Some(other) => panic!("`{other}` is no content encryption of the profile"),
        }
    }
}

/// A codec of either form, or what only opens.
pub(crate) enum Door {
    Signed(SignedCodec),
    Encrypted(EncryptedCodec),
    OpensOnly(Opener<DecryptionKey>),
}

impl Door {
    pub(crate) fn open(&self, token: Option<&str>, now: DateTime<Utc>) -> Option<Claims> {
        match self {
            Self::Signed(codec) => codec.open(token, now),
            Self::Encrypted(codec) => codec.open(token, now),
            Self::OpensOnly(opener) => opener.open(token, now),
        }
    }

    pub(crate) fn seal(&self, claims: &Claims) -> clearance::Result<String> {
        match self {
            Self::Signed(codec) => codec.seal(claims),
            Self::Encrypted(codec) => codec.seal(claims),
            Self::OpensOnly(_) => panic!("this key seals nothing"),
        }
    }

    /// The word of the event by which a token is refused; `None` where it is accepted.
    pub(crate) fn refusal(&self, token: &str, now: DateTime<Utc>) -> Option<String> {
        let logs = Capture::start();
        let opened = self.open(Some(token), now);
        let text = logs.text();
        if token.len() > 16 {
            // No part of a token is ever logged.
            let part = &token.as_bytes()[token.len() / 2..][..12];
            assert!(!text.contains(&*String::from_utf8_lossy(part)), "{text}");
        }
        match opened {
            Some(_) => {
                assert_eq!(text, "");
                None
            }
            None => {
                assert_eq!(text.lines().count(), 1, "{text}");
                let (_, word) = text.split_once("refusal=\"").unwrap();
                Some(word.split('"').next().unwrap().to_owned())
            }
        }
    }
}

#[derive(Deserialize)]
struct KeyFile {
    now: i64,
    audience: String,
    keys: BTreeMap<String, StoredKey>,
}

pub(crate) fn keys() -> BTreeMap<String, StoredKey> {
    let file: KeyFile = stored(include_str!("keys.json"));
    assert_eq!((file.now, &*file.audience), (NOW, AUDIENCE));
    file.keys
}

pub(crate) fn stored<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub(crate) fn key(first: u8) -> Key {
    Key::from_bytes(&(first..first + 32).collect::<Vec<u8>>()).unwrap()
}

/// Claims that last an hour from `NOW`.
pub(crate) fn claims() -> Claims {
    let hour = std::time::Duration::from_secs(3_600);
    Claims::new(Subject::new("ada"), at(NOW), hour).unwrap()
}
