//! What is secret has no `==`, which would take the longer, the more of a guess is right.

use clearance::token::{DecryptionKey, EncryptionKey, SigningKey};
use clearance::{Key, Secret};

fn keys(one: &Key, other: &Key) -> bool {
    one == other
}

fn secrets(one: &Secret<String>, other: &Secret<String>) -> bool {
    one == other
}

fn secret_and_guess(secret: &Secret<String>, guess: &str) -> bool {
    secret == guess
}

fn signing(one: &SigningKey, other: &SigningKey) -> bool {
    one == other
}

fn encryption(one: &EncryptionKey, other: &EncryptionKey) -> bool {
    one == other
}

fn decryption(one: &DecryptionKey, other: &DecryptionKey) -> bool {
    one == other
}

fn main() {}
