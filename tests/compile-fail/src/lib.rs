//! The types that the cases share: a viewer, an entity and a DTO of another crate, as the cases
//! see them.

use clearance::{Dto, Entity, Field, Roles, Secret, TextEnum, Viewer};

/// Roles, from the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub enum Role {
    /// Reads.
    Reader,
    /// Writes.
    Editor,
    /// Everything.
    Admin,
}

/// A set without an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
pub enum Status {
    /// Not yet shown.
    Draft,
    /// Shown.
    Published,
}

/// Who asks.
#[derive(Viewer)]
pub struct Member {
    /// The id under which the member signs in.
    pub id: i64,
    /// A role that the program knows, if any.
    pub role: Option<Role>,
    /// The team, if any.
    pub team: Option<String>,
}

/// A row.
#[derive(Entity)]
#[entity(table = "users", viewer = Member, rows = open, reason = "the cases are about fields")]
pub struct User {
    /// The key.
    #[entity(key)]
    pub id: i64,
    /// The name in links.
    #[entity(lookup)]
    pub slug: String,
    /// The name.
    pub name: String,
    /// The team, if any.
    pub team: Option<String>,
    /// The phone, if any.
    pub phone: Option<String>,
    /// How often seen.
    pub visits: i64,
    /// How well rated.
    pub rating: f64,
    /// Whether it is locked.
    pub suspended: bool,
    /// Whether it is shown.
    pub status: Status,
    /// Never shown.
    pub password_hash: Secret<String>,
}

/// What leaves.
#[derive(Dto)]
#[dto(entity = User, default = visible)]
pub struct Profile {
    /// The key.
    pub id: i64,
    /// The name.
    pub name: String,
    /// The phone, for the team and for admins.
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    pub phone: Field<Option<String>>,
}
