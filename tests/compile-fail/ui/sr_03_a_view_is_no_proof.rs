//! What pages are shown of a session is for what they look like. It proves nothing, and what comes
//! back of it is nothing that the library reads.

use clearance::session::SessionView;
use clearance::{Verified, Viewer};
use clearance_compile_fail::Member;

fn whose(view: &SessionView) -> i64 {
    view.viewer().id
}

fn as_verified(view: SessionView) -> Verified<Member> {
    view.into()
}

fn as_viewer(view: &SessionView) -> impl Viewer {
    view
}

fn sent_back(text: &str) -> SessionView {
    serde_json::from_str(text).unwrap()
}

fn main() {}
