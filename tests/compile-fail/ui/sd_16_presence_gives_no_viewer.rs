//! That a cookie is there says nothing of anybody, so nothing can be asked of it.

use clearance::Verified;
use clearance::session::Presence;
use clearance_compile_fail::Member;

fn whose(presence: Presence) -> i64 {
    presence.viewer().id
}

fn as_verified(presence: Presence) -> Verified<Member> {
    presence.into()
}

fn out_of_nothing() -> Presence {
    Presence(())
}

fn main() {}
