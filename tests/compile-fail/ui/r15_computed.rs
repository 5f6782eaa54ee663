//! A computed field says what it is computed from, and can be hidden where that is.

use clearance::{Dto, Field};
use clearance_compile_fail::User;

fn shout(text: &str) -> String {
    text.to_uppercase()
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct WithoutInputs {
    #[dto(computed = shout)]
    loud: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct CannotHide {
    #[visible_if(viewer.id == row.id)]
    username: Field<String>,
    #[dto(computed = shout, from(username))]
    loud: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Both {
    #[dto(computed = shout, from(username), related)]
    loud: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct FromWithoutFunction {
    #[dto(from(username))]
    loud: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Masked {
    #[visible_if(viewer.id == row.id)]
    #[dto(computed = shout, from(username), mask = last4)]
    loud: Field<String>,
}

fn main() {}
