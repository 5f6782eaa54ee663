//! Attributes that contradict each other, or that nobody reads.

use clearance::input::Assign;
use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User, reads = User)]
#[preset(visits)]
#[serde(deny_unknown_fields)]
struct NewUser {
    #[writable]
    #[writable_if(viewer.id > 0)]
    name: String,
    #[writable(blind)]
    slug: String,
    #[writable(always)]
    team: Assign<Option<String>>,
    #[unstored]
    #[writable]
    password: String,
    #[writable_if]
    phone: Assign<Option<String>>,
    #[writable]
    #[serde(rename = "password")]
    rating: f64,
}

fn main() {}
