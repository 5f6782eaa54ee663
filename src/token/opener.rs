//! The opener of tokens: the one way from text to claims.

use std::fmt;

use chrono::{DateTime, Utc};

use super::claims::Claims;
use super::compact;
use super::header::{self, Header, Presented};
use super::payload;
use super::refusal::TokenRefusal;
use crate::error::{Error, Result};
use crate::events;

const DEFAULT_PAYLOAD: usize = 1024;
const LONGEST_AUDIENCE: usize = 128;
/// The characters of the parts beside header and payload, including dots and the block that CBC adds.
const OTHER_PARTS: usize = 160;

/// The result of opening a token, for callers that distinguish an expired token of their own from any other.
pub(crate) enum OpenedToken {
    Good(Claims),
    Expired,
    Refused,
}

/// The form of tokens that a key opens: signed or encrypted.
pub(super) trait Opens {
    fn header(&self) -> &Header;

    /// Authenticates a token and leaves its payload in `payload`. `rest` is the token after the header and
    /// its dot. The whole text is checked before the key is used.
    fn open(&self, token: &str, rest: &str, payload: &mut Vec<u8>) -> Result<(), TokenRefusal>;
}

/// A key that opens tokens: a [`VerifyingKey`](super::VerifyingKey) or a
/// [`DecryptionKey`](super::DecryptionKey).
///
/// The trait is sealed: it cannot be implemented outside of this library.
#[expect(
    private_bounds,
    reason = "what a key does is not part of what it can be used for"
)]
pub trait OpeningKey: Opens + fmt::Debug {}

impl<K: Opens + fmt::Debug> OpeningKey for K {}

/// An opener of tokens that another program issues, of one form and for one audience.
///
/// A codec opens its own; this is for a program that has no key to issue any.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use clearance::token::{Claims, KeyRing, Opener, SignedCodec, VerifyingKey};
/// use clearance::{Clock, Key, Subject, SystemClock};
///
/// let now = SystemClock.now();
/// let codec = SignedCodec::derived_ed25519(&KeyRing::new(Key::generate()?), "report")?;
/// let token = codec.seal(&Claims::new(Subject::new(42), now, Duration::from_secs(60))?)?;
///
/// // Elsewhere, with the public key alone.
/// let (public, id) = (codec.public_key().unwrap(), codec.key_id().unwrap());
/// let opener = Opener::new(VerifyingKey::ed25519(&public)?.with_id(id)?, "report")?;
/// assert!(opener.open(Some(&token), now).is_some());
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug)]
pub struct Opener<K> {
    keys: Vec<K>,
    audience: Box<str>,
    max_payload_bytes: usize,
}

impl<K: OpeningKey> Opener<K> {
    /// Builds an opener for tokens of `key` whose `aud` is `audience`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the audience is empty, longer than 128 bytes or holds a
    /// control character.
    pub fn new(key: K, audience: &str) -> Result<Self> {
        if !(1..=LONGEST_AUDIENCE).contains(&audience.len())
            || audience.chars().any(char::is_control)
        {
            return Err(Error::configuration(
                "the purpose or audience of a token has 1 to 128 bytes and no control characters",
            ));
        }
        Ok(Self {
            keys: vec![key],
            audience: audience.into(),
            max_payload_bytes: DEFAULT_PAYLOAD,
        })
    }

    /// Also opens tokens of `key`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when there is a key with this id already.
    pub fn also(mut self, key: K) -> Result<Self> {
        let id = key.header().id();
        if id.is_some() && self.keys.iter().any(|known| known.header().id() == id) {
            return Err(Error::configuration(
                "two keys of a token have the same id: is one of them in the ring twice?",
            ));
        }
        self.keys.push(key);
        Ok(self)
    }

    /// Sets the maximum size of a token, in bytes of JSON; 1024 by default.
    #[must_use]
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.max_payload_bytes = bytes;
        self
    }

    /// Opens a token: returns its claims if a known key made it for this audience, and it is valid at `now`;
    /// `None` for anything else, whatever is wrong with it.
    #[must_use]
    pub fn open(&self, token: Option<&str>, now: DateTime<Utc>) -> Option<Claims> {
        match self.open_or_expired(token?, now) {
            OpenedToken::Good(claims) => Some(claims),
            OpenedToken::Expired | OpenedToken::Refused => None,
        }
    }

    pub(super) fn open_or_expired(&self, token: &str, now: DateTime<Utc>) -> OpenedToken {
        let refusal = match self.try_open(token, now) {
            Ok(claims) => return OpenedToken::Good(claims),
            Err(refusal) => refusal,
        };
        events::token_refused(&self.audience, refusal.as_str());
        match refusal {
            TokenRefusal::Expired => OpenedToken::Expired,
            TokenRefusal::TooLong
            | TokenRefusal::Shape
            | TokenRefusal::Encoding
            | TokenRefusal::Header
            | TokenRefusal::UnknownKey
            | TokenRefusal::Authentication
            | TokenRefusal::Claims
            | TokenRefusal::Audience
            | TokenRefusal::NotYet => OpenedToken::Refused,
        }
    }

    /// Serializes `claims` as a payload, within the maximum size.
    pub(super) fn payload(&self, claims: &Claims) -> Result<Vec<u8>> {
        let payload = payload::write(claims, &self.audience)?;
        if payload.len() > self.max_payload_bytes {
            return Err(Error::payload_too_large(
                payload.len(),
                self.max_payload_bytes,
            ));
        }
        Ok(payload)
    }

    fn try_open(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenRefusal> {
        let payload = compact::encoded_len(self.max_payload_bytes);
        if token.len() > payload.saturating_add(header::LONGEST + OTHER_PARTS) {
            return Err(TokenRefusal::TooLong);
        }
        let (first, rest) = token.split_once('.').ok_or(TokenRefusal::Shape)?;
        let is_ours = |key: &K| key.header().encoded() == first;
        // This library's own spelling of a header needs no decoding.
        let presented = if self.keys.iter().any(is_ours) {
            None
        } else {
            Some(Presented::read(first)?)
        };
        let mut refusal = match &presented {
            Some(presented) if self.algorithm_is_known(presented) => TokenRefusal::UnknownKey,
            _ => TokenRefusal::Header,
        };
        let mut payload = Vec::new();
        for key in &self.keys {
            let fits = match &presented {
                None => is_ours(key),
                Some(presented) => key.header().is(presented),
            };
            if !fits {
                continue;
            }
            match key.open(token, rest, &mut payload) {
                Ok(()) if payload.len() > self.max_payload_bytes => {
                    return Err(TokenRefusal::TooLong);
                }
                Ok(()) => return payload::read(&payload, &self.audience, now),
                Err(refused) => refusal = refused,
            }
        }
        Err(refusal)
    }

    fn algorithm_is_known(&self, presented: &Presented) -> bool {
        let known = |key: &K| key.header().has_algorithm_of(presented);
        self.keys.iter().any(known)
    }
}
