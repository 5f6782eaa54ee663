//! Repositories: the types whose methods are the only way to the database.

mod access;
mod can_see;
mod decided;
mod explain;
mod grant;
mod reader;
pub(crate) mod release;
mod secret;
mod select;
mod writer;

pub use access::Access;
pub use can_see::{Answer, CanSee};
pub use explain::{Explanation, Verdict};
pub use grant::{Public, Read, Reads, System, Write, Writes};
pub use reader::{Reader, Rows};
pub use release::Release;
pub use select::{Select, Shown};
pub use writer::{Update, Writer};
