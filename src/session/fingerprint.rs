//! Fingerprints of cookies, by which the cache finds what it knows of one without opening it (decision 79).

use std::fmt;
use std::hash::{Hash, Hasher};

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::error::Result;
use crate::token::key::fill_random;

/// The secret key of this process's fingerprints: nobody outside can choose two cookies that share one.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprinting {
    keys: (u64, u64),
}

impl Fingerprinting {
    pub(crate) fn new() -> Result<Self> {
        let mut bytes = [[0; 8]; 2];
        fill_random(bytes.as_flattened_mut())?;
        let [one, other] = bytes.map(u64::from_le_bytes);
        Ok(Self { keys: (one, other) })
    }

    /// Returns the fingerprint of a cookie's whole text.
    pub(crate) fn of(&self, text: &[u8]) -> Fingerprint {
        let (one, other) = self.keys;
        let mut hasher = SipHasher24::new_with_keys(one, other);
        hasher.write(text);
        Fingerprint(hasher.finish128().as_u128())
    }
}

impl fmt::Debug for Fingerprinting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprinting").finish_non_exhaustive()
    }
}

/// A keyed hash of 128 bits of a cookie's text. It does not open anything, so that a cache of fingerprints is
/// no list of cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

impl Hash for Fingerprint {
    /// Writes one half, which is as random as a hash of it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(half) = self.0.to_le_bytes().first_chunk() {
            state.write_u64(u64::from_le_bytes(*half));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rf_5_a_fingerprint_covers_the_whole_text() {
        let fingerprinting = Fingerprinting::new().unwrap();
        let text: Vec<u8> = (0..=255).cycle().take(4_096).collect();
        let whole = fingerprinting.of(&text);
        assert_eq!(whole, fingerprinting.of(&text));
        for place in 0..text.len() {
            let mut other = text.clone();
            other[place] ^= 1;
            assert_ne!(whole, fingerprinting.of(&other), "byte {place}");
            assert_ne!(whole, fingerprinting.of(&text[..place]), "{place} bytes");
        }
    }

    #[test]
    fn rf_5_each_process_has_fingerprints_of_its_own() {
        let [one, other] = [(); 2].map(|()| Fingerprinting::new().unwrap().of(b"a cookie"));
        assert_ne!(one, other);
    }
}
