//! A secret cannot be serialised.

use clearance::Secret;

fn main() {
    let _ = serde_json::to_string(&Secret::new(String::from("hash")));
}
