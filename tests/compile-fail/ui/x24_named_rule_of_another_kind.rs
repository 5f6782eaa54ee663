//! `rule = path` takes a function under `#[rule]`, of the same viewer and entity.

use clearance::{Dto, Field, rule};
use clearance_compile_fail::{Member, User};

fn plain(viewer: &Member, row: &User) -> bool {
    viewer.id == row.id
}

#[rule]
fn of_another_entity(viewer: &Member, row: &Member) -> bool {
    viewer.id == row.id
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Profile {
    #[visible_if(rule = plain)]
    name: Field<String>,
    #[visible_if(rule = of_another_entity)]
    phone: Field<Option<String>>,
}

fn main() {}
