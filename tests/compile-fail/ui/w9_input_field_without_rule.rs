//! A field that says nothing is not writable by accident.

use clearance::input::Assign;
use clearance::{Input, Patch};
use clearance_compile_fail::{Profile, User};

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable]
    name: String,
    visits: Assign<i64>,
}

#[derive(Patch)]
#[patch(entity = User, reads = Profile)]
struct EditUser {
    name: Assign<String>,
}

#[derive(Input)]
struct OfNothing {
    #[writable]
    name: String,
}

fn main() {}
