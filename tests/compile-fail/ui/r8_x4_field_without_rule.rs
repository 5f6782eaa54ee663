//! A field that says nothing is not public by accident.

use clearance::{Dto, Field};
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User)]
struct Profile {
    #[visible]
    id: i64,
    name: String,
    phone: Field<Option<String>>,
}

fn main() {}
