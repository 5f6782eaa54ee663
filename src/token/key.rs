//! The master key, and the derivation of one key for each purpose (HKDF-SHA256).

use std::fmt;

use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const MIN_BYTES: usize = 32;

/// The master key: values sealed under it open only where the same key is configured.
///
/// It seals nothing itself. Each purpose has its own key, derived from it with HKDF-SHA256, so that a value
/// sealed for one purpose never opens for another.
///
/// # Example
///
/// ```
/// use clearance::Key;
///
/// let key = Key::generate()?;
/// assert_eq!(format!("{key:?}"), "Key(..)");
/// // What to put into the environment variable that `Key::from_env` reads.
/// assert!(key.expose_text().starts_with("base64:"));
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Clone)]
pub struct Key {
    master: Zeroizing<Vec<u8>>,
}

impl Key {
    /// Generates a new key of 32 bytes from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// When the operating system provides no randomness.
    pub fn generate() -> Result<Self> {
        let mut master = Zeroizing::new(vec![0; MIN_BYTES]);
        fill_random(&mut master)?;
        Ok(Self { master })
    }

    /// Reads the key from the environment variable `name`, written as `base64:..`, `hex:..` or `text:..`.
    ///
    /// The encoding is explicit, because a text can be valid in all of them and would give three keys. `echo
    /// "base64:$(openssl rand -base64 32)"` makes one. The key of a `text:` is the text in UTF-8, as other
    /// programs take a secret that they share with this one: use it for those only, and with random text,
    /// because length makes no phrase hard to guess. Surrounding white space is not part of the key.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when the variable is not set, does not say its encoding, does
    /// not decode, or holds less than 32 bytes. The message never repeats the value.
    pub fn from_env(name: &str) -> Result<Self> {
        let text = std::env::var(name).map(Zeroizing::new).map_err(|_| {
            Error::configuration(format!(
                "the environment variable `{name}` holds no key: set it to `base64:` and 32 random bytes, for instance from `openssl rand -base64 32`"
            ))
        })?;
        Self::from_text(&text).map_err(|wrong| {
            Error::configuration(format!(
                "the key in the environment variable `{name}` {wrong}"
            ))
        })
    }

    /// Builds a key from at least 32 bytes of a random source.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when there are fewer than 32 bytes, or all are the same.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::checked(Zeroizing::new(bytes.to_vec()))
            .map_err(|wrong| Error::configuration(format!("the key {wrong}")))
    }

    /// Returns the key as text, in the form that [`Key::from_env`] reads.
    ///
    /// Anybody who holds it can make a cookie for any session id, though not its secret. Under
    /// [`Strategy::Stateless`](crate::session::Strategy::Stateless) there is no secret: with the key they can
    /// forge sessions of anybody, with any claims, assurance and time of authentication.
    #[must_use]
    pub fn expose_text(&self) -> String {
        let mut text = String::from("base64:");
        STANDARD.encode_string(&*self.master, &mut text);
        text
    }

    fn from_text(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let bytes = if let Some(base64) = text.strip_prefix("base64:") {
            [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                .iter()
                .find_map(|alphabet| alphabet.decode(base64).ok())
                .ok_or("is not valid base64")?
        } else if let Some(hex) = text.strip_prefix("hex:") {
            decode_hex(hex.as_bytes()).ok_or("is not valid hex")?
        } else if let Some(text) = text.strip_prefix("text:") {
            text.as_bytes().to_vec()
        } else {
            return Err(
                "has no prefix for its encoding: write `base64:`, `hex:` or `text:` before it",
            );
        };
        Self::checked(Zeroizing::new(bytes))
    }

    fn checked(master: Zeroizing<Vec<u8>>) -> Result<Self, &'static str> {
        if master.len() < MIN_BYTES {
            return Err("is shorter than 32 bytes");
        }
        if master.iter().all(|byte| master.first() == Some(byte)) {
            return Err("is one byte repeated: use random bytes");
        }
        Ok(Self { master })
    }

    /// Derives the key for one purpose.
    pub(crate) fn derive(&self, purpose: &'static str) -> Result<Zeroizing<[u8; 32]>> {
        self.expand(&[purpose.as_bytes()])
    }

    /// Derives the key for one use, such as an algorithm, of a purpose that the application names. No `use_`
    /// holds a NUL, so no two pairs give the same key, and none gives that of [`Key::derive`].
    pub(crate) fn derive_named(
        &self,
        use_: &'static str,
        purpose: &str,
    ) -> Result<Zeroizing<[u8; 32]>> {
        self.expand(&[use_.as_bytes(), &[0], purpose.as_bytes()])
    }

    /// Returns the key itself, to be shared with programs that derive nothing from it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.master
    }

    fn expand(&self, info: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>> {
        let mut derived = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"clearance")
            .extract(&self.master)
            .expand(info, hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut *derived))
            .map_err(|_| Error::internal("a key could not be derived"))?;
        Ok(derived)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Fills `bytes` from the operating system's randomness.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(bytes)
        .map_err(|_| Error::internal("the operating system provides no randomness"))
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|&[high, low]| Some(hex_digit(high)? << 4 | hex_digit(low)?))
        .collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
