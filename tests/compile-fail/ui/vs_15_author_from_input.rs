//! The author is the verified viewer; input cannot carry one.

use clearance::Verified;
use clearance_compile_fail::Member;
use serde::Deserialize;

#[derive(Deserialize)]
struct NewNote {
    author: Verified<Member>,
    text: String,
}

fn main() {}
