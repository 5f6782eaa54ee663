//! Codecs, which seal claims into tokens and open them again.

use chrono::{DateTime, Utc};

use super::claims::Claims;
use super::jwe::{DecryptionKey, EncryptionKey};
use super::jws::{SigningKey, VerifyingKey};
use super::key::Key;
use super::opener::{OpenedToken, Opener};
use super::ring::{self, KeyRing, OfRing};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// A codec of signed tokens. Anybody who holds one can read it.
///
/// # Example
///
/// A token that a program with npm's `jose` and the same secret verifies, and the other way round:
///
/// ```
/// use std::time::Duration;
///
/// use clearance::token::{Claims, SignedCodec, SigningKey};
/// use clearance::{Clock, Key, Subject, SystemClock};
///
/// // There: jwtVerify(token, secret, { algorithms: ["HS256"], audience: "api" })
/// let secret = Key::generate()?;
/// let codec = SignedCodec::shared(SigningKey::hs256(&secret), "api")?;
///
/// let now = SystemClock.now();
/// let claims = Claims::new(Subject::new(42), now, Duration::from_secs(7 * 24 * 3_600))?;
/// let token = codec.seal(&claims)?;
/// assert!(token.starts_with("eyJhbGciOiJIUzI1NiJ9."));
/// assert!(codec.open(Some(&token), now).is_some());
/// assert!(codec.open(None, now).is_none());
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug)]
pub struct SignedCodec {
    key: SigningKey,
    opener: Opener<VerifyingKey>,
}

impl SignedCodec {
    /// Builds a codec for HS256 with keys derived from `ring` for `purpose`, which is the `aud` of the tokens
    /// too.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the purpose is empty, longer than 128 bytes or holds a
    /// control character, or a key is in the ring twice.
    pub fn derived(ring: &KeyRing, purpose: &str) -> Result<Self> {
        Self::of(ring, purpose, ring::hs256)
    }

    /// Builds a codec for Ed25519 with keys derived from `ring` for `purpose`, so that a holder of [the
    /// public key](Self::public_key) can verify and not sign.
    ///
    /// # Errors
    ///
    /// As [`SignedCodec::derived`].
    pub fn derived_ed25519(ring: &KeyRing, purpose: &str) -> Result<Self> {
        Self::of(ring, purpose, ring::ed25519)
    }

    /// Builds a codec with a key that is used as it is, for programs that derive nothing. The audience alone
    /// separates the purposes of its tokens, so every program must require it.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the audience is empty, longer than 128 bytes or holds a
    /// control character.
    pub fn shared(key: SigningKey, audience: &str) -> Result<Self> {
        let opener = Opener::new(key.verifying()?, audience)?;
        Ok(Self { key, opener })
    }

    /// Also opens tokens of `key`: a retired one, or another program's.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when there is a key with this id already.
    pub fn also_opens(mut self, key: VerifyingKey) -> Result<Self> {
        self.opener = self.opener.also(key)?;
        Ok(self)
    }

    /// Sets the maximum size of a token, in bytes of JSON; 1024 by default.
    #[must_use]
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.opener = self.opener.max_payload_bytes(bytes);
        self
    }

    /// Returns the public key of the current signing key; `None` for HS256, which has none.
    #[must_use]
    pub fn public_key(&self) -> Option<[u8; 32]> {
        self.key.public_key()
    }

    /// Returns the `kid` of new tokens. It is no secret.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key.id()
    }

    /// Signs `claims` into a token.
    ///
    /// # Errors
    ///
    /// [`Error::is_payload_too_large`] when the claims do not fit. [`Error::is_misuse`] when the
    /// token would end before it is made or after the year 9999, or its subject, id or `acr` is
    /// empty or longer than 256 bytes.
    pub fn seal(&self, claims: &Claims) -> Result<String> {
        Ok(self.key.sign(&self.opener.payload(claims)?))
    }

    /// Opens a token: returns its claims if one of this codec's keys signed it for its audience, and it is
    /// valid at `now`; `None` for anything else, whatever is wrong with it.
    #[must_use]
    pub fn open(&self, token: Option<&str>, now: DateTime<Utc>) -> Option<Claims> {
        self.opener.open(token, now)
    }

    fn of(
        ring: &KeyRing,
        purpose: &str,
        derive: fn(&Key, &str) -> Result<SigningKey>,
    ) -> Result<Self> {
        let OfRing { sealing, retired } = ring.derived(|key| derive(key, purpose))?;
        let codec = Self::shared(sealing, purpose)?;
        let mut retired = retired.into_iter();
        retired.try_fold(codec, |codec, key| codec.also_opens(key.verifying()?))
    }
}

/// A codec of encrypted tokens: a holder can neither read nor change one.
///
/// Build one codec for a purpose and keep it, because its key counts what it seals: see
/// [`EncryptionKey`]. [The module](super) has an example.
#[derive(Debug)]
pub struct EncryptedCodec {
    key: EncryptionKey,
    opener: Opener<DecryptionKey>,
}

impl EncryptedCodec {
    /// Builds a codec for A256GCM with keys derived from `ring` for `purpose`, which is the `aud` of the
    /// tokens too.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the purpose is empty, longer than 128 bytes, holds a control
    /// character or begins with `clearance`, as those of the library itself do, or a key is in the
    /// ring twice.
    pub fn derived(ring: &KeyRing, purpose: &str) -> Result<Self> {
        ring::check_purpose(purpose)?;
        Self::derived_own(ring, purpose)
    }

    /// Builds the same for the library's own tokens, whose purposes are reserved.
    pub(crate) fn derived_own(ring: &KeyRing, purpose: &str) -> Result<Self> {
        let OfRing { sealing, retired } = ring.derived(|key| ring::a256gcm(key, purpose))?;
        let codec = Self::shared(sealing, purpose)?;
        let mut retired = retired.into_iter();
        retired.try_fold(codec, |codec, key| codec.also_opens(key.decrypting()))
    }

    /// Builds a codec with a key that is used as it is, for programs that derive nothing. The audience alone
    /// separates the purposes of its tokens, so every program must require it.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the audience is empty, longer than 128 bytes or holds a
    /// control character.
    pub fn shared(key: EncryptionKey, audience: &str) -> Result<Self> {
        let opener = Opener::new(key.decrypting(), audience)?;
        Ok(Self { key, opener })
    }

    /// Also opens tokens of `key`: a retired one, or another program's.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when there is a key with this id already.
    pub fn also_opens(mut self, key: DecryptionKey) -> Result<Self> {
        self.opener = self.opener.also(key)?;
        Ok(self)
    }

    /// Sets the maximum size of a token, in bytes of JSON; 1024 by default.
    #[must_use]
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.opener = self.opener.max_payload_bytes(bytes);
        self
    }

    /// Returns the `kid` of new tokens. It is no secret.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key.id()
    }

    /// Encrypts `claims` into a token, different each time.
    ///
    /// # Errors
    ///
    /// [`Error::is_payload_too_large`] when the claims do not fit. [`Error::is_misuse`] when the
    /// token would end before it is made or after the year 9999, or its subject, id or `acr` is
    /// empty or longer than 256 bytes. [`Error::is_configuration`] when the key has sealed all
    /// that it may.
    pub fn seal(&self, claims: &Claims) -> Result<String> {
        self.key.encrypt(self.opener.payload(claims)?)
    }

    /// Opens a token: returns its claims if one of this codec's keys encrypted it for its audience, and it is
    /// valid at `now`; `None` for anything else, whatever is wrong with it.
    #[must_use]
    pub fn open(&self, token: Option<&str>, now: DateTime<Utc>) -> Option<Claims> {
        self.opener.open(token, now)
    }

    pub(crate) fn open_or_expired(&self, token: &str, now: DateTime<Utc>) -> OpenedToken {
        self.opener.open_or_expired(token, now)
    }
}
