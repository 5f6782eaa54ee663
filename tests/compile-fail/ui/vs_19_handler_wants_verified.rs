//! A handler that takes `Verified` has a session: nothing weaker fits.

use clearance::{Optimistic, Verified};
use clearance_compile_fail::Member;

fn handler(viewer: &Verified<Member>) -> i64 {
    viewer.viewer().id
}

fn from_the_cookie_alone(session: &Optimistic) -> i64 {
    handler(session)
}

fn perhaps(session: &Option<Verified<Member>>) -> i64 {
    handler(session)
}

fn main() {}
