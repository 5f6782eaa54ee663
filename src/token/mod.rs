//! Signed and encrypted tokens, which one part of an application issues and the same one, or another program
//! with the key, opens.
//!
//! A token is a compact JWS or JWE ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515),
//! [RFC 7516](https://www.rfc-editor.org/rfc/rfc7516)) of one strict profile:
//!
//! | form | algorithm | made | opened |
//! |---|---|---|---|
//! | signed | HS256 | yes | yes |
//! | signed | `EdDSA` with Ed25519 | yes | yes |
//! | encrypted | `dir` with A256GCM | yes | yes |
//! | encrypted | `dir` with A256CBC-HS512 | no | yes |
//!
//! **The key determines the algorithm.** A token's header is compared with the one that a key expects: `alg`,
//! for encryption `enc`, and the key's `kid` if it has one, each exactly once and as text. Beside these a
//! header may have `"typ":"JWT"` and nothing else. So `none`, `crit`, `b64`, `zip`, `jku`, `x5u`, `jwk` and
//! any future member are refused like any unknown word, before a key is used ([RFC 8725, sections 3.1 and
//! 3.10](https://www.rfc-editor.org/rfc/rfc8725)).
//!
//! **Nothing is read before it is authenticated**, and there is no function that would. A token has
//! one spelling: base64url without padding, white space or stray bits.
//!
//! **Claims have the right type, or the token is refused.** `sub`, `jti`, `iat`, `exp` and `aud` are
//! required; `nbf`, `auth_time` and `acr` are optional; instants are whole seconds. A claim of another JSON
//! type does not count as absent, and none may occur twice. A token is valid from the second of its `nbf` to
//! the last one before its `exp`. `aud` is one text, and the codec's own; nothing else is accepted. `iat` and
//! `auth_time` may be up to 60 seconds in the future, to tolerate clock skew. `iss` is text.
//!
//! **A refusal has no details.** The caller learns only that a token is not valid. The reason is logged as an
//! event of target `clearance::token`, without any part of the token.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use clearance::token::{Claims, EncryptedCodec, KeyRing};
//! use clearance::{Clock, Key, Subject, SystemClock};
//!
//! let ring = KeyRing::new(Key::generate()?);
//! let codec = EncryptedCodec::derived(&ring, "invitation")?;
//!
//! let now = SystemClock.now();
//! let claims = Claims::new(Subject::new(42), now, Duration::from_secs(3_600))?
//!     .with_claim("role", "editor")?;
//! let token = codec.seal(&claims)?;
//!
//! let opened = codec.open(Some(&token), now).unwrap();
//! assert_eq!(opened.subject().parse(), Ok(42));
//! assert_eq!(opened.claim("role").and_then(|role| role.as_text()), Some("editor"));
//!
//! // Neither for another purpose, nor an hour later.
//! let other = EncryptedCodec::derived(&ring, "password reset")?;
//! assert!(other.open(Some(&token), now).is_none());
//! assert!(codec.open(Some(&token), now + chrono::TimeDelta::hours(1)).is_none());
//! # Ok::<(), clearance::Error>(())
//! ```

mod claims;
mod codec;
mod compact;
mod header;
mod jwe;
mod jws;
pub(crate) mod key;
mod opener;
mod payload;
mod refusal;
mod ring;
pub(crate) mod session_claims;

pub use claims::{ClaimValue, Claims};
pub use codec::{EncryptedCodec, SignedCodec};
pub use jwe::{DecryptionKey, EncryptionKey};
pub use jws::{SigningKey, VerifyingKey};
pub use key::Key;
pub(crate) use opener::OpenedToken;
pub use opener::{Opener, OpeningKey};
pub use ring::KeyRing;
pub(crate) use ring::OfRing;
pub use session_claims::SessionClaims;
