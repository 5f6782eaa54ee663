//! What stands in place of a hidden value fits the field.

use clearance::{Dto, Field};
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct NoPlace {
    #[visible_if(viewer.id == row.id)]
    name: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct NeverHidden {
    #[dto(hidden = null)]
    phone: Option<String>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct TwoOutputs {
    #[visible_if(viewer.id == row.id)]
    #[dto(hidden = null, mask = last4)]
    phone: Option<String>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct WrongType {
    #[visible_if(viewer.id == row.id)]
    phone: Field<i64>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct WrongShownType {
    name: i64,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct MaskOfNumber {
    #[visible_if(viewer.id == row.id)]
    #[dto(mask = last4)]
    visits: i64,
}

fn main() {}
