//! Repositories: the types whose methods are the only way to the database.
//!
//! # What a query may name
//!
//! A query names fields of its DTO by their [`FieldName`](crate::FieldName)s, and each carries its rule. If a
//! field is hidden from the viewer it is masked before it is compared, ordered, grouped or summed, so a
//! row that hides it matches no condition on it and comes last in its order. [`Select::refuse_hidden`]
//! refuses such a query instead, with the error of an unknown field. A column that the DTO does not
//! show can be looked up if its entity declares it `lookup`, and filtered by if it declares
//! `filter_if`.
//!
//! # The time that a query takes
//!
//! A filter on a field whose rule depends on the row is translated in one of two ways, which differ in
//! their timing side channel:
//!
//! - By default as `RULE AND field = value`. The database may use the index of the field and
//!   evaluate the rule on the rows it finds. The result reveals nothing of a hidden value, but the
//!   time can: a value that occurs in a thousand hidden rows takes longer to answer than one that
//!   occurs in none, and an attacker with many measurements may see that.
//! - With [`Select::constant_time`] as `CASE WHEN RULE THEN field = value END`. The rule of each
//!   row is evaluated first and no hidden value is compared, so that the time does not depend on
//!   one. It costs a read of every row that the rest of the query leaves.
//!
//! Choose the second if values can be guessed one by one and a guess is worth something, such as an
//! e-mail address or a diagnosis, and if the table is small or another condition narrows it. It does
//! not affect lookups: a viewer who may run them may test a guess.

pub(crate) mod access;
mod aggregate;
mod as_access;
mod attempt;
mod authority;
mod can_see;
mod can_set;
mod cells;
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
mod own_layout;
mod page;
mod planner;
mod reader;
mod references;
pub(crate) mod release;
mod secret;
pub(crate) mod select;
mod stream;
mod together;
mod transaction;
mod unguarded;
mod unreadable;
mod untrusted;
mod update;
mod viewers;
mod writer;

pub use access::Access;
pub use aggregate::Group;
pub use as_access::{AsAccess, AsWriteAccess};
pub use can_see::{CanSee, Permission};
pub use can_set::CanSet;
pub use create::{Create, NewRow};
pub use cursor::Cursor;
#[cfg(fuzzing)]
pub(crate) use cursor::fuzz as fuzz_cursor;
pub use explain::{Explanation, RuleVerdict};
pub use explain_write::WriteExplanation;
pub use grant::{MayWrite, Public, Read, Reads, System, Write, Writes};
pub(crate) use in_use::InUse;
pub(crate) use inputs::refusal;
pub use many::UpdateMany;
pub use page::{Page, Slice};
pub use reader::Reader;
pub use release::Release;
pub use select::{Select, Shown, Streamed};
pub use stream::Rows;
pub use transaction::Transaction;
pub use unguarded::UnguardedSql;
pub use untrusted::{Untrusted, Valid};
pub use update::Update;
pub use viewers::TableViewers;
pub use writer::Writer;
