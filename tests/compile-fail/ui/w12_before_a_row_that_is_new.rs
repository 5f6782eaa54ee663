//! A new row was nothing before.

use clearance::Input;
use clearance_compile_fail::User;

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable_if(row.visits >= before.visits)]
    visits: i64,
}

fn main() {}
