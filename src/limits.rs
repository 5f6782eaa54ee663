//! The limits of one call, so that any request of a client costs a bounded amount.
//!
//! A call that exceeds them is refused, and never truncated: a query with the error of one that is [not
//! valid](crate::Error::is_invalid), and an event that names the limit.

/// The maximum number of conditions that one filter joins, however they are joined. A list of values is one
/// condition, whatever its length.
pub const CONDITIONS: usize = 1_000;

/// The maximum nesting depth of conditions: `and` inside of `or` inside of `not`. Joining one more by the
/// same operator adds nothing.
pub const CONDITION_DEPTH: usize = 16;

/// The maximum nesting depth of the parts of one rule.
pub const RULE_DEPTH: usize = 32;

/// The maximum number of parts of one rule.
pub const RULE_PARTS: usize = 1_000;

/// The maximum number of fields that one query is ordered by, that one grouping groups by, and of columns
/// that one query looks up.
pub const ORDERS: usize = 16;

/// The maximum number of aggregates that one statement computes, including those of conditions on groups.
pub const AGGREGATES: usize = 500;

/// The maximum number of members of a body's object.
pub const MEMBERS: usize = 1_024;

/// The maximum nesting depth of lists and objects in a body.
pub const BODY_DEPTH: usize = 32;

/// The maximum number of wrong fields that a response lists. A last entry, without a field, says that there
/// were more.
pub const FIELD_ERRORS: usize = 64;
