//! The functions of aggregates, and their results.

use crate::schema::Value;

/// An aggregate of the visible cells of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// The number of rows, with visible cells or without.
    Rows,
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
}

/// The result of an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aggregated {
    Count(u64),
    /// The sum of the visible integers, unless there is none.
    Sum(Option<i128>),
    /// The sum and the number of the visible integers, unless there is none.
    Average(Option<(i128, u64)>),
    Value(Value),
}

/// The aggregate of related rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The number of them.
    Number,
    /// Their lowest visible cell.
    Lowest,
    /// Their highest visible cell.
    Highest,
}
