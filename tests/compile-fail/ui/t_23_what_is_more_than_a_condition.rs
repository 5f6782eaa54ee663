//! What decides does nothing else: it does not leave the code around it, and calls nothing by a name
//! that means something in a rule.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::input::Assign;
use clearance::{Dto, Entity, Field, Input, Patch, Result, repository, rule};
use clearance_compile_fail::{Member, Profile, Role, User};

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, belongs_to(author: User, by = author_id))]
#[entity(read_if({ return true }))]
#[entity(create_if(viewer.team.as_ref()?.is_empty()))]
#[entity(update_if(exists(row.author, |row| row.suspended)))]
#[entity(updated_if(exists(row.author, |before| before.suspended)))]
#[entity(delete_if(exists(row.author, |viewer| viewer.suspended)))]
#[entity(delete_unless(break))]
struct Post {
    #[entity(key)]
    id: i64,
    #[entity(filter_if(loop { continue 'outer }))]
    author_id: i64,
}

#[rule]
fn awaited(viewer: &Member, row: &User) -> bool {
    std::future::ready(viewer.id == 1).await
}

#[derive(Dto)]
#[dto(entity = User)]
struct Shown {
    #[visible_if(match viewer.team.as_deref() { Some(viewer) => viewer == "red", None => true })]
    name: Option<String>,
    #[hidden_if([1, 2].iter().any(|context| *context == viewer.id))]
    slug: Option<String>,
}

#[derive(Input)]
#[input(entity = User)]
#[preset(name = viewer.team.clone()?)]
#[preset(slug = { let viewer = "ada"; viewer.to_owned() })]
struct NewUser {
    #[writable_if({ let row = 3; viewer.id == row })]
    visits: i64,
}

struct Users;

#[repository(viewer = Member)]
impl Users {
    #[authorize(access, if { return Ok(7) })]
    pub async fn returned(&self) -> Result<i64> {
        Ok(1)
    }

    #[authorize(access, if self.found()?)]
    pub async fn passed_on(&self) -> Result<i64> {
        Ok(1)
    }

    #[authorize(access, if self.asked().await)]
    pub async fn awaited(&self) -> Result<i64> {
        Ok(1)
    }

    #[authorize(access, if viewer.id == 1, if { let viewer = access; true })]
    pub async fn renamed(&self) -> Result<i64> {
        Ok(1)
    }

    #[authorize(access, if viewer.id == id)]
    pub async fn of_an_argument(&self, viewer: i64, id: i64) -> Result<i64> {
        Ok(viewer)
    }
}

fn main() {}
