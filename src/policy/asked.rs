//! A rule put to the database node by node, for an explanation of a write.
//!
//! Each node is reduced as the whole rule is for the write itself, so that both come to the same.

use super::decision::{Failure, Truth};
use super::explain::{Nodes, RuleTrace, nodes, traced};
use super::reduce::reduce_node;
use super::residual::{Reduced, Residual};
use super::written::once_written;
use super::{Context, Expr, Rule, Value};
use crate::entity::Entity;

/// The row that a rule is asked of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AskedRow<'a> {
    /// A stored row.
    Stored,
    /// A stored row once it has these values.
    Written(&'a [(usize, Value)]),
    /// A row that is yet to be, with these values.
    New(&'a [(usize, Value)]),
}

/// A rule, and what must hold of the row for each of its nodes to be true, and to be false.
pub(crate) struct AskedRule<'r, V, E> {
    rule: &'r Rule<V, E>,
    /// In the order of [`nodes`].
    nodes: Vec<Result<[Reduced; 2], Failure>>,
}

/// What there is to ask of `rule` for `viewer`.
pub(crate) fn ask<'r, E: Entity>(
    rule: &'r Rule<E::Viewer, E>,
    viewer: Option<&E::Viewer>,
    context: &Context,
    row: AskedRow<'_>,
) -> AskedRule<'r, E::Viewer, E> {
    let schema = E::__table();
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

impl<V, E> AskedRule<'_, V, E> {
    /// What is to be found out of the row.
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

    /// How the rule comes to its outcome over a row of which these conditions hold.
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

impl<T: Iterator<Item = Result<Truth, Failure>>> Nodes for Answered<T> {
    const RELATED_AT_HAND: bool = true;

    fn truth(&mut self, _: &Expr) -> Result<Truth, Failure> {
        self.0.next().unwrap_or(Err(Failure::UnknownInput))
    }

    #[cfg(feature = "testing")]
    fn values(&self, _: &Expr) -> Vec<(String, Value)> {
        // What the row holds stayed in the database.
        Vec::new()
    }
}
