//! Encrypted tokens: A256GCM both ways, A256CBC-HS512 for opening, both with the key itself (`dir`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use super::compact;
use super::header::{Algorithm, Header};
use super::jws::show;
use super::key::Key;
use super::opener::Opens;
use super::refusal::TokenRefusal;
use crate::error::{Error, Result};
use crate::events;

const GCM_NONCE: usize = 12;
const GCM_TAG: usize = 16;
const BLOCK: usize = 16;
const CBC_TAG: usize = 32;
/// The maximum number of random nonces of 96 bits for one key ([NIST SP 800-38D, section
/// 8.3](https://doi.org/10.6028/NIST.SP.800-38D)).
const MOST_SEALS: u64 = 1 << 32;

/// A key that encrypts tokens with A256GCM, and opens its own.
///
/// # How long it lasts
///
/// Each token has a random nonce, so one key may seal 2³² of them
/// ([NIST SP 800-38D, section 8.3](https://doi.org/10.6028/NIST.SP.800-38D)). A key counts what it
/// has sealed since it was built: it warns at half of that and refuses beyond. Where several
/// processes seal with one key, or one process is started again and again, put a new key first in
/// the ring before all of them together reach the bound: at 100 tokens a second that is after 16
/// months.
pub struct EncryptionKey {
    header: Header,
    key: Arc<RandomizedNonceKey>,
    seals: AtomicU64,
}

impl EncryptionKey {
    /// Builds a key for AES-256 in Galois/Counter Mode ([RFC 7518, section
    /// 5.3](https://www.rfc-editor.org/rfc/rfc7518#section-5.3)).
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the key does not have 32 bytes.
    pub fn a256gcm(key: &Key) -> Result<Self> {
        Self::a256gcm_of(key.as_bytes())
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

    pub(super) fn a256gcm_of(key: &[u8]) -> Result<Self> {
        Ok(Self {
            header: Header::new(Algorithm::DirA256Gcm),
            key: Arc::new(gcm(key)?),
            seals: AtomicU64::new(0),
        })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.header.id()
    }

    pub(super) fn decrypting(&self) -> DecryptionKey {
        DecryptionKey {
            header: self.header.copy(),
            opens: Decrypts::A256Gcm(Arc::clone(&self.key)),
        }
    }

    pub(super) fn encrypt(&self, mut payload: Vec<u8>) -> Result<String> {
        self.count()?;
        let header = self.header.encoded();
        let length = payload.len();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(header), &mut payload)
            .map_err(|_| Error::internal("a token could not be sealed"))?;
        let (content, tag) = payload
            .split_at_checked(length)
            .ok_or_else(|| Error::internal("a token could not be sealed"))?;
        let mut token = String::with_capacity(header.len() + compact::encoded_len(length) + 48);
        token.push_str(header);
        token.push_str("..");
        compact::encode(nonce.as_ref(), &mut token);
        token.push('.');
        compact::encode(content, &mut token);
        token.push('.');
        compact::encode(tag, &mut token);
        Ok(token)
    }

    fn count(&self) -> Result<()> {
        match self.seals.fetch_add(1, Ordering::Relaxed) {
            MOST_SEALS.. => Err(Error::configuration(
                "a key has sealed 2^32 tokens, the most that it may: put a new key first in the ring",
            )),
            seals => {
                if seals == MOST_SEALS / 2 {
                    events::key_half_used();
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("EncryptionKey", &self.header, f)
    }
}

/// A key that opens encrypted tokens.
pub struct DecryptionKey {
    header: Header,
    opens: Decrypts,
}

enum Decrypts {
    A256Gcm(Arc<RandomizedNonceKey>),
    A256CbcHs512(Box<CbcHs512>),
}

/// A key for encrypt-then-MAC ([RFC 7518, section 5.2](https://www.rfc-editor.org/rfc/rfc7518#section-5.2)).
struct CbcHs512 {
    mac: hmac::Key,
    cipher: PaddedBlockDecryptingKey,
}

impl DecryptionKey {
    /// Builds a key as [`EncryptionKey::a256gcm`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn a256gcm(key: &Key) -> Result<Self> {
        Ok(Self {
            header: Header::new(Algorithm::DirA256Gcm),
            opens: Decrypts::A256Gcm(Arc::new(gcm(key.as_bytes())?)),
        })
    }

    /// Builds a key for AES-256 in CBC mode with HMAC-SHA-512 ([RFC 7518, section
    /// 5.2.5](https://www.rfc-editor.org/rfc/rfc7518#section-5.2.5)), which other programs still write.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the key does not have 64 bytes.
    pub fn a256cbc_hs512(key: &Key) -> Result<Self> {
        let wrong = || Error::configuration("a key of A256CBC-HS512 has 64 bytes");
        let (mac, cipher) = key.as_bytes().split_first_chunk::<32>().ok_or_else(wrong)?;
        let cipher: &[u8; 32] = cipher.try_into().map_err(|_| wrong())?;
        let cipher = UnboundCipherKey::new(&AES_256, cipher)
            .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
            .map_err(|_| wrong())?;
        Ok(Self {
            header: Header::new(Algorithm::DirA256CbcHs512),
            opens: Decrypts::A256CbcHs512(Box::new(CbcHs512 {
                mac: hmac::Key::new(hmac::HMAC_SHA512, mac),
                cipher,
            })),
        })
    }

    /// Sets the key's id, as [`EncryptionKey::with_id`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn with_id(mut self, id: &str) -> Result<Self> {
        self.header = self.header.with_id(id)?;
        Ok(self)
    }
}

impl Opens for DecryptionKey {
    fn header(&self) -> &Header {
        &self.header
    }

    fn open(&self, token: &str, rest: &str, payload: &mut Vec<u8>) -> Result<(), TokenRefusal> {
        // With `dir` there is no encrypted key.
        let parts = rest.strip_prefix('.').ok_or(TokenRefusal::Shape)?;
        let (nonce, sealed) = parts.split_once('.').ok_or(TokenRefusal::Shape)?;
        let (content, tag) = compact::last(sealed)?;
        let associated = token
            .as_bytes()
            .get(..token.len() - rest.len() - 1)
            .ok_or(TokenRefusal::Shape)?;
        let length = match &self.opens {
            Decrypts::A256Gcm(key) => {
                let nonce: [u8; GCM_NONCE] = compact::decode_exact(nonce)?;
                let tag: [u8; GCM_TAG] = compact::decode_exact(tag)?;
                compact::decode_into(content, payload, GCM_TAG)?;
                payload.extend_from_slice(&tag);
                key.open_in_place(Nonce::from(&nonce), Aad::from(associated), payload)
                    .map_err(|_| TokenRefusal::Authentication)?
                    .len()
            }
            Decrypts::A256CbcHs512(key) => {
                let iv: [u8; BLOCK] = compact::decode_exact(nonce)?;
                let tag: [u8; CBC_TAG] = compact::decode_exact(tag)?;
                compact::decode_into(content, payload, 0)?;
                if payload.is_empty() || !payload.len().is_multiple_of(BLOCK) {
                    return Err(TokenRefusal::Shape);
                }
                key.open(associated, iv, payload, &tag)?
            }
        };
        payload.truncate(length);
        Ok(())
    }
}

impl CbcHs512 {
    /// Decrypts in place and returns the length of the plain text.
    fn open(
        &self,
        associated: &[u8],
        iv: [u8; BLOCK],
        content: &mut [u8],
        tag: &[u8; CBC_TAG],
    ) -> Result<usize, TokenRefusal> {
        let bits = (associated.len() as u64) * 8;
        let mut mac = hmac::Context::with_key(&self.mac);
        mac.update(associated);
        mac.update(&iv);
        mac.update(content);
        mac.update(&bits.to_be_bytes());
        let expected = mac.sign();
        let expected = expected
            .as_ref()
            .first_chunk::<CBC_TAG>()
            .ok_or(TokenRefusal::Authentication)?;
        if !bool::from(expected.ct_eq(tag)) {
            return Err(TokenRefusal::Authentication);
        }
        // The MAC is verified first, so only a holder of the key reaches the padding: it is no oracle.
        self.cipher
            .decrypt(content, DecryptionContext::Iv128(iv.into()))
            .map(|plain| plain.len())
            .map_err(|_| TokenRefusal::Authentication)
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("DecryptionKey", &self.header, f)
    }
}

fn gcm(key: &[u8]) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, key)
        .map_err(|_| Error::configuration("a key of A256GCM has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asvs_11_3_4_a_key_seals_no_more_than_its_nonces_allow() {
        let key = EncryptionKey::a256gcm_of(&[7; 32]).unwrap();
        key.seals.store(MOST_SEALS - 1, Ordering::Relaxed);
        assert!(key.encrypt(b"{}".to_vec()).is_ok());
        for _ in 0..2 {
            assert!(key.encrypt(b"{}".to_vec()).unwrap_err().is_configuration());
        }
    }

    /// The only example of A256CBC-HS512 in the standards that needs no other algorithm.
    #[test]
    fn asvs_11_3_2_the_example_of_rfc_7518_b_3() {
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect()
        };
        let key = Key::from_bytes(&(0..64).collect::<Vec<u8>>()).unwrap();
        let key = DecryptionKey::a256cbc_hs512(&key).unwrap();
        let Decrypts::A256CbcHs512(key) = key.opens else {
            panic!("the constructor made another key");
        };
        let mut content = bytes(concat!(
            "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd",
            "822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b",
            "36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3",
            "a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b",
            "be2638d09dd7a4930930806d0703b1f6",
        ));
        let iv = bytes("1af38c2dc2b96ffdd86694092341bc04")
            .try_into()
            .unwrap();
        let tag = bytes("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5")
            .try_into()
            .unwrap();
        let associated = b"The second principle of Auguste Kerckhoffs";
        let length = key.open(associated, iv, &mut content, &tag).unwrap();
        assert_eq!(
            &content[..length],
            b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience",
        );
    }
}
