//! Who sees and ends sessions has proved just now who it is: a verified session is not enough.

use clearance::session::SessionId;
use clearance::{Current, RequestContext, Verified};
use clearance_compile_fail::Member;

async fn devices(request: RequestContext, member: Verified<Member>) {
    let _listed = request.list_sessions(&member).await;
}

async fn end(request: RequestContext, member: Current<Member>, id: SessionId) {
    let _ended = request.revoke_session(&member, id).await;
}

async fn end_others(request: RequestContext, member: Current<Member>) {
    let _ended = request.revoke_other_sessions(&member).await;
}

fn main() {}
