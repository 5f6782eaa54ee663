//! A row cannot be serialised.

use clearance_compile_fail::User;

fn json(user: &User) -> serde_json::Result<String> {
    serde_json::to_string(user)
}

fn main() {}
