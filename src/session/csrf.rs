//! CSRF tokens, which show that a form is one of the application's own.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ticket::Ticket;
use crate::error::Result;
use crate::token::key::{Key, fill_random};
use crate::token::{KeyRing, OfRing};

const PURPOSE: &str = "csrf";
const NONCE: usize = 16;
const TAG: usize = 32;

/// A source of CSRF tokens: it issues them with the sealing key, and verifies them with every key of the ring
/// (key rotation).
pub(crate) struct CsrfTokens {
    keys: OfRing<hmac::Key>,
}

impl CsrfTokens {
    pub(crate) fn new(ring: &KeyRing) -> Result<Self> {
        let derived = |key: &Key| Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key.derive(PURPOSE)?));
        let keys = ring.derived(derived)?;
        Ok(Self { keys })
    }

    /// Issues a token, a different one each time, so that a compressed page reveals nothing about it
    /// ([BREACH](https://www.breachattack.com)).
    pub(crate) fn issue(&self, session: &Ticket) -> Result<CsrfToken> {
        let mut nonce = [0; NONCE];
        fill_random(&mut nonce)?;
        let tag = hmac::sign(&self.keys.sealing, &Self::signed(&nonce, session));
        let token = URL_SAFE_NO_PAD.encode([&nonce[..], tag.as_ref()].concat());
        Ok(CsrfToken(token))
    }

    pub(crate) fn verify(&self, session: &Ticket, token: &str) -> bool {
        let mut bytes = [0; NONCE + TAG];
        let decoded = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes);
        let Some((nonce, tag)) = bytes.split_first_chunk::<NONCE>() else {
            return false;
        };
        let signed = Self::signed(nonce, session);
        let is_of = |key| hmac::verify(key, &signed, tag).is_ok();
        decoded == Ok(NONCE + TAG) && self.keys.all().any(is_of)
    }

    /// Returns the bytes that a token signs. The id of a session is shown in lists and logs, so the secret is
    /// signed, too: under [`Strategy::Database`](super::Strategy::Database) anybody can write a cookie with
    /// any id, and would get the token of somebody else's session.
    ///
    /// A stateless session has no secret beside its token, which is re-issued while a form is open. Nobody
    /// without the key can make a token with its id.
    fn signed(nonce: &[u8; NONCE], session: &Ticket) -> Vec<u8> {
        let id = session.credential.id;
        let secret = session.credential.secret_hash;
        let secret: &[u8] = match session.token {
            Some(_) => &[],
            None => secret.as_bytes(),
        };
        [&nonce[..], id.as_bytes(), secret].concat()
    }
}

impl fmt::Debug for CsrfTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfTokens(..)")
    }
}

/// A token that proves that a form is one of the application's own: nobody else can make it. It is valid for
/// its session, until that is rotated. See [`RequestContext::csrf_token`](crate::RequestContext::csrf_token).
#[derive(Clone)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// The name of the form field. The header has the same name with a prefix `x-`, and hyphens.
    pub const FIELD: &str = "csrf_token";
    /// The header in which scripts send it.
    pub const HEADER: &str = "x-csrf-token";

    /// Returns the token, to be sent in the header [`CsrfToken::HEADER`], or in the field
    /// [`CsrfToken::FIELD`].
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Renders the hidden field for a form, as HTML.
    #[must_use]
    pub fn hidden_field(&self) -> String {
        let (name, token) = (Self::FIELD, &self.0);
        format!(r#"<input type="hidden" name="{name}" value="{token}">"#)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(..)")
    }
}
