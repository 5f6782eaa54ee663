//! A statement cannot ask whether a field is shown whose rule runs in Rust only, or which part of it
//! a mask shows, so what it replaces is set blind or not at all.

use clearance::policy::Context;
use clearance::input::Assign;
use clearance::{Dto, Field, Patch};
use clearance_compile_fail::{Member, User};

fn knows(viewer: &Member, row: &User, _: &Context) -> bool {
    viewer.id == row.id
}

#[derive(Dto)]
#[dto(entity = User)]
struct Card {
    #[visible_if(opaque(knows))]
    team: Field<Option<String>>,
    #[visible_if(viewer.id == row.id)]
    #[dto(mask = last4)]
    slug: String,
}

#[derive(Patch)]
#[patch(entity = User, reads = Card)]
struct Change {
    #[writable]
    team: Assign<Option<String>>,
    #[writable]
    slug: Assign<String>,
}

fn main() {}
