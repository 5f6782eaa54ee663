//! A row keeps its key.

use clearance::input::Assign;
use clearance::Patch;
use clearance_compile_fail::{Profile, User};

#[derive(Patch)]
#[patch(entity = User, reads = Profile)]
struct EditUser {
    #[writable]
    id: Assign<i64>,
}

fn main() {}
