//! Passwords, hashed with PBKDF2 over HMAC-SHA-256, beside the event loop.

use std::num::NonZeroU32;

use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::task::spawn_blocking;

const ALGORITHM: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
/// The number that OWASP recommends.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
const BYTES: usize = 32;

/// Hashes a new password, with a salt of its own: `salt$hash`, both in base64.
pub(crate) async fn hash(password: String) -> Option<String> {
    let hashed = spawn_blocking(move || {
        let (mut salt, mut hash) = ([0; BYTES], [0; BYTES]);
        rand::fill(&mut salt).ok()?;
        pbkdf2::derive(ALGORITHM, ROUNDS, &salt, password.as_bytes(), &mut hash);
        let text = |bytes| STANDARD_NO_PAD.encode(bytes);
        Some(format!("{}${}", text(salt), text(hash)))
    });
    hashed.await.ok()?
}

/// Compares a password with a hash. Without a hash it takes as long, or the time would tell which names there are.
pub(crate) async fn is_right(hash: Option<String>, password: String) -> bool {
    let compared = spawn_blocking(move || {
        let parts = hash.as_deref().and_then(parse);
        let is_known = parts.is_some();
        let (salt, hash) = parts.unwrap_or_else(|| (vec![0; BYTES], vec![0; BYTES]));
        let compared = pbkdf2::verify(ALGORITHM, ROUNDS, &salt, password.as_bytes(), &hash);
        compared.is_ok() && is_known
    });
    compared.await.unwrap_or(false)
}

fn parse(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (salt, hash) = text.split_once('$')?;
    let bytes = |text| STANDARD_NO_PAD.decode(text).ok();
    Some((bytes(salt)?, bytes(hash)?))
}
