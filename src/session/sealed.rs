//! The value of a sealed session cookie (AES-256-GCM), which nobody else can make or read.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Result};
use crate::session::store::{SecretHash, SessionId};
use crate::token::key::{Key, fill_random};

const PURPOSE: &str = "session cookie";
const VERSION: u8 = 1;
const ID: usize = 16;
const SECRET: usize = 32;
const EXPIRY: usize = 8;
const CONTENT: usize = ID + SECRET + EXPIRY;
const NONCE: usize = 12;
const TAG: usize = 16;
const SEALED: usize = 1 + NONCE + CONTENT + TAG;
/// The number of characters of the base64 form: every value has the same length.
const TEXT: usize = (SEALED * 4).div_ceil(3);

/// The contents of a session cookie, once opened. The secret itself is not kept: only its hash is compared.
#[derive(Clone, Copy)]
pub(crate) struct Credential {
    pub(crate) id: SessionId,
    pub(crate) secret_hash: SecretHash,
    /// The end in seconds since 1970, as the cookie's own `Expires` has no finer step.
    pub(crate) expires_at: i64,
}

/// A new secret, until it is sealed.
type Secret = Zeroizing<[u8; SECRET]>;

impl Credential {
    pub(super) fn new(id: [u8; ID], secret: &[u8; SECRET], expires_at: i64) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self {
            id: SessionId::from_bytes(id),
            secret_hash: SecretHash::from_bytes(hash),
            expires_at,
        }
    }

    /// Generates a credential with a new random id and secret.
    pub(crate) fn generate(expires_at: i64) -> Result<(Self, Secret)> {
        let mut id = [0; ID];
        let mut secret = Zeroizing::new([0; SECRET]);
        fill_random(&mut id)?;
        fill_random(&mut *secret)?;
        Ok((Self::new(id, &secret, expires_at), secret))
    }
}

/// A sealer of cookie values, for one key and one cookie name.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: RandomizedNonceKey,
    associated: Box<[u8]>,
}

impl Sealer {
    pub(crate) fn new(key: &Key, cookie: &str) -> Result<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*key.derive(PURPOSE)?)
            .map_err(|_| Error::internal("a key could not be derived"))?;
        let mut associated = vec![VERSION];
        associated.extend_from_slice(PURPOSE.as_bytes());
        associated.push(0);
        associated.extend_from_slice(cookie.as_bytes());
        Ok(Self {
            key,
            associated: associated.into(),
        })
    }

    pub(crate) fn seal(
        &self,
        credential: &Credential,
        secret: &[u8; SECRET],
    ) -> Result<Zeroizing<String>> {
        let mut content = Zeroizing::new(Vec::with_capacity(CONTENT + TAG));
        content.extend_from_slice(credential.id.as_bytes());
        content.extend_from_slice(secret);
        content.extend_from_slice(&credential.expires_at.to_be_bytes());
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(&*self.associated), &mut *content)
            .map_err(|_| Error::internal("a session cookie could not be sealed"))?;
        let mut sealed = Vec::with_capacity(SEALED);
        sealed.push(VERSION);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&content);
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens a value of [`Sealer::seal`]; `None` for anything else, whatever is wrong with it.
    pub(crate) fn open(&self, text: &[u8]) -> Option<Credential> {
        self.open_whole(text).map(|(credential, _)| credential)
    }

    /// Opens the value with its secret, to be sealed again.
    pub(crate) fn open_whole(&self, text: &[u8]) -> Option<(Credential, Secret)> {
        // The length is checked before decoding, so that a value of any size costs one comparison.
        if text.len() != TEXT {
            return None;
        }
        let mut sealed = [0; SEALED];
        // The engine refuses padding and stray low bits: one credential has one spelling.
        if URL_SAFE_NO_PAD.decode_slice(text, &mut sealed).ok()? != SEALED {
            return None;
        }
        let (version, rest) = sealed.split_first_mut()?;
        if *version != VERSION {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk_mut::<NONCE>()?;
        let content = self
            .key
            .open_in_place(Nonce::from(&*nonce), Aad::from(&*self.associated), rest)
            .ok()?;
        let (id, rest) = content.split_first_chunk_mut::<ID>()?;
        let (secret, rest) = rest.split_first_chunk_mut::<SECRET>()?;
        let (expires_at, []) = rest.split_first_chunk_mut::<EXPIRY>()? else {
            return None;
        };
        let credential = Credential::new(*id, secret, i64::from_be_bytes(*expires_at));
        let kept = Zeroizing::new(*secret);
        secret.zeroize();
        Some((credential, kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(key: u8, cookie: &str) -> Sealer {
        let bytes: Vec<u8> = (0..32).map(|byte| byte ^ key).collect();
        Sealer::new(&Key::from_bytes(&bytes).unwrap(), cookie).unwrap()
    }

    #[test]
    fn sd_04_what_was_sealed_opens_and_shows_nothing() {
        let sealer = sealer(1, "session");
        let (credential, secret) = Credential::generate(1_234).unwrap();
        let text = sealer.seal(&credential, &secret).unwrap();
        assert_eq!(text.len(), TEXT);
        let opened = sealer.open(text.as_bytes()).unwrap();
        assert_eq!(opened.id, credential.id);
        assert_eq!(opened.secret_hash, credential.secret_hash);
        assert_eq!(opened.expires_at, 1_234);
        let raw = URL_SAFE_NO_PAD.decode(&*text).unwrap();
        assert!(!raw.windows(ID).any(|part| part == credential.id.as_bytes()));
        assert_ne!(text, sealer.seal(&credential, &secret).unwrap());
    }

    #[test]
    fn sd_05_a_million_ids_are_unique() {
        const CREDENTIALS: usize = 1_000_000;
        let ids: std::collections::HashSet<_> = (0..CREDENTIALS)
            .map(|_| *Credential::generate(1).unwrap().0.id.as_bytes())
            .collect();
        assert_eq!(ids.len(), CREDENTIALS);
    }

    #[test]
    fn sd_05_the_store_is_given_a_hash_of_the_secret() {
        let (credential, secret) = Credential::generate(1_234).unwrap();
        let hash = digest::digest(&digest::SHA256, &*secret);
        assert_eq!(credential.secret_hash.as_bytes(), hash.as_ref());
        assert_ne!(credential.secret_hash.as_bytes(), &*secret);
    }

    #[test]
    fn sd_04_another_key_or_cookie_name_does_not_open_it() {
        let (credential, secret) = Credential::generate(1).unwrap();
        let text = sealer(1, "session").seal(&credential, &secret).unwrap();
        assert!(sealer(2, "session").open(text.as_bytes()).is_none());
        assert!(sealer(1, "other").open(text.as_bytes()).is_none());
    }

    #[test]
    fn rf_9_each_purpose_has_its_own_key() {
        let key = Key::from_bytes(&(0..32).collect::<Vec<u8>>()).unwrap();
        assert_ne!(key.derive(PURPOSE).unwrap(), key.derive("state").unwrap());
    }

    #[test]
    fn sd_04_a_second_spelling_of_the_same_bytes_is_refused() {
        let sealer = sealer(1, "session");
        let (credential, secret) = Credential::generate(1).unwrap();
        let text = sealer.seal(&credential, &secret).unwrap();
        let accepted = (0..=255u8)
            .filter(|last| {
                let mut bytes = text.as_bytes().to_vec();
                *bytes.last_mut().unwrap() = *last;
                sealer.open(&bytes).is_some()
            })
            .count();
        assert_eq!(accepted, 1);
    }
}
