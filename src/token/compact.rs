//! The compact serialization of a token: base64url parts between dots.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::TokenRefusal;

/// Returns the number of characters that `bytes` bytes become.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Splits off the last part. A surplus dot is detected when the rest is decoded: no alphabet has one.
pub(super) fn last(text: &str) -> Result<(&str, &str), TokenRefusal> {
    text.rsplit_once('.').ok_or(TokenRefusal::Shape)
}

/// Decodes a part that has `N` bytes. The alphabet has no padding and no white space, and stray low bits are
/// refused, so that these bytes have one spelling.
pub(super) fn decode_exact<const N: usize>(part: &str) -> Result<[u8; N], TokenRefusal> {
    if part.len() != encoded_len(N) {
        return Err(TokenRefusal::Shape);
    }
    let mut bytes = [0; N];
    match URL_SAFE_NO_PAD.decode_slice(part, &mut bytes) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) | Err(_) => Err(TokenRefusal::Encoding),
    }
}

/// Decodes a part of any length, into an empty buffer with room for `more` bytes behind it.
pub(super) fn decode_into(
    part: &str,
    buffer: &mut Vec<u8>,
    more: usize,
) -> Result<(), TokenRefusal> {
    buffer.clear();
    buffer.reserve(base64::decoded_len_estimate(part.len()) + more);
    URL_SAFE_NO_PAD
        .decode_vec(part, buffer)
        .map_err(|_| TokenRefusal::Encoding)
}

/// Appends `bytes` as a part.
pub(super) fn encode(bytes: &[u8], token: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, token);
}
