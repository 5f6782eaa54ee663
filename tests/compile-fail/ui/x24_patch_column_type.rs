//! A field of a patch that its column does not fit is refused once, with the type to write.

use clearance::Patch;
use clearance::input::Assign;
use clearance_compile_fail::{Profile, User};

#[derive(Patch)]
#[patch(entity = User, reads = Profile)]
struct EditUser {
    #[writable]
    name: Assign<Vec<String>>,
    #[writable(blind)]
    visits: Assign<u64>,
}

fn main() {}
