//! Explanations of writes: the database evaluates the nodes of a rule one by one.
//!
//! Each node is reduced as the whole rule is for the write itself, so that both give the same outcome.

use super::decision::{Failure, Truth};
use super::explain::{RuleNodes, RuleTrace, nodes, traced};
use super::reduce::reduce_node;
use super::residual::{Reduced, Residual};
use super::written::once_written;
use super::{Context, Expr, Rule};
use crate::schema::{Columns, Value};

/// The row over which a rule is explained.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AskedRow<'a> {
    /// A stored row.
    Stored,
    /// A stored row after these values are written to it.
    Written(&'a [(usize, Value)]),
    /// A row that is yet to be inserted, with these values.
    New(&'a [(usize, Value)]),
}

/// A rule, with two conditions on the row for each of its nodes: one for true and one for false.
pub(crate) struct AskedRule<'r, V, R> {
    rule: &'r Rule<V, R>,
    /// The conditions of each node, in the order of [`nodes`].
    nodes: Vec<Result<[Reduced; 2], Failure>>,
}

/// Reduces each node of `rule` for `viewer` to the conditions on the row under which it is true, and false.
pub(crate) fn ask<'r, V, R: Columns>(
    rule: &'r Rule<V, R>,
    viewer: Option<&V>,
    context: &Context,
    row: AskedRow<'_>,
) -> AskedRule<'r, V, R> {
    let schema = R::schema();
    let comes_to = |expr: &Expr, wanted: bool| {
        let reduced = reduce_node(rule, expr, wanted, viewer, context)?;
        let reduced = match (reduced, row) {
            (Reduced::Left(residual), AskedRow::Written(values) | AskedRow::New(values)) => {
                once_written(&residual, values, schema)?
            }
            (reduced, _) => reduced,
        };
        if let (Reduced::Left(residual), AskedRow::New(_)) = (&reduced, row)
            && let Some(column) = residual.unwritten(schema)
        {
            return Err(Failure::NotSet(column.field()));
        }
        Ok(reduced)
    };
    let mut asked = Vec::new();
    nodes(rule.expr(), &mut |expr| {
        asked.push(comes_to(expr, true).and_then(|yes| Ok([yes, comes_to(expr, false)?])));
    });
    AskedRule { rule, nodes: asked }
}

impl<V, R> AskedRule<'_, V, R> {
    /// Returns the conditions that the database must evaluate: those of nodes that no row settles.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Residual> {
        let open = self.nodes.iter().flatten().filter(|node| {
            let settled = |reduced: &Reduced| *reduced == Reduced::Always;
            !node.iter().any(settled)
        });
        open.flatten().filter_map(|reduced| match reduced {
            Reduced::Left(residual) => Some(residual),
            Reduced::Always | Reduced::Never => None,
        })
    }

    /// Builds the trace of the rule over a row, given which of the conditions hold of it.
    pub(crate) fn trace(self, holds: &dyn Fn(&Residual) -> bool) -> RuleTrace {
        let holds = |reduced: &Reduced| match reduced {
            Reduced::Always => true,
            Reduced::Never => false,
            Reduced::Left(residual) => holds(residual),
        };
        let truths = self.nodes.into_iter().map(|node| {
            let [yes, no] = node?;
            Ok(if holds(&yes) {
                Truth::True
            } else if holds(&no) {
                Truth::False
            } else {
                Truth::Unknown
            })
        });
        traced(self.rule, &mut Answered(truths))
    }
}

/// The truths of nodes, in the order of [`nodes`].
struct Answered<T>(T);

impl<T: Iterator<Item = Result<Truth, Failure>>> RuleNodes for Answered<T> {
    const RELATED_AT_HAND: bool = true;

    fn truth(&mut self, _: &Expr) -> Result<Truth, Failure> {
        self.0.next().unwrap_or(Err(Failure::UnknownInput))
    }

    #[cfg(feature = "testing")]
    fn values(&self, _: &Expr) -> Vec<(String, Value)> {
        // The values of the row are in the database only.
        Vec::new()
    }
}
