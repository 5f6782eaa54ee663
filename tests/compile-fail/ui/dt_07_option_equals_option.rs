//! Two unset values must not grant anything.

use clearance::{Dto, Field};
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Profile {
    #[visible_if(viewer.team == row.team)]
    phone: Field<Option<String>>,
}

fn main() {}
