//! What is said twice is refused at the second, and so is what is said in the wrong place.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Dto, Field, Input, Patch, Release, Result, repository, rule};
use clearance_compile_fail::{Member, Profile, User};

#[derive(Dto)]
#[dto(entity = User, default = visible)]
#[visible_if(viewer.id == 1)]
struct OnTheStruct {
    #[serde(rename(serialize = "a", serialize = "b"))]
    id: i64,
}

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[unstored]
    #[unstored]
    password: String,
    #[writable]
    #[preset(name = viewer.id)]
    name: String,
}

#[derive(Release)]
struct Page {
    #[release(crate = clearance)]
    rows: Vec<Profile>,
}

#[rule]
#[clearance::rule]
fn own(viewer: &Member, row: &User) -> bool {
    viewer.id == row.id
}

struct Users;

#[repository(viewer = Member)]
impl Users {
    #[public(access, reason = "the front page", reason = "")]
    pub async fn reasons(&self) -> Result<()> {
        Ok(())
    }

    #[authorize(access, if viewer.id == 1)]
    #[authorize(access, if viewer.id == 2)]
    pub async fn policies(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
