//! A reference to any row says why.

use clearance::input::Assign;
use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable(any_row)]
    name: String,
    #[writable(any_row, reason = " ")]
    slug: String,
    #[writable(reason = "no reason")]
    team: Assign<Option<String>>,
    #[writable()]
    phone: Assign<Option<String>>,
}

fn main() {}
