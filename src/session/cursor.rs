//! Cursors for keyset pagination, sealed by the server and bound to their query.

use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};
use crate::token::key::Key;
use crate::token::{KeyRing, OfRing};

const PURPOSE: &str = "cursor";
const VERSION: u8 = 2;
const NONCE: usize = 12;
/// The maximum length of a cursor in bytes; longer ones are neither made nor decoded.
const MOST: usize = 64 * 1024;

/// A sealer of cursors: it seals with one key, and opens those of every key of the ring (key rotation).
#[derive(Debug)]
pub(crate) struct CursorSealer {
    keys: OfRing<RandomizedNonceKey>,
}

impl CursorSealer {
    pub(crate) fn new(ring: &KeyRing) -> Result<Self> {
        let derived = |key: &Key| {
            RandomizedNonceKey::new(&AES_256_GCM, &*key.derive(PURPOSE)?)
                .map_err(|_| Error::internal("a key could not be derived"))
        };
        let keys = ring.derived(derived)?;
        Ok(Self { keys })
    }

    /// Returns the sealer for requests without sessions, with a key that lives as long as the process.
    pub(crate) fn of_process() -> Result<&'static Self> {
        static SEALER: LazyLock<Result<CursorSealer>> =
            LazyLock::new(|| CursorSealer::new(&Key::generate()?.into()));
        SEALER
            .as_ref()
            .map_err(|_| Error::internal("a key could not be generated"))
    }

    /// Seals `content` with `bound` as associated data: it opens only with the same `bound`.
    pub(crate) fn seal(&self, bound: &[u8], content: &[u8]) -> Result<String> {
        let mut sealed = content.to_vec();
        let nonce = self
            .keys
            .sealing
            .seal_in_place_append_tag(Aad::from(bound), &mut sealed)
            .map_err(|_| Error::internal("a cursor could not be sealed"))?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(nonce.as_ref());
        bytes.extend_from_slice(&sealed);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        if text.len() > MOST {
            return Err(Error::misuse(
                "the key of the row that this page ends at is too long for a cursor: bound the length of keys",
            ));
        }
        Ok(text)
    }

    /// Opens a cursor that [`CursorSealer::seal`] sealed with the same `bound`; `None` for anything else.
    pub(crate) fn open(&self, bound: &[u8], text: &str) -> Option<Vec<u8>> {
        if text.len() > MOST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let open = |key: &RandomizedNonceKey| {
            // Opening works in place and destroys the buffer on failure, so each key gets a copy.
            let mut content = sealed.to_vec();
            let opened = key.open_in_place(Nonce::from(nonce), Aad::from(bound), &mut content);
            Some(opened.ok()?.to_vec())
        };
        self.keys.all().find_map(open)
    }
}
