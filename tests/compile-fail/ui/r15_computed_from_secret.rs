//! Nothing that leaves is computed from a secret, and the columns it is computed from are there.

use clearance::{Dto, Secret};
use clearance_compile_fail::User;

fn leak(secret: &Secret<String>) -> String {
    secret.expose_secret().clone()
}

fn shout(text: &str) -> String {
    text.to_uppercase()
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct FromSecret {
    #[dto(computed = leak, from(password_hash))]
    hash: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct FromNothing {
    #[dto(computed = shout, from(nickname))]
    loud: String,
}

fn main() {}
