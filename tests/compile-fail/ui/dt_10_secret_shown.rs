//! A secret has no place in a DTO, in a filter or in JSON.

use clearance::{Dto, Field, Secret};
use clearance_compile_fail::{Profile, User};

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Shown {
    password_hash: Secret<String>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Hidden {
    #[visible_if(viewer.id == row.id)]
    password_hash: Field<Secret<String>>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct InRule {
    #[visible_if(row.password_hash == "x")]
    phone: Field<Option<String>>,
}

fn looked_up() {
    let _ = Profile::select().lookup(User::PASSWORD_HASH, "x");
}

fn main() {}
