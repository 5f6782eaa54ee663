//! Partial evaluation: a rule with the viewer and the context filled in.
//!
//! The question is always "is this definitely true?", so negation is pushed down to the atoms (`wanted`
//! becomes false) and disappears there. Each remaining atom requires its operands to be set; it is either
//! true or not, never unknown. A WHERE can therefore use the columns as they are, without `IS TRUE` around
//! them, and keep their indexes (decision 3).

use std::cmp::Ordering;

use super::decision::{Decision, Failure};
use super::eval::compare_cells;
use super::residual::{Fulfilled, Reduced, Residual, Term};
use super::rule::Given;
use super::{Context, Expr, Op, Operand, Rule};
use crate::schema::{Cardinality, Cell, Columns, Kind, Relation, Schema, Value};

/// Partially evaluates `rules`, all of which must allow, for `viewer` (or nobody), before any row.
#[must_use]
pub fn decide<V, R: Columns>(
    rules: &[Rule<V, R>],
    viewer: Option<&V>,
    context: &Context,
) -> Decision {
    let schema = R::schema();
    let reduced = every(rules.iter().enumerate().map(|(number, rule)| {
        Reduction {
            number,
            rule,
            viewer,
            context,
            schema,
        }
        .reduce(rule.expr(), true)
    }));
    reduced.map_or_else(Decision::Fail, Decision::from)
}

/// Returns the condition on the row under which a node of `rule` is definitely `wanted`.
pub(super) fn reduce_node<V, R: Columns>(
    rule: &Rule<V, R>,
    expr: &Expr,
    wanted: bool,
    viewer: Option<&V>,
    context: &Context,
) -> Result<Reduced, Failure> {
    Reduction {
        number: 0,
        rule,
        viewer,
        context,
        schema: R::schema(),
    }
    .reduce(expr, wanted)
}

/// Combines parts that must all hold. A part that never holds ends the evaluation, so that later parts are
/// not evaluated.
pub(crate) fn every(
    parts: impl Iterator<Item = Result<Reduced, Failure>>,
) -> Result<Reduced, Failure> {
    let mut left = Vec::new();
    for part in parts {
        match part? {
            Reduced::Always => {}
            Reduced::Never => return Ok(Reduced::Never),
            Reduced::Left(Residual::All(parts)) => left.extend(parts),
            Reduced::Left(residual) => left.push(residual),
        }
    }
    Ok(match left.len() {
        0 => Reduced::Always,
        1 => left.pop().map_or(Reduced::Always, Reduced::Left),
        _ => Reduced::Left(Residual::All(left)),
    })
}

/// Combines parts of which one is enough. A part that always holds ends the evaluation.
pub(crate) fn some(
    parts: impl Iterator<Item = Result<Reduced, Failure>>,
) -> Result<Reduced, Failure> {
    let mut left = Vec::new();
    for part in parts {
        match part? {
            Reduced::Never => {}
            Reduced::Always => return Ok(Reduced::Always),
            Reduced::Left(Residual::Any(parts)) => left.extend(parts),
            Reduced::Left(residual) => left.push(residual),
        }
    }
    Ok(match left.len() {
        0 => Reduced::Never,
        1 => left.pop().map_or(Reduced::Never, Reduced::Left),
        _ => Reduced::Left(Residual::Any(left)),
    })
}

struct Reduction<'a, V, R> {
    number: usize,
    rule: &'a Rule<V, R>,
    viewer: Option<&'a V>,
    context: &'a Context,
    /// The table of the row that the current node refers to.
    schema: &'static Schema,
}

impl<V, R> Reduction<'_, V, R> {
    /// Returns the condition on the row under which `expr` is definitely `wanted`.
    fn reduce(&self, expr: &Expr, wanted: bool) -> Result<Reduced, Failure> {
        match expr {
            Expr::Free(input) => match self.given(*input)? {
                Given::Flag(flag) => Ok((flag == wanted).into()),
                Given::Unknown => Ok(Reduced::Never),
                Given::Value(_) | Given::List(_) => Err(Failure::KindMismatch),
            },
            Expr::Flag(field) => {
                let (column, kind) = self.column(field)?;
                if kind == Kind::Bool {
                    Ok(Reduced::Left(Residual::Flag { column, wanted }))
                } else {
                    Err(Failure::KindMismatch)
                }
            }
            Expr::Compare { op, left, right } => {
                let op = if wanted { *op } else { op.negated() };
                self.compare(op, *left, *right)
            }
            Expr::IsSome(field) => self.null(field, !wanted),
            Expr::IsNone(field) => self.null(field, wanted),
            Expr::Contains { list, field } => self.contains(*list, field, wanted),
            Expr::Opaque(index) => Ok(match self.viewer {
                Some(_) => Reduced::Left(Residual::Opaque {
                    rule: self.number,
                    index: *index,
                    wanted,
                }),
                None => Reduced::Never,
            }),
            Expr::Related {
                relation,
                condition,
            } => self.related(relation, condition, wanted),
            Expr::Not(inner) => self.reduce(inner, !wanted),
            Expr::All(parts) => {
                let parts = parts.iter().map(|part| self.reduce(part, wanted));
                if wanted { every(parts) } else { some(parts) }
            }
            Expr::Any(parts) => {
                let parts = parts.iter().map(|part| self.reduce(part, wanted));
                if wanted { some(parts) } else { every(parts) }
            }
        }
    }

    fn related(
        &self,
        relation: &'static str,
        condition: &Expr,
        wanted: bool,
    ) -> Result<Reduced, Failure> {
        let relation = self
            .schema
            .relation(relation)
            .ok_or(Failure::UnknownRelation(relation))?;
        let condition = Reduction {
            schema: relation.target(),
            ..*self
        }
        .reduce(condition, wanted)?;
        let fulfilled = match relation.cardinality() {
            // Without the one row the condition is unknown, whichever outcome is wanted.
            Cardinality::One => Fulfilled::BySome,
            Cardinality::Many if wanted => Fulfilled::BySome,
            Cardinality::Many => Fulfilled::ByEvery,
        };
        // A rule reads related rows whatever their own read rules are (decision 21).
        Ok(related(relation, Reduced::Always, fulfilled, condition))
    }

    fn given(&self, input: usize) -> Result<Given, Failure> {
        self.rule.given(input, self.viewer, self.context)
    }

    fn column(&self, field: &'static str) -> Result<(usize, Kind), Failure> {
        let (index, column) = self
            .schema
            .place(field)
            .ok_or(Failure::UnknownField(field))?;
        Ok((index, column.kind()))
    }

    fn null(&self, field: &'static str, wanted: bool) -> Result<Reduced, Failure> {
        let (column, kind) = self.column(field)?;
        Ok(Reduced::Left(null(column, kind, wanted)))
    }

    fn compare(&self, op: Op, left: Operand, right: Operand) -> Result<Reduced, Failure> {
        match (left, right) {
            (Operand::Field(left), Operand::Field(right)) => {
                let (left, left_kind) = self.column(left)?;
                let (right, right_kind) = self.column(right)?;
                compare_columns(op, left, left_kind, right, right_kind)
            }
            (Operand::Field(field), Operand::Input(input)) => self.compare_value(op, field, input),
            (Operand::Input(input), Operand::Field(field)) => {
                self.compare_value(mirrored(op), field, input)
            }
            (Operand::Input(left), Operand::Input(right)) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                let ordering = compare_cells(left.as_cell(), right.as_cell(), None)?;
                Ok(ordering.is_some_and(|ordering| op.holds(ordering)).into())
            }
        }
    }

    fn compare_value(&self, op: Op, field: &'static str, input: usize) -> Result<Reduced, Failure> {
        let (column, kind) = self.column(field)?;
        compare_with(op, column, kind, self.value(input)?)
    }

    fn value(&self, input: usize) -> Result<Value, Failure> {
        match self.given(input)? {
            Given::Value(value) => Ok(value),
            Given::Flag(flag) => Ok(Value::Bool(flag)),
            Given::Unknown => Ok(Value::Null),
            Given::List(_) => Err(Failure::KindMismatch),
        }
    }

    fn contains(&self, list: usize, field: &'static str, wanted: bool) -> Result<Reduced, Failure> {
        let (column, kind) = self.column(field)?;
        let list = match self.given(list)? {
            Given::List(list) => list,
            Given::Unknown => return Ok(Reduced::Never),
            Given::Flag(_) | Given::Value(_) => return Err(Failure::KindMismatch),
        };
        listed(column, kind, list, wanted)
    }
}

/// Builds the condition that rows on the other side of `relation`, out of those that are `within`, fulfil
/// `condition`: at least one of them or every one, as `fulfilled` requires.
pub(crate) fn related(
    relation: &'static Relation,
    within: Reduced,
    fulfilled: Fulfilled,
    condition: Reduced,
) -> Reduced {
    let within = match within {
        // No row counts.
        Reduced::Never => return (fulfilled == Fulfilled::ByEvery).into(),
        Reduced::Always => Residual::All(Vec::new()),
        Reduced::Left(residual) => residual,
    };
    let condition = match (fulfilled, condition) {
        (Fulfilled::BySome, Reduced::Never) => return Reduced::Never,
        (Fulfilled::ByEvery, Reduced::Always) => return Reduced::Always,
        (Fulfilled::BySome, Reduced::Always) => Residual::All(Vec::new()),
        (Fulfilled::ByEvery, Reduced::Never) => Residual::Any(Vec::new()),
        (_, Reduced::Left(residual)) => residual,
    };
    Reduced::Left(Residual::Related {
        relation,
        within: Box::new(within),
        own: Vec::new(),
        fulfilled,
        condition: Box::new(condition),
    })
}

/// Builds the condition that the column is definitely in the list, or definitely not.
pub(super) fn listed(
    column: usize,
    kind: Kind,
    list: Vec<Value>,
    wanted: bool,
) -> Result<Reduced, Failure> {
    if list.is_empty() {
        // Nothing is in an empty list, not even something unknown.
        return Ok((!wanted).into());
    }
    if !wanted && list.contains(&Value::Null) {
        // A comparison with an unset member is unknown.
        return Ok(Reduced::Never);
    }
    let values: Vec<_> = list
        .into_iter()
        .filter(|value| *value != Value::Null)
        .collect();
    for value in &values {
        expect_kind(kind, value)?;
    }
    if let Some(names) = kind.names() {
        return among(column, names, |known| {
            let listed = values
                .iter()
                .any(|value| value.as_cell() == Cell::Text(known));
            Ok(listed == wanted)
        });
    }
    if values.is_empty() {
        return Ok(Reduced::Never);
    }
    Ok(Reduced::Left(Residual::Among {
        column,
        values: values.into(),
        wanted,
    }))
}

/// Builds the condition that the column is set and compares with `value` as `op` requires.
pub(crate) fn compare_with(
    op: Op,
    column: usize,
    kind: Kind,
    value: Value,
) -> Result<Reduced, Failure> {
    if value == Value::Null {
        return Ok(Reduced::Never);
    }
    expect_kind(kind, &value)?;
    let Some(names) = kind.names() else {
        return Ok(Reduced::Left(Residual::Compare {
            op,
            column,
            with: Term::Value(value),
        }));
    };
    among(column, names, |known| {
        let ordering = compare_cells(Cell::Text(known), value.as_cell(), Some(names))?;
        Ok(ordering.is_some_and(|ordering| op.holds(ordering)))
    })
}

/// Builds the condition that the column holds no value, or holds one. Text outside a declared set is none.
pub(crate) fn null(column: usize, kind: Kind, wanted: bool) -> Residual {
    let Some(names) = kind.names() else {
        return Residual::Null { column, wanted };
    };
    let among = Residual::Among {
        column,
        values: names
            .iter()
            .map(|name| Value::Text((*name).to_owned()))
            .collect(),
        wanted: !wanted,
    };
    if wanted {
        Residual::Any(vec![Residual::Null { column, wanted }, among])
    } else {
        among
    }
}

/// Builds the condition that the column holds one of the declared names for which `holds` is true.
pub(super) fn among(
    column: usize,
    names: &'static [&'static str],
    holds: impl Fn(&'static str) -> Result<bool, Failure>,
) -> Result<Reduced, Failure> {
    let mut values = Vec::new();
    for name in names {
        if holds(name)? {
            values.push(Value::Text((*name).to_owned()));
        }
    }
    Ok(if values.is_empty() {
        Reduced::Never
    } else {
        Reduced::Left(Residual::Among {
            column,
            values: values.into(),
            wanted: true,
        })
    })
}

pub(super) fn compare_columns(
    op: Op,
    left: usize,
    left_kind: Kind,
    right: usize,
    right_kind: Kind,
) -> Result<Reduced, Failure> {
    if left_kind != right_kind {
        return Err(Failure::KindMismatch);
    }
    let Some(names) = left_kind.names() else {
        return Ok(Reduced::Left(Residual::Compare {
            op,
            column: left,
            with: Term::Column(right),
        }));
    };
    some(names.iter().map(|name| {
        let cell = Cell::Text(name);
        let left = among(left, names, |known| Ok(known == *name));
        let right = among(right, names, |known| {
            Ok(compare_cells(cell, Cell::Text(known), Some(names))?
                .is_some_and(|ordering: Ordering| op.holds(ordering)))
        });
        every([left, right].into_iter())
    }))
}

/// Returns the operator for exchanged sides.
pub(super) const fn mirrored(op: Op) -> Op {
    match op {
        Op::Eq => Op::Eq,
        Op::Ne => Op::Ne,
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
    }
}

fn expect_kind(kind: Kind, value: &Value) -> Result<(), Failure> {
    let fits = match kind {
        Kind::Bool => matches!(value, Value::Bool(_)),
        Kind::Int => matches!(value, Value::Int(_)),
        Kind::Text | Kind::Enum(_) => matches!(value, Value::Text(_)),
        Kind::Uuid => matches!(value, Value::Uuid(_)),
        Kind::Timestamp => matches!(value, Value::Timestamp(_)),
        Kind::Float | Kind::Bytes => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Failure::KindMismatch)
    }
}
