//! A secret does not fit into a token, whatever it is a secret of.

use clearance::Secret;
use clearance::token::Claims;

fn with_hash(claims: Claims, hash: Secret<String>) -> clearance::Result<Claims> {
    claims.with_claim("hash", hash)
}

fn with_pin(claims: Claims, pin: Secret<i64>) -> clearance::Result<Claims> {
    claims.with_claim("pin", pin)
}

fn main() {}
