//! The key ring of an application: the sealing key and retired ones (key rotation).

use super::jwe::EncryptionKey;
use super::jws::SigningKey;
use super::key::Key;
use crate::error::{Error, Result};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const ID_BYTES: usize = 8;
/// The prefix of the purposes of the library's own tokens.
const OWN_PURPOSE: &str = "clearance";

/// The application's master keys: one that seals, and retired ones that still open.
///
/// To rotate the key, put the new one first and retire the old one. When the last token of the old key has
/// expired, remove that. Where several nodes are restarted one after the other, first retire the *new* one on
/// all of them, so that each opens what the next ones seal.
///
/// No key of the ring is used itself. Each purpose and algorithm has its own, derived with HKDF-SHA256, so
/// that a token for one purpose never opens for another. The `kid` is derived likewise, and no key can be
/// recovered from it.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use clearance::token::{Claims, KeyRing, SignedCodec};
/// use clearance::{Clock, Key, Subject, SystemClock};
///
/// let (old, new) = (Key::generate()?, Key::generate()?);
/// let now = SystemClock.now();
/// let claims = Claims::new(Subject::new(42), now, Duration::from_secs(60))?;
/// let token = SignedCodec::derived(&KeyRing::new(old.clone()), "report")?.seal(&claims)?;
///
/// let ring = KeyRing::new(new).retired(old);
/// assert!(SignedCodec::derived(&ring, "report")?.open(Some(&token), now).is_some());
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KeyRing {
    sealing: Key,
    retired: Vec<Key>,
}

impl KeyRing {
    /// Builds a ring of one key, which seals and opens.
    #[must_use]
    pub const fn new(sealing: Key) -> Self {
        Self {
            sealing,
            retired: Vec::new(),
        }
    }

    /// Adds a retired key, which opens only.
    #[must_use]
    pub fn retired(mut self, key: Key) -> Self {
        self.retired.push(key);
        self
    }

    /// Derives a value from each key of the ring.
    ///
    /// INVARIANT (ring): there is no access to the sealing key alone, so that nothing can be made with it
    /// that a node which has retired it, or does not seal with it yet, rejects (decision 57).
    pub(crate) fn derived<T>(&self, derive: impl Fn(&Key) -> Result<T>) -> Result<OfRing<T>> {
        Ok(OfRing {
            sealing: derive(&self.sealing)?,
            retired: self.retired.iter().map(&derive).collect::<Result<_>>()?,
        })
    }
}

/// The values derived from each key of a ring, for one purpose.
#[derive(Debug)]
pub(crate) struct OfRing<T> {
    /// The value of the sealing key, which makes and opens.
    pub(crate) sealing: T,
    /// The values of the retired keys, which only open.
    pub(crate) retired: Box<[T]>,
}

impl<T> OfRing<T> {
    /// Iterates over all values, that of the sealing key first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.sealing).chain(&self.retired)
    }
}

impl From<Key> for KeyRing {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}

/// Refuses the purposes of the library's own tokens, which an application could forge otherwise.
pub(super) fn check_purpose(purpose: &str) -> Result<()> {
    if purpose.starts_with(OWN_PURPOSE) {
        return Err(Error::configuration(
            "purposes of tokens that begin with `clearance` are the library's own: choose another one",
        ));
    }
    Ok(())
}

pub(super) fn hs256(key: &Key, purpose: &str) -> Result<SigningKey> {
    let id = id(key, "token id HS256", purpose)?;
    SigningKey::hs256_of(&*key.derive_named("token HS256", purpose)?).with_id(&id)
}

pub(super) fn ed25519(key: &Key, purpose: &str) -> Result<SigningKey> {
    let id = id(key, "token id EdDSA", purpose)?;
    SigningKey::ed25519_of(&*key.derive_named("token EdDSA", purpose)?)?.with_id(&id)
}

pub(super) fn a256gcm(key: &Key, purpose: &str) -> Result<EncryptionKey> {
    let id = id(key, "token id A256GCM", purpose)?;
    EncryptionKey::a256gcm_of(&*key.derive_named("token A256GCM", purpose)?)?.with_id(&id)
}

/// Derives a key's id: HKDF is one way, and a value derived for one use reveals nothing of another.
fn id(key: &Key, use_: &'static str, purpose: &str) -> Result<String> {
    let derived = key.derive_named(use_, purpose)?;
    let (id, _) = derived.split_at(ID_BYTES);
    Ok(URL_SAFE_NO_PAD.encode(id))
}
