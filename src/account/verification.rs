//! Tokens that are sent to somebody and redeemed once.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use crate::error::Result;
use crate::session::SecretHash;
use crate::token::key::fill_random;

const BYTES: usize = 32;

/// What is sent to somebody, in a link for instance, to see that they receive it: 32 random bytes
/// as text that a URL can hold.
///
/// The store keeps its hash, so that who reads the database cannot redeem it.
///
/// # Example
///
/// ```
/// use clearance::account::VerificationToken;
///
/// let token = VerificationToken::generate()?;
/// assert_eq!(token.expose_text().len(), 43);
/// assert_eq!(format!("{token:?}"), "VerificationToken(..)");
/// // What comes back in the link.
/// let redeemed = VerificationToken::from_text(token.expose_text());
/// assert_eq!(redeemed.hash(), token.hash());
/// # Ok::<(), clearance::Error>(())
/// ```
pub struct VerificationToken(Zeroizing<String>);

impl VerificationToken {
    /// A new token from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        fill_random(&mut *bytes)?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// What somebody presents as a token. Whether it is one is seen when it is redeemed.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text to send. Whoever has it can redeem it.
    #[must_use]
    pub fn expose_text(&self) -> &str {
        &self.0
    }

    /// The SHA-256 of the text: all that a store ever sees of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref());
        SecretHash::from_bytes(hash)
    }
}

impl fmt::Debug for VerificationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationToken(..)")
    }
}

/// A token as a store keeps it. Exhaustive on purpose: a store has to keep every field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationRecord {
    /// What the token is for and whose it is, at most 1024 bytes, compared byte by byte. Put the
    /// purpose in it, `reset-password:ada@example.com` for instance, with
    /// [`Email::key`](super::Email::key) where it speaks of an address: a token is redeemed only
    /// with the very same text, so that one that confirms an address resets no password.
    pub identifier: String,
    /// [`VerificationToken::hash`].
    pub token_hash: SecretHash,
    /// From when on it is refused.
    pub expires_at: DateTime<Utc>,
}
