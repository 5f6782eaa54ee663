//! A name that does not exist is an error when the program is built.

use clearance::{Dto, Field};
use clearance_compile_fail::{Profile, User};

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct InRule {
    #[visible_if(row.temm.is_some())]
    phone: Field<Option<String>>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct InViewer {
    #[visible_if(viewer.roll.is_some())]
    phone: Field<Option<String>>,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct NoSuchColumn {
    nickname: String,
}

fn in_query() {
    let _ = Profile::select().filter(Profile::NICKNAME.eq("ada"));
}

fn not_in_the_dto() {
    let _ = Profile::select().filter(Profile::TEAM.eq("red"));
}

fn main() {}
