//! Limits of one call, so that whatever a client sends costs a bounded amount.
//!
//! A call beyond them is refused, and never cut: a query with the answer of one that is
//! [not valid](crate::Error::is_invalid), and an event that says which limit it was.

/// Conditions that one filter joins, however they are joined. A list of values is one condition,
/// whatever its length.
pub const CONDITIONS: usize = 1_000;

/// How deep conditions stand in one another: `and` inside of `or` inside of `not`. Joining one more
/// with the same word adds nothing.
pub const CONDITION_DEPTH: usize = 16;

/// How deep the parts of one rule stand in one another.
pub const RULE_DEPTH: usize = 32;

/// The parts of one rule.
pub const RULE_PARTS: usize = 1_000;

/// Fields that one query is ordered by, that one grouping groups by, and columns that one query looks up.
pub const ORDERS: usize = 16;

/// Aggregates that one statement works out, those of conditions on groups among them.
pub const AGGREGATES: usize = 500;

/// Members of the object that a body is.
pub const MEMBERS: usize = 1_024;

/// How deep lists and objects of a body stand in one another.
pub const BODY_DEPTH: usize = 32;

/// Wrong fields that an answer names. A last one, without a field, says that there were more.
pub const FIELD_ERRORS: usize = 64;
