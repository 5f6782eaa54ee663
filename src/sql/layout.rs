//! The layout of a statement's rows: the position of each field, and the source of its visibility.

use crate::policy::Kind;

/// The layout of a statement's rows.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) slots: Vec<CellPlace>,
    /// The slots of the whole entity, if a rule that runs in Rust needs it.
    pub(crate) entity: Option<Vec<CellPlace>>,
    /// The columns of a row's [`Position`], its key last.
    pub(crate) position: Vec<(usize, Kind)>,
    /// The positions of the inputs of computed fields, by field.
    pub(crate) computed: Vec<(usize, Vec<usize>)>,
    pub(crate) nested: Vec<Join>,
    /// The columns of [`Query::joined_by`].
    pub(crate) joined_by: Vec<(usize, Kind)>,
}

/// The join of a row to the related rows that one of its fields shows.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) field: usize,
    pub(crate) columns: Vec<(usize, Kind)>,
}

/// The position of one field in the row, and the source of its visibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellPlace {
    /// The position of the column; none if it was not selected.
    pub(crate) column: Option<usize>,
    /// The position of the masked column, if Rust chooses between the two.
    pub(crate) masked: Option<usize>,
    pub(crate) shown: CellShown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellShown {
    Always,
    Never,
    /// The database decides, by the flag column at this position.
    Flag(usize),
    /// The database returns null for a hidden value, and the column itself is never null.
    UnlessNull,
    /// Rust has evaluated the rule.
    Found,
}
