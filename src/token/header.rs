//! The header that a key expects. A token's header is compared with it, and selects nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::compact;
use super::payload::PayloadText;
use super::refusal::TokenRefusal;
use crate::error::{Error, Result};

/// The maximum number of characters of an encoded header; longer ones are not decoded.
pub(super) const LONGEST: usize = 512;
const LONGEST_ID: usize = 64;
const TYPE: &str = "JWT";

/// The header of the tokens of one key.
#[derive(Debug)]
pub(super) struct Header {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    encoded: Box<str>,
}

/// The algorithm of a key, which never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    EdDsa,
    DirA256Gcm,
    DirA256CbcHs512,
}

impl Algorithm {
    /// Returns the values of `alg` and `enc`.
    const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Hs256 => ("HS256", None),
            Self::EdDsa => ("EdDSA", None),
            Self::DirA256Gcm => ("dir", Some("A256GCM")),
            Self::DirA256CbcHs512 => ("dir", Some("A256CBC-HS512")),
        }
    }
}

impl Header {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            id: None,
            encoded: encode(algorithm, None),
        }
    }

    /// Returns the header of the same key with this `kid`.
    pub(super) fn with_id(&self, id: &str) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !(1..=LONGEST_ID).contains(&id.len()) || !id.bytes().all(is_plain) {
            return Err(Error::configuration(
                "the id of a token's key has 1 to 64 visible ASCII characters without `\"` and `\\`",
            ));
        }
        Ok(Self {
            algorithm: self.algorithm,
            id: Some(id.into()),
            encoded: encode(self.algorithm, Some(id)),
        })
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the header as the first part of a token.
    pub(super) fn encoded(&self) -> &str {
        &self.encoded
    }

    pub(super) fn copy(&self) -> Self {
        Self {
            algorithm: self.algorithm,
            id: self.id.clone(),
            encoded: self.encoded.clone(),
        }
    }

    /// Returns whether a header that another program wrote names this algorithm.
    pub(super) fn has_algorithm_of(&self, presented: &Presented) -> bool {
        let (alg, enc) = self.algorithm.names();
        presented.alg == alg && presented.enc.as_deref() == enc
    }

    /// Returns whether the presented header has exactly the members of this one.
    pub(super) fn is(&self, presented: &Presented) -> bool {
        self.has_algorithm_of(presented) && presented.kid.as_deref() == self.id()
    }
}

/// Encodes a header in the one spelling that this library writes.
fn encode(algorithm: Algorithm, id: Option<&str>) -> Box<str> {
    let (alg, enc) = algorithm.names();
    let mut json = format!(r#"{{"alg":"{alg}""#);
    for (name, value) in [("enc", enc), ("kid", id)] {
        if let Some(value) = value {
            json.push_str(&format!(r#","{name}":"{value}""#));
        }
    }
    json.push('}');
    let mut encoded = String::new();
    compact::encode(json.as_bytes(), &mut encoded);
    encoded.into()
}

/// A header as another program spelled it: in any order, perhaps with white space or a `typ`.
pub(super) struct Presented {
    alg: String,
    enc: Option<String>,
    kid: Option<String>,
}

impl Presented {
    pub(super) fn read(part: &str) -> Result<Self, TokenRefusal> {
        if part.len() > LONGEST {
            return Err(TokenRefusal::TooLong);
        }
        let mut json = Vec::new();
        compact::decode_into(part, &mut json, 0)?;
        serde_json::from_slice(&json).map_err(|_| TokenRefusal::Header)
    }
}

impl<'de> Deserialize<'de> for Presented {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PresentedVisitor)
    }
}

struct PresentedVisitor;

impl<'de> Visitor<'de> for PresentedVisitor {
    type Value = Presented;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut alg, mut enc, mut kid, mut typ) = (None, None, None, None);
        while let Some(PayloadText(name)) = map.next_key()? {
            let slot = match &*name {
                "alg" => &mut alg,
                "enc" => &mut enc,
                "kid" => &mut kid,
                "typ" => &mut typ,
                _ => return Err(A::Error::custom("unknown")),
            };
            if slot.replace(map.next_value::<String>()?).is_some() {
                return Err(A::Error::custom("twice"));
            }
        }
        if typ.is_some_and(|typ| typ != TYPE) {
            return Err(A::Error::custom("type"));
        }
        Ok(Presented {
            alg: alg.ok_or_else(|| A::Error::missing_field("alg"))?,
            enc,
            kid,
        })
    }
}
