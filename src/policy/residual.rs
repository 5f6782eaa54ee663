//! Residuals: the conditions on the row that partial evaluation leaves of a rule.

use super::eval::compare_cells;
use super::text::Place;
use super::{Context, Decision, Facts, Op, Rule, Values};
use crate::schema::{Cell, Columns, Relation, Value};

/// The residual of a rule after partial evaluation: conditions on the row that are each true or not true.
#[derive(Debug, Clone, PartialEq)]
pub enum Residual {
    /// Every one of these.
    All(Vec<Residual>),
    /// At least one of these.
    Any(Vec<Residual>),
    /// The boolean column is set and has the value `wanted`.
    Flag {
        /// Index of the column.
        column: usize,
        /// The required value.
        wanted: bool,
    },
    /// Both terms are set and compare as `op` requires.
    Compare {
        /// The operator.
        op: Op,
        /// The column on the left.
        column: usize,
        /// The term on the right.
        with: Term,
    },
    /// The column is null, or is not.
    Null {
        /// Index of the column.
        column: usize,
        /// `true` if it must be null, `false` if it must not.
        wanted: bool,
    },
    /// The column is set and is among the values, or is set and is not.
    Among {
        /// Index of the column.
        column: usize,
        /// The values, none of them null.
        values: Values,
        /// `true` if it must be among them, `false` if it must not.
        wanted: bool,
    },
    /// The column is set and has the text at that place, or is set and has not.
    Text {
        /// Index of the column.
        column: usize,
        /// The place in the column's text.
        place: Place,
        /// The text that is looked for, not empty.
        needle: Value,
        /// `true` if the text must be there, `false` if it must not.
        wanted: bool,
    },
    /// The rule holds, and so does the test, which is not evaluated for rows on which the rule does not
    /// hold.
    Guarded {
        /// The condition that guards the test.
        rule: Box<Residual>,
        /// The test.
        test: Box<Residual>,
    },
    /// The function of the rule returns `wanted`.
    Opaque {
        /// The index of the rule in the set.
        rule: usize,
        /// The index of the function in that rule's list.
        index: usize,
        /// The required result.
        wanted: bool,
    },
    /// The rows that this row is related to fulfil a condition.
    Related {
        /// The relation.
        relation: &'static Relation,
        /// The condition over their columns that selects the rows that count.
        within: Box<Residual>,
        /// The values of own columns, if the row is yet to be written.
        own: Vec<(usize, Value)>,
        /// The quantifier over the rows that count.
        fulfilled: Fulfilled,
        /// The condition over their columns that is to be fulfilled.
        condition: Box<Residual>,
    },
}

/// The quantifier over related rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fulfilled {
    /// At least one must fulfil the condition.
    BySome,
    /// Every one must fulfil the condition, which is true of no rows.
    ByEvery,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// Another column of the same row.
    Column(usize),
    /// A value, not null.
    Value(Value),
}

/// The result of reducing a part of a rule or a filter before any row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reduced {
    Always,
    Never,
    Left(Residual),
}

impl From<Reduced> for Decision {
    fn from(reduced: Reduced) -> Self {
        match reduced {
            Reduced::Always => Self::Allow,
            Reduced::Never => Self::Deny,
            Reduced::Left(residual) => Self::Depends(residual),
        }
    }
}

impl From<bool> for Reduced {
    fn from(truth: bool) -> Self {
        if truth { Self::Always } else { Self::Never }
    }
}

impl Residual {
    /// Returns whether the row fulfils the residual of `rules`, the set that it was made from. A condition
    /// on a missing column counts as not fulfilled.
    #[inline]
    pub(crate) fn holds<V, R, F: Facts<R>>(
        &self,
        row: &F,
        rules: &[Rule<V, R>],
        viewer: Option<&V>,
        context: &Context,
    ) -> bool {
        // Fast path: most residuals are one equality, and most texts differ in length already.
        if let Self::Compare {
            op: Op::Eq,
            column,
            with: Term::Value(value),
        } = self
        {
            value.is_in(row.cell(*column))
        } else {
            self.holds_by_node(row, rules, viewer, context)
        }
    }

    /// Returns whether a completely known row fulfils it. Parts that run in Rust only or read related rows
    /// count as not fulfilled.
    pub(crate) fn holds_of_whole<R: Columns>(&self, row: &R) -> bool {
        let rules: &[Rule<(), R>] = &[];
        let context = Context::new(chrono::DateTime::UNIX_EPOCH);
        self.holds(row, rules, None, &context)
    }

    fn holds_by_node<V, R, F: Facts<R>>(
        &self,
        row: &F,
        rules: &[Rule<V, R>],
        viewer: Option<&V>,
        context: &Context,
    ) -> bool {
        match self {
            Self::All(parts) => parts
                .iter()
                .all(|part| part.holds(row, rules, viewer, context)),
            Self::Any(parts) => parts
                .iter()
                .any(|part| part.holds(row, rules, viewer, context)),
            Self::Flag { column, wanted } => row.cell(*column) == Cell::Bool(*wanted),
            Self::Compare { op, column, with } => {
                let left = row.cell(*column);
                let right = match with {
                    Term::Column(column) => row.cell(*column),
                    Term::Value(value) => value.as_cell(),
                };
                matches!(compare_cells(left, right, None), Ok(Some(ordering)) if op.holds(ordering))
            }
            Self::Null { column, wanted } => {
                row.knows(*column) && (row.cell(*column) == Cell::Null) == *wanted
            }
            Self::Among {
                column,
                values,
                wanted,
            } => {
                let cell = row.cell(*column);
                cell != Cell::Null && values.contain(cell) == *wanted
            }
            Self::Opaque {
                rule,
                index,
                wanted,
            } => {
                let opaque = rules.get(*rule).and_then(|rule| rule.opaque(*index));
                match (opaque, viewer, row.whole()) {
                    (Some(opaque), Some(viewer), Some(row)) => {
                        opaque(viewer, row, context) == *wanted
                    }
                    _ => false,
                }
            }
            // Related rows are not available, and the other two occur in filters, which only the database
            // evaluates.
            Self::Related { .. } | Self::Text { .. } | Self::Guarded { .. } => false,
        }
    }

    /// Returns whether a part of it runs in Rust only.
    pub(crate) fn is_opaque(&self) -> bool {
        self.has(|part| matches!(part, Self::Opaque { .. }))
    }

    /// Returns whether a part of it reads related rows, which only the database has.
    pub(crate) fn is_related(&self) -> bool {
        self.has(|part| matches!(part, Self::Related { .. }))
    }

    /// Returns whether `is` holds for it or for one of its parts.
    fn has(&self, is: fn(&Self) -> bool) -> bool {
        is(self)
            || match self {
                Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.has(is)),
                Self::Guarded { rule, test } => [rule, test].iter().any(|part| part.has(is)),
                Self::Flag { .. }
                | Self::Compare { .. }
                | Self::Null { .. }
                | Self::Among { .. }
                | Self::Text { .. }
                | Self::Related { .. }
                | Self::Opaque { .. } => false,
            }
    }
}
