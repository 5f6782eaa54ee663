//! A column that is no lookup tells nothing.

use clearance_compile_fail::{Profile, User};

fn by_phone() {
    let _ = Profile::select().lookup(User::PHONE, "555-0100");
}

fn main() {}
