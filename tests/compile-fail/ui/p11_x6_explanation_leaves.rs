//! An explanation is for the log: it is neither serialised nor returned.

use clearance::{Explanation, Read, Access, Result, WriteExplanation, repository};
use clearance_compile_fail::{Member, Profile, User};

fn json(explanation: &Explanation) -> serde_json::Result<String> {
    serde_json::to_string(explanation)
}

fn json_of_a_write(explanation: &WriteExplanation) -> serde_json::Result<String> {
    serde_json::to_string(explanation)
}

struct Users;

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    pub async fn why(&self) -> Result<Explanation> {
        explain(&access)
    }

    #[authenticated(access)]
    pub async fn why_not(&self) -> Result<WriteExplanation> {
        let _ = access;
        unimplemented!()
    }
}

fn explain(_: &Access<Read<Member>>) -> Result<Explanation> {
    let _ = (std::marker::PhantomData::<User>, std::marker::PhantomData::<Profile>);
    unimplemented!()
}

fn main() {}
