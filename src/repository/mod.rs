//! Repositories: the types whose methods are the only way to the database.

mod access;
mod asking;
mod decided;
mod existence;
mod grant;
mod nested;
mod reader;
pub(crate) mod release;
mod secret;
mod select;
mod writer;

pub use access::Access;
pub use grant::{Public, Read, Reads, System, Write, Writes};
pub(crate) use nested::{Load, NestedRow, load};
pub use reader::{Reader, Rows};
pub use release::Release;
pub use select::{Select, Shown};
pub use writer::{Update, Writer};
