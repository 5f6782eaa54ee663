//! Repositories: the types whose methods are the only way to the database.

mod access;
mod aggregate;
mod asking;
mod can_see;
mod cursor;
mod decided;
mod existence;
mod explain;
mod grant;
pub(crate) mod memo;
mod nested;
mod page;
mod reader;
pub(crate) mod release;
mod secret;
mod select;
mod unguarded;
mod writer;

pub use access::Access;
pub use aggregate::Group;
pub(crate) use asking::Asking;
pub use can_see::{Answer, CanSee};
pub use cursor::Cursor;
pub use explain::{Explanation, Verdict};
pub use grant::{Public, Read, Reads, System, Write, Writes};
pub(crate) use nested::{Load, NestedRow, load};
pub use page::{Page, Slice};
pub use reader::{Reader, Rows};
pub use release::Release;
pub use select::{Select, Shown};
pub use unguarded::UnguardedSql;
pub use writer::{Update, Writer};
