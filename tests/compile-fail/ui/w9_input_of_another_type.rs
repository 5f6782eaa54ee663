//! What a field holds fits its column.

use clearance::input::Assign;
use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User)]
#[preset(visits = "none")]
struct NewUser {
    #[writable]
    name: Option<String>,
    #[writable]
    team: Assign<String>,
    #[writable]
    no_such_column: String,
}

fn main() {}
