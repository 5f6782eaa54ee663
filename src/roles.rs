//! Roles: an ordered set, declared by an enum.

use crate::schema::TextEnum;

/// The roles of an application, from the lowest to the highest, written with `#[derive(Roles)]`.
///
/// A higher role includes the lower ones. A text that names no role is no role: keep the `Option` that
/// [`from_name`](TextEnum::from_name) returns, and compare with it as it is: `None` is below every role, so
/// it passes no rule that asks for one.
///
/// # Example
///
/// ```
/// use clearance::{Roles, TextEnum};
///
/// #[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
/// enum Role { Viewer, Editor, Admin }
///
/// assert!(Role::Admin.includes(Role::Editor));
/// assert!(Role::Admin > Role::Viewer);
///
/// let role: Option<Role> = Role::from_name("superadmin");
/// assert!(role < Role::Viewer);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of roles",
    note = "add `#[derive(Roles)]` to the enum, its variants from the lowest to the highest"
)]
pub trait Roles: TextEnum + Copy + Ord {
    /// Every role, from the lowest to the highest.
    const ALL: &'static [Self];

    /// Returns whether this role includes `required`: it is the same or a higher one.
    #[must_use]
    fn includes(self, required: Self) -> bool {
        self >= required
    }
}
