//! A role is one of the program's own. One that is misspelled does not compile, wherever it stands,
//! and no text stands for one.

use clearance::{Dto, Field, Verified};
use clearance_compile_fail::{Member, Role, User};

fn may_edit(member: &Verified<Member>) -> bool {
    member.viewer().role == Some(Role::Editr)
}

fn may_edit_by_text(member: &Verified<Member>) -> bool {
    member.viewer().role == Some("admin")
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Shown {
    #[visible_if(viewer.role >= Role::Editr)]
    phone: Field<Option<String>>,
}

fn main() {}
