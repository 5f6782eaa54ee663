//! `#[visible]` and a condition contradict each other.

use clearance::{Dto, Field};
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User)]
struct Profile {
    #[visible]
    #[visible_if(viewer.id == row.id)]
    phone: Field<Option<String>>,
}

fn main() {}
