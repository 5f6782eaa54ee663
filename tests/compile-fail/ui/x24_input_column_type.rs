//! A field of an input type that its column does not fit is refused once, with the type to write.

use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable]
    name: Vec<String>,
    #[writable]
    visits: u64,
}

fn main() {}
