//! What partial evaluation leaves of a rule for the row to decide.

use super::eval::compare_cells;
use super::text::Place;
use super::{Cell, Context, Decision, Facts, Op, Rule, Value, Values};
use crate::entity::{Entity, Relation};

/// What is left of a rule for the row to decide: conditions that are each true or not true.
#[derive(Debug, Clone, PartialEq)]
pub enum Residual {
    /// Every one of these.
    All(Vec<Residual>),
    /// At least one of these.
    Any(Vec<Residual>),
    /// The boolean column is set and holds this.
    Flag {
        /// Index of the column.
        column: usize,
        /// What it must hold.
        wanted: bool,
    },
    /// Both terms are set and compare so.
    Compare {
        /// How they compare.
        op: Op,
        /// The column on the left.
        column: usize,
        /// What it is compared with.
        with: Term,
    },
    /// The column is null, or is not.
    Null {
        /// Index of the column.
        column: usize,
        /// Whether it must be null.
        wanted: bool,
    },
    /// The column is set and is among the values, or is set and is not.
    Among {
        /// Index of the column.
        column: usize,
        /// The values, none of them null.
        values: Values,
        /// Whether it must be among them.
        wanted: bool,
    },
    /// The column is set and holds the text there, or is set and does not.
    Text {
        /// Index of the column.
        column: usize,
        /// Where in the column's text.
        place: Place,
        /// The text that is looked for, not empty.
        needle: Value,
        /// Whether it must be there.
        wanted: bool,
    },
    /// The rule holds, and so does the test, which is not worked out where the rule does not.
    Guarded {
        /// What must hold before the test is looked at.
        rule: Box<Residual>,
        /// The test.
        test: Box<Residual>,
    },
    /// The function, by its index in its rule's list, gives this.
    Opaque {
        /// Which rule of the set.
        rule: usize,
        /// Which function of that rule.
        index: usize,
        /// What it must give.
        wanted: bool,
    },
    /// The rows that this row is related to fulfil a condition.
    Related {
        /// How they are related.
        relation: &'static Relation,
        /// Which of them count, by a condition over their columns.
        within: Box<Residual>,
        /// Own columns that will have these values, where the row is yet to be written.
        own: Vec<(usize, Value)>,
        /// How many of them must.
        fulfilled: Fulfilled,
        /// The condition, over their columns.
        condition: Box<Residual>,
    },
}

/// How many related rows must fulfil a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fulfilled {
    /// At least one.
    BySome,
    /// Every one, be it none.
    ByEvery,
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// Another column of the same row.
    Column(usize),
    /// A value, not null.
    Value(Value),
}

/// What a part of a rule or a filter comes to before any row.
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
    /// Whether the row fulfils what is left of `rules`, the set it was made from. It does not
    /// where a column that decides is missing.
    #[inline]
    pub(crate) fn holds<E: Entity, F: Facts<E>>(
        &self,
        row: &F,
        rules: &[Rule<E::Viewer, E>],
        viewer: Option<&E::Viewer>,
        context: &Context,
    ) -> bool {
        // Most of what is left is an equality, and most texts differ in length already.
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

    /// Whether a row that is known fulfils it. It does not where a part runs in Rust only, or reads
    /// related rows.
    pub(crate) fn holds_of_whole<E: Entity>(&self, row: &E) -> bool {
        self.holds(row, &[], None, &Context::new(chrono::DateTime::UNIX_EPOCH))
    }

    fn holds_by_node<E: Entity, F: Facts<E>>(
        &self,
        row: &F,
        rules: &[Rule<E::Viewer, E>],
        viewer: Option<&E::Viewer>,
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
            // Related rows are not at hand, and the other two stand in filters, which only the
            // database works out.
            Self::Related { .. } | Self::Text { .. } | Self::Guarded { .. } => false,
        }
    }

    /// Whether a part of it runs in Rust only.
    pub(crate) fn is_opaque(&self) -> bool {
        self.has(|part| matches!(part, Self::Opaque { .. }))
    }

    /// Whether a part of it reads related rows, which only the database has.
    pub(crate) fn is_related(&self) -> bool {
        self.has(|part| matches!(part, Self::Related { .. }))
    }

    /// Whether it is such a condition, or has one as a part.
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
