//! A field of an input type is one of its entity.

use clearance::input::Assign;
use clearance::{Input, Patch};
use clearance_compile_fail::{Profile, User};

#[derive(Input)]
#[input(entity = User)]
#[preset(nickname = viewer.id)]
struct NewUser {
    #[writable]
    nmae: String,
}

#[derive(Patch)]
#[patch(entity = User, reads = Profile)]
struct EditUser {
    #[writable(blind)]
    nmae: Assign<String>,
}

fn main() {}
