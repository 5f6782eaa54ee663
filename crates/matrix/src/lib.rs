//! The access matrix of a program that uses `clearance`: who may do and see what, made from its types, and kept
//! under review.
//!
//! A matrix asks the rules of an application for a few sample viewers. It has a row for every operation, every
//! field that is shown or accepted and every repository method, and beside them what a reviewer should look at:
//! escape hatches, presets, the attributes of a request that rules read, and lints. [`Matrix`] writes it as markdown,
//! JSON or one HTML page. [`review`] compares it with a file beside the code, in a test, and scans the source for
//! what the types do not reveal: a DTO that nobody listed, a call that bypasses the rules.
//!
//! It is a dev-dependency of the application. A program that prints its own matrix takes it as a dependency.
//! `docs/guide/review.md` shows it in use.
//!
//! # Example
//!
//! ```
//! use clearance::{Dto, Entity, Field, Viewer};
//! use clearance_matrix::Matrix;
//!
//! #[derive(Viewer)]
//! struct Member { id: i64, admin: bool }
//!
//! #[derive(Entity)]
//! #[entity(table = "users", viewer = Member, read_if(viewer.admin || row.id == viewer.id))]
//! struct User { #[entity(key)] id: i64, name: String, phone: String }
//!
//! #[derive(Dto)]
//! #[dto(entity = User)]
//! struct Profile {
//!     #[visible] name: String,
//!     #[visible_if(row.id == viewer.id)] phone: Field<String>,
//! }
//!
//! clearance::app! {
//!     static APP = { viewer: Member, dtos: [Profile], repositories: [] };
//! }
//!
//! # fn main() -> clearance::Result<()> {
//! let (admin, member) = (Member { id: 1, admin: true }, Member { id: 2, admin: false });
//! let matrix = Matrix::of(&APP).viewer("admin", &admin).viewer("member", &member).build()?;
//! let page = matrix.to_markdown();
//! assert!(page.contains("| operation | rule | nobody | system | admin | member |"));
//! assert!(page.contains("| yes | depends: `row.id == 2` |"));
//! # Ok(())
//! # }
//! ```
#![deny(clippy::wildcard_enum_match_arm)]

mod attributes;
mod builder;
mod html;
mod inputs;
mod json;
mod lint;
mod markdown;
mod model;
mod review;
mod rows;
mod source;
mod words;

pub use builder::MatrixBuilder;
pub use model::Matrix;
pub use review::{Review, Unreviewed, review};

/// Compiles the program in the guide.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/guide/review.md")]
    struct Review;
}
