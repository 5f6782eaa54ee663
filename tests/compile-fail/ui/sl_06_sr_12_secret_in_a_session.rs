//! A secret cannot be noted in a session.

use clearance::Secret;
use clearance::session::{SessionClaims, SignIn};

fn signed_in(sign_in: SignIn, hash: Secret<String>) -> clearance::Result<SignIn> {
    sign_in.claim("hash", hash)
}

fn noted(claims: SessionClaims, pin: Secret<i64>) -> clearance::Result<SessionClaims> {
    claims.with("pin", pin)
}

fn main() {}
