//! A new role must be handled wherever roles are told apart.

use clearance_compile_fail::Role;

fn home(role: Role) -> &'static str {
    match role {
        Role::Reader => "/read",
        Role::Editor => "/edit",
    }
}

fn main() {}
