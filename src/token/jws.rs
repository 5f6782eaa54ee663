//! Signed tokens: HS256 and Ed25519.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};

use super::compact;
use super::header::{Algorithm, Header};
use super::key::Key;
use super::opener::Opens;
use super::refusal::TokenRefusal;
use crate::error::{Error, Result};

const MAC: usize = 32;
const SIGNATURE: usize = 64;

/// A key that signs tokens, and verifies its own.
pub struct SigningKey {
    header: Header,
    secret: Signs,
}

enum Signs {
    Hs256(Box<hmac::Key>),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Builds a key for HMAC with SHA-256 ([RFC 7518, section
    /// 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)), with all bytes of `key` as they are. A
    /// holder who can verify can sign.
    #[must_use]
    pub fn hs256(key: &Key) -> Self {
        Self::hs256_of(key.as_bytes())
    }

    /// Builds a key for Ed25519 ([RFC 8037](https://www.rfc-editor.org/rfc/rfc8037)), with `key` as the
    /// private key.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the key does not have 32 bytes.
    pub fn ed25519(key: &Key) -> Result<Self> {
        Self::ed25519_of(key.as_bytes())
    }

    /// Sets the key's id: it writes `id` as `kid` into its tokens, and opens only tokens with it.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the id does not have 1 to 64 visible ASCII characters, or
    /// holds `"` or `\`.
    pub fn with_id(mut self, id: &str) -> Result<Self> {
        self.header = self.header.with_id(id)?;
        Ok(self)
    }

    pub(super) fn hs256_of(secret: &[u8]) -> Self {
        Self {
            header: Header::new(Algorithm::Hs256),
            secret: Signs::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))),
        }
    }

    pub(super) fn ed25519_of(seed: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| Error::configuration("a private key of Ed25519 has 32 bytes"))?;
        Ok(Self {
            header: Header::new(Algorithm::EdDsa),
            secret: Signs::Ed25519(pair),
        })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.header.id()
    }

    pub(super) fn public_key(&self) -> Option<[u8; 32]> {
        match &self.secret {
            Signs::Hs256(_) => None,
            Signs::Ed25519(pair) => pair.public_key().as_ref().try_into().ok(),
        }
    }

    pub(super) fn verifying(&self) -> Result<VerifyingKey> {
        Ok(VerifyingKey {
            header: self.header.copy(),
            verifies: match &self.secret {
                Signs::Hs256(key) => Verifies::Hs256(key.clone()),
                Signs::Ed25519(pair) => Verifies::Ed25519(public_key(pair.public_key().as_ref())?),
            },
        })
    }

    pub(super) fn sign(&self, payload: &[u8]) -> String {
        let header = self.header.encoded();
        let length = header.len() + compact::encoded_len(payload.len() + SIGNATURE) + 4;
        let mut token = String::with_capacity(length);
        token.push_str(header);
        token.push('.');
        compact::encode(payload, &mut token);
        match &self.secret {
            Signs::Hs256(key) => {
                let tag = hmac::sign(key, token.as_bytes());
                token.push('.');
                compact::encode(tag.as_ref(), &mut token);
            }
            Signs::Ed25519(pair) => {
                let signature = pair.sign(token.as_bytes());
                token.push('.');
                compact::encode(signature.as_ref(), &mut token);
            }
        }
        token
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("SigningKey", &self.header, f)
    }
}

/// A key that verifies signed tokens.
pub struct VerifyingKey {
    header: Header,
    verifies: Verifies,
}

enum Verifies {
    Hs256(Box<hmac::Key>),
    Ed25519(ParsedPublicKey),
}

impl VerifyingKey {
    /// Builds a key as [`SigningKey::hs256`].
    #[must_use]
    pub fn hs256(key: &Key) -> Self {
        Self {
            header: Header::new(Algorithm::Hs256),
            verifies: Verifies::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))),
        }
    }

    /// Builds a key from an Ed25519 public key: its 32 bytes, which a JWK has as `x`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the bytes are no public key.
    pub fn ed25519(public: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            header: Header::new(Algorithm::EdDsa),
            verifies: Verifies::Ed25519(public_key(public)?),
        })
    }

    /// Sets the key's id, as [`SigningKey::with_id`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn with_id(mut self, id: &str) -> Result<Self> {
        self.header = self.header.with_id(id)?;
        Ok(self)
    }
}

impl Opens for VerifyingKey {
    fn header(&self) -> &Header {
        &self.header
    }

    fn open(&self, token: &str, rest: &str, payload: &mut Vec<u8>) -> Result<(), TokenRefusal> {
        let (content, signature) = compact::last(rest)?;
        let signed = token.as_bytes();
        let signed = signed
            .get(..signed.len() - signature.len() - 1)
            .ok_or(TokenRefusal::Shape)?;
        match &self.verifies {
            Verifies::Hs256(key) => {
                let tag: [u8; MAC] = compact::decode_exact(signature)?;
                compact::decode_into(content, payload, 0)?;
                hmac::verify(key, signed, &tag)
            }
            Verifies::Ed25519(key) => {
                let signature: [u8; SIGNATURE] = compact::decode_exact(signature)?;
                compact::decode_into(content, payload, 0)?;
                key.verify_sig(signed, &signature)
            }
        }
        .map_err(|_| TokenRefusal::Authentication)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("VerifyingKey", &self.header, f)
    }
}

fn public_key(bytes: &[u8]) -> Result<ParsedPublicKey> {
    ParsedPublicKey::new(&ED25519, bytes)
        .map_err(|_| Error::configuration("these bytes are not a public key of Ed25519"))
}

/// Formats a key by its algorithm and id.
pub(super) fn show(name: &str, header: &Header, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("algorithm", &header.algorithm())
        .field("id", &header.id())
        .finish_non_exhaustive()
}
