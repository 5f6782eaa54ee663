//! Keys are known and stand once.

use clearance::{Dto, Entity};
use clearance_compile_fail::{Member, User};

#[derive(Entity)]
#[entity(tabel = "notes", viewer = Member, viewer = Member, read_if(true))]
struct Note {
    #[entity(key, unique)]
    id: i64,
}

#[derive(Dto)]
#[dto(entity = User, default = hidden)]
struct Profile {
    #[visible_if(true)]
    #[dto(hidden = nothing)]
    phone: Option<String>,
    #[visible_if(true)]
    #[dto(mask = last3)]
    name: String,
}

fn main() {}
