//! An explanation is for the log: it is neither serialised nor returned.

use clearance::repository::{Explanation, WriteExplanation};
use clearance::{Result, repository};
use clearance_compile_fail::Member;

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
    pub async fn why(&self, found: Explanation) -> Result<Explanation> {
        let _ = access;
        Ok(found)
    }

    #[authenticated(access)]
    pub async fn why_not(&self, found: WriteExplanation) -> Result<WriteExplanation> {
        let _ = access;
        Ok(found)
    }
}

fn main() {}
