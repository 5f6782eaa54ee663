//! What a client sent is opened by an access that may write, and by nothing else.

use clearance::{Access, Input, Read, Result, Untrusted, Valid};
use clearance_compile_fail::{Member, User};

#[derive(Input)]
#[input(entity = User)]
struct NewUser {
    #[writable]
    name: String,
}

fn unread(body: Untrusted<NewUser>) -> String {
    body.name
}

fn reader(body: Untrusted<NewUser>, access: &Access<Read<Member>>) -> Result<Valid<NewUser>> {
    body.open(access)
}

fn made_up() -> Valid<NewUser> {
    Valid(NewUser {
        name: "Ada".to_owned(),
    })
}

fn changed_behind_the_check(mut user: Valid<NewUser>) {
    user.name = "Ada".to_owned();
}

fn main() {}
