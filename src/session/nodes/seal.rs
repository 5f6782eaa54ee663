//! Authentication tags of notices, by keys that nodes share.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::error::Result;
use crate::token::KeyRing;
use crate::token::key::Key;

const PURPOSE: &str = "node notice seal";
const BYTES: usize = 16;

/// An authentication code: the first half of an HMAC-SHA256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) u128);

/// A seal of notices under one key of the ring.
pub(super) struct Seal {
    key: hmac::Key,
}

impl Seal {
    /// Derives the seals of all keys of the ring, that of the sealing key first.
    pub(super) fn of_ring(ring: &KeyRing) -> Result<Vec<Self>> {
        let seals = ring.derived(Self::new)?;
        Ok(std::iter::once(seals.sealing)
            .chain(seals.retired)
            .collect())
    }

    fn new(key: &Key) -> Result<Self> {
        Ok(Self::of(&*key.derive(PURPOSE)?))
    }

    fn of(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    pub(super) fn tag(&self, text: &str) -> Tag {
        let tag = hmac::sign(&self.key, text.as_bytes());
        let half = tag.as_ref().first_chunk::<BYTES>();
        Tag(u128::from_be_bytes(half.copied().unwrap_or_default()))
    }

    pub(super) fn is_of(&self, tag: Tag, text: &str) -> bool {
        self.tag(text).0.ct_eq(&tag.0).into()
    }
}

#[cfg(test)]
impl Seal {
    pub(super) fn test(key: u8) -> Self {
        Self::of(&[key; 32])
    }
}
