//! The id of a viewer is kept as text, so its type must have one.

use clearance::Viewer;

#[derive(Viewer)]
struct Member {
    id: Vec<u8>,
}

#[derive(Viewer)]
struct Guest {
    #[viewer(subject)]
    number: Option<i64>,
}

fn main() {}
