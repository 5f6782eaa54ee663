//! Single-use verification tokens, sent by email for instance.

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

/// A secret that is sent to an address, in a link for instance, to verify that its owner receives it: 32
/// random bytes as URL-safe text.
///
/// The store keeps only its hash, so that a reader of the database cannot redeem it.
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
    /// Generates a token from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// When the operating system provides no randomness.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        fill_random(&mut *bytes)?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// Wraps text that a client presents as a token. Redeeming it shows whether it is valid.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Returns the text to send. Anybody who has it can redeem it.
    #[must_use]
    pub fn expose_text(&self) -> &str {
        &self.0
    }

    /// Returns the SHA-256 of the text, the only form that a store receives.
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

/// The stored form of a token. Exhaustive on purpose: a store has to keep every field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationRecord {
    /// The purpose and the owner of the token, at most 1024 bytes, compared byte by byte. Name the purpose in
    /// it, `reset-password:ada@example.com` for instance, with [`Email::key`](super::Email::key) for an
    /// address: a token is redeemed only with the very same text, so that one that confirms an address resets
    /// no password.
    pub identifier: String,
    /// The hash of the token: [`VerificationToken::hash`].
    pub token_hash: SecretHash,
    /// The time from which on the token is refused.
    pub expires_at: DateTime<Utc>,
}
