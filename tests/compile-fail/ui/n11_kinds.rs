//! Both sides of a comparison are of one kind, with an order where one is asked for.

use clearance::{Dto, Field, rule};
use clearance_compile_fail::{Member, Profile, Status, User};

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Kinds {
    #[visible_if(row.visits == "three")]
    phone: Field<Option<String>>,
    #[visible_if(row.name)]
    name: Field<String>,
    #[visible_if(row.status >= Status::Draft)]
    team: Field<Option<String>>,
    #[visible_if(row.rating == viewer.id)]
    visits: Field<i64>,
    #[visible_if(["a", "b"].contains(&row.visits))]
    slug: Field<String>,
    #[visible_if(row.name.is_some())]
    id: Field<i64>,
}

#[rule]
fn of_another_entity(viewer: &Member, row: &Member) -> bool {
    viewer.id == 3
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Elsewhere {
    #[visible_if(rule = of_another_entity)]
    phone: Field<Option<String>>,
}

fn main() {
    let _ = Profile::select();
}
