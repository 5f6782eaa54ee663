//! A framework's own JSON extractor would read a body before anybody was asked who sends it.

use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable]
    name: String,
}

fn main() {
    let _: NewUser = serde_json::from_str("{}").unwrap();
}
