//! What SQL and Rust could read differently is refused, each at its token.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Dto, Entity};
use clearance_compile_fail::{Member, Role, User};

#[derive(Dto)]
#[dto(entity = User)]
struct Profile {
    #[visible_if(row)]
    id: Option<i64>,
    #[visible_if(row.visits + 1 > 3)]
    #[visible_if(row.name.len() > 3)]
    #[visible_if(row.name.to_lowercase() == "ada")]
    name: Option<String>,
    #[visible_if(row.team.name == "red")]
    #[visible_if(matches!(row.status, Status::Draft))]
    #[visible_if((|| row.suspended)())]
    #[visible_if(if row.suspended { true } else { false })]
    #[visible_if({ row.suspended })]
    #[visible_if(row.visits as u8 == 3)]
    #[visible_if(&row.team == viewer.team)]
    phone: Option<String>,
    #[visible_if(row.rating > 1.5)]
    #[visible_if(row.team == None)]
    #[visible_if(None != row.team)]
    #[visible_if(row.team == Some("red"))]
    #[visible_if(1 < row.visits < 3)]
    #[visible_if((row.visits == 1) == true)]
    #[visible_if(row.suspended & viewer.role.is_some())]
    visits: Option<i64>,
    #[visible_if(is_mine(viewer, row))]
    #[visible_if(viewer.may_see(row.id))]
    #[visible_if(rule = is_mine && viewer.id == 3)]
    #[visible_if(viewer.id == 3 || rule = is_mine)]
    #[visible_if(row.team = "red")]
    #[visible_if(row.name.contains("a"))]
    #[visible_if(let Some(team) = row.team)]
    #[visible_if()]
    team: Option<String>,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Member)]
#[entity(read_if(opaque(is_mine)), update_if(row.views * 2 > 1), delete_if(viewer.role >= Role::Admin))]
struct Note {
    #[entity(key)]
    id: i64,
    views: i64,
}

fn main() {}
