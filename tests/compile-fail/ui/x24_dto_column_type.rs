//! A field of a DTO that its column does not fit is refused once, with the type to write.

use clearance::{Dto, Field};
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Lists {
    name: Vec<String>,
    visits: u64,
    team: String,
}

#[derive(Dto)]
#[dto(entity = User)]
struct Hidden {
    #[visible_if(viewer.id == row.id)]
    name: Field<i64>,
    #[visible_if(viewer.id == row.id)]
    #[dto(hidden = error)]
    slug: Vec<String>,
    #[visible_if(viewer.id == row.id)]
    #[dto(mask = last4)]
    visits: i64,
}

fn main() {}
