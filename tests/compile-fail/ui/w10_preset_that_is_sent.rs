//! What is preset has no field that a client could fill.

use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User)]
#[preset(slug = format!("user-{}", viewer.id), name = String::new(), slug = String::new())]
struct NewUser {
    #[writable]
    name: String,
}

fn main() {}
