//! Whoever overwrites a value has been shown it, or the field says that it is blind.

use clearance::input::Assign;
use clearance::Patch;
use clearance_compile_fail::{Profile, User};

#[derive(Patch)]
#[patch(entity = User)]
struct Unseen {
    #[writable]
    name: Assign<String>,
}

#[derive(Patch)]
#[patch(entity = User, reads = Profile)]
struct NotInThatDto {
    #[writable]
    team: Assign<Option<String>>,
}

fn main() {}
