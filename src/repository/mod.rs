//! Repositories: the types whose methods are the only way to the database.
//!
//! # What a query may name
//!
//! A query names fields of its DTO, by their [`Token`](crate::Token)s, and each carries its rule.
//! Where a field is hidden from the viewer it is masked before it is compared, ordered, grouped or
//! summed, so a row that hides it is found by no condition on it and stands last in its order.
//! [`Select::refuse_hidden`] refuses such a query instead, with the answer that an unknown field
//! gets. A column that the DTO does not show can be looked up where its entity says `lookup`, and
//! filtered by where it says `filter_if`.
//!
//! # The time that a query takes
//!
//! A filter on a field whose rule depends on the row is written in one of two ways:
//!
//! - By default as `RULE AND field = value`. The database may use the index of the field and ask
//!   the rule of what it found. The answer tells nothing of a hidden value. The time can: a value
//!   that stands in a thousand hidden rows takes longer to answer than one that stands in none, and
//!   somebody with many measurements may see that.
//! - With [`Select::constant_time`] as `CASE WHEN RULE THEN field = value END`. The rule of each
//!   row is worked out first and no hidden value is compared, so that the time does not depend on
//!   one. It costs a read of every row that the rest of the query leaves.
//!
//! Choose the second where values can be guessed one by one and the guess is worth something, such
//! as an e-mail address or a diagnosis, and where the table is small or another condition narrows
//! it. Lookups are not touched by it: whoever may run them may test a guess.

pub(crate) mod access;
mod aggregate;
mod asking;
mod attempt;
mod authority;
mod can_see;
mod can_set;
mod create;
mod cursor;
mod decided;
mod existence;
mod explain;
mod explain_write;
mod grant;
mod in_use;
mod inputs;
mod many;
mod mark;
pub(crate) mod memo;
mod nested;
mod page;
mod reader;
mod references;
pub(crate) mod release;
mod remembered;
mod secret;
mod select;
mod stream;
mod together;
mod transaction;
mod unguarded;
mod unreadable;
mod update;
mod viewers;
mod writer;

pub use access::Access;
pub use aggregate::Group;
pub(crate) use asking::Asking;
pub use can_see::{Answer, CanSee};
pub use can_set::CanSet;
pub use create::{Create, NewRow};
pub use cursor::Cursor;
#[cfg(fuzzing)]
pub(crate) use cursor::fuzz as fuzz_cursor;
pub(crate) use decided::Decisions;
pub use explain::{Explanation, Verdict};
pub use explain_write::WriteExplanation;
pub use grant::{MayWrite, Public, Read, Reads, System, Write, Writes};
pub(crate) use in_use::InUse;
pub(crate) use inputs::refusal;
pub use many::UpdateMany;
pub(crate) use nested::{Load, NestedRow, load};
pub use page::{Page, Slice};
pub use reader::Reader;
pub use release::Release;
pub use select::{Select, Shown, Streamed};
pub use stream::Rows;
pub use transaction::Transaction;
pub use unguarded::UnguardedSql;
pub use update::Update;
pub use viewers::TableViewers;
pub use writer::Writer;
