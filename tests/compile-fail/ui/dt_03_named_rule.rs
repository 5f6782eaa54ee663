//! A named rule is one condition over viewer and row.

use clearance::rule;
use clearance_compile_fail::{Member, User};

#[rule]
async fn is_async(viewer: &Member, row: &User) -> bool {
    viewer.id == row.id
}

#[rule]
fn two_statements(viewer: &Member, row: &User) -> bool {
    let id = viewer.id;
    id == row.id
}

#[rule]
fn other_names(member: &Member, user: User) -> bool {
    true
}

#[rule]
fn no_result(viewer: &Member, row: &User) {
    viewer.id == row.id
}

#[rule]
fn only_rust(viewer: &Member, row: &User) -> bool {
    opaque(is_holiday)
}

#[rule]
struct NotAFunction;

fn main() {}
