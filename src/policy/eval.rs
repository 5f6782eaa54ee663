//! The evaluator: the truth of a rule for one viewer over one row, by the plain reading of its nodes.
//!
//! It is the reference that partial evaluation and every SQL dialect are compared with, so it is written to
//! be evidently right.

use std::cmp::Ordering;

use super::decision::{Failure, Truth};
use super::rule::Given;
use super::{Context, Expr, Op, Operand, Rule};
use crate::schema::{Cardinality, Cell, Columns, Kind, Relation, Schema, Value};

/// Evaluates `rule` for `viewer` (or nobody) over `row`.
///
/// # Errors
///
/// [`Failure`] if the rule cannot be evaluated; it is then neither allowed nor denied.
pub fn evaluate<V, R: Columns>(
    rule: &Rule<V, R>,
    viewer: Option<&V>,
    row: &R,
    context: &Context,
) -> Result<Truth, Failure> {
    evaluate_with(rule, viewer, row, context, &NoRelatives)
}

/// Evaluates as [`evaluate`] does, for rules that read related rows, which `relatives` finds.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_with<V, R: Columns>(
    rule: &Rule<V, R>,
    viewer: Option<&V>,
    row: &R,
    context: &Context,
    relatives: &dyn Relatives,
) -> Result<Truth, Failure> {
    Evaluation::new(rule, viewer, row, context, relatives).truth(rule.expr())
}

/// Evaluates `rule` over a row as an update leaves it, `after`, and as it was, `before`. Both are given, so
/// that a rule of `updated_if` can be evaluated.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_update<V, R: Columns>(
    rule: &Rule<V, R>,
    viewer: Option<&V>,
    before: &R,
    after: &R,
    context: &Context,
) -> Result<Truth, Failure> {
    Evaluation {
        before: Some(before),
        ..Evaluation::new(rule, viewer, after, context, &NoRelatives)
    }
    .truth(rule.expr())
}

/// A source of related rows, for the evaluation of rules in memory.
pub trait Relatives {
    /// Returns the rows on the other side of `relation`, or `None` if they are not available, so that
    /// conditions on them are unknown.
    fn of<'a>(&'a self, relation: &Relation, row: &dyn Columns) -> Option<Vec<&'a dyn Columns>>;
}

/// A source that has no related rows.
pub(super) struct NoRelatives;

impl Relatives for NoRelatives {
    fn of<'a>(&'a self, _: &Relation, _: &dyn Columns) -> Option<Vec<&'a dyn Columns>> {
        None
    }
}

pub(super) struct Evaluation<'a, V, R> {
    rule: &'a Rule<V, R>,
    viewer: Option<&'a V>,
    /// The row that the rule was called with, for the parts of it that run in Rust; none within a related
    /// row.
    whole: Option<&'a R>,
    /// The row that the current node refers to: that one, or one related to it.
    row: &'a dyn Columns,
    /// The row before an update; none for any other rule.
    before: Option<&'a dyn Columns>,
    schema: &'static Schema,
    context: &'a Context,
    relatives: &'a dyn Relatives,
}

impl<'a, V, R: Columns> Evaluation<'a, V, R> {
    pub(super) fn new(
        rule: &'a Rule<V, R>,
        viewer: Option<&'a V>,
        row: &'a R,
        context: &'a Context,
        relatives: &'a dyn Relatives,
    ) -> Self {
        Self {
            rule,
            viewer,
            whole: Some(row),
            row,
            before: None,
            schema: R::schema(),
            context,
            relatives,
        }
    }

    /// Returns the value of an operand, for an explanation in a test.
    #[cfg(feature = "testing")]
    pub(super) fn value(&self, operand: Operand) -> Option<Value> {
        match operand {
            Operand::Field(field) => Some(self.field(field).ok()?.0.into_value()),
            Operand::Input(input) => match self.given(input).ok()? {
                Given::Value(value) => Some(value),
                Given::Flag(flag) => Some(Value::Bool(flag)),
                Given::Unknown => Some(Value::Null),
                Given::List(_) => None,
            },
        }
    }

    pub(super) fn truth(&self, expr: &Expr) -> Result<Truth, Failure> {
        match expr {
            Expr::Free(input) => match self.given(*input)? {
                Given::Flag(flag) => Ok(flag.into()),
                Given::Unknown => Ok(Truth::Unknown),
                Given::Value(_) | Given::List(_) => Err(Failure::KindMismatch),
            },
            Expr::Flag(field) => match self.field(field)?.0 {
                Cell::Bool(flag) => Ok(flag.into()),
                Cell::Null => Ok(Truth::Unknown),
                Cell::Int(_)
                | Cell::Float(_)
                | Cell::Text(_)
                | Cell::Bytes(_)
                | Cell::Uuid(_)
                | Cell::Timestamp(_) => Err(Failure::KindMismatch),
            },
            Expr::Compare { op, left, right } => self.compare(*op, *left, *right),
            Expr::IsSome(field) => Ok((self.field(field)?.0 != Cell::Null).into()),
            Expr::IsNone(field) => Ok((self.field(field)?.0 == Cell::Null).into()),
            Expr::Contains { list, field } => self.contains(*list, field),
            Expr::Opaque(index) => {
                let opaque = self.rule.opaque(*index).ok_or(Failure::UnknownInput)?;
                let row = self.whole.ok_or(Failure::KindMismatch)?;
                Ok(self.viewer.map_or(Truth::Unknown, |viewer| {
                    opaque(viewer, row, self.context).into()
                }))
            }
            Expr::Related {
                relation,
                condition,
            } => self.related(relation, condition),
            Expr::Not(inner) => Ok(!self.truth(inner)?),
            Expr::All(parts) => {
                let mut truth = Truth::True;
                for part in parts {
                    match self.truth(part)? {
                        Truth::False => return Ok(Truth::False),
                        Truth::Unknown => truth = Truth::Unknown,
                        Truth::True => {}
                    }
                }
                Ok(truth)
            }
            Expr::Any(parts) => {
                let mut truth = Truth::False;
                for part in parts {
                    match self.truth(part)? {
                        Truth::True => return Ok(Truth::True),
                        Truth::Unknown => truth = Truth::Unknown,
                        Truth::False => {}
                    }
                }
                Ok(truth)
            }
        }
    }

    fn related(&self, relation: &'static str, condition: &Expr) -> Result<Truth, Failure> {
        let relation = self
            .schema
            .relation(relation)
            .ok_or(Failure::UnknownRelation(relation))?;
        let Some(rows) = self.relatives.of(relation, self.row) else {
            return Ok(Truth::Unknown);
        };
        let mut truths = rows.into_iter().map(|row| {
            Evaluation {
                whole: None,
                row,
                before: None,
                schema: relation.target(),
                ..*self
            }
            .truth(condition)
        });
        match relation.cardinality() {
            Cardinality::One => truths.next().unwrap_or(Ok(Truth::Unknown)),
            Cardinality::Many => {
                let mut found = Truth::False;
                for truth in truths {
                    match truth? {
                        Truth::True => return Ok(Truth::True),
                        Truth::Unknown => found = Truth::Unknown,
                        Truth::False => {}
                    }
                }
                Ok(found)
            }
        }
    }

    fn given(&self, input: usize) -> Result<Given, Failure> {
        self.rule.given(input, self.viewer, self.context)
    }

    fn field(&self, field: &'static str) -> Result<(Cell<'a>, Kind), Failure> {
        let unknown = Failure::UnknownField(field);
        let (place, column) = self.schema.place(field).ok_or(unknown)?;
        let before = place.checked_sub(self.schema.columns().len());
        let cell = match before {
            None => self.row.cell(place),
            Some(index) => self.before.ok_or(unknown)?.cell(index),
        };
        Ok((cell, column.kind()))
    }

    fn compare(&self, op: Op, left: Operand, right: Operand) -> Result<Truth, Failure> {
        let (left_given, right_given);
        let (left, left_kind) = match left {
            Operand::Field(field) => self.field(field)?,
            Operand::Input(input) => {
                left_given = self.given(input)?;
                (given_cell(&left_given)?, Kind::Text)
            }
        };
        let (right, right_kind) = match right {
            Operand::Field(field) => self.field(field)?,
            Operand::Input(input) => {
                right_given = self.given(input)?;
                (given_cell(&right_given)?, Kind::Text)
            }
        };
        let names = left_kind.names().or(right_kind.names());
        compare_cells(left, right, names)
            .map(|ordering| ordering.map_or(Truth::Unknown, |ordering| op.holds(ordering).into()))
    }

    fn contains(&self, list: usize, field: &'static str) -> Result<Truth, Failure> {
        let (cell, kind) = self.field(field)?;
        let list = match self.given(list)? {
            Given::List(list) => list,
            Given::Unknown => return Ok(Truth::Unknown),
            Given::Flag(_) | Given::Value(_) => return Err(Failure::KindMismatch),
        };
        let mut truth = Truth::False;
        for item in &list {
            match compare_cells(cell, item.as_cell(), kind.names())? {
                Some(Ordering::Equal) => return Ok(Truth::True),
                None => truth = Truth::Unknown,
                Some(Ordering::Less | Ordering::Greater) => {}
            }
        }
        Ok(truth)
    }
}

fn given_cell(given: &Given) -> Result<Cell<'_>, Failure> {
    match given {
        Given::Value(value) => Ok(value.as_cell()),
        Given::Flag(flag) => Ok(Cell::Bool(*flag)),
        Given::Unknown => Ok(Cell::Null),
        Given::List(_) => Err(Failure::KindMismatch),
    }
}

/// Compares two values; `None` if one is null.
pub(crate) fn compare_values(left: &Value, right: &Value) -> Result<Option<Ordering>, Failure> {
    compare_cells(left.as_cell(), right.as_cell(), None)
}

/// Compares two cells; `None` if one is null. Text of a declared set is compared by its position in the
/// set, and is as good as null outside of it; other text is compared byte by byte.
#[inline]
pub(super) fn compare_cells(
    left: Cell<'_>,
    right: Cell<'_>,
    names: Option<&[&str]>,
) -> Result<Option<Ordering>, Failure> {
    match (left, right) {
        (Cell::Null, _) | (_, Cell::Null) => Ok(None),
        (Cell::Bool(left), Cell::Bool(right)) => Ok(Some(left.cmp(&right))),
        (Cell::Int(left), Cell::Int(right)) | (Cell::Timestamp(left), Cell::Timestamp(right)) => {
            Ok(Some(left.cmp(&right)))
        }
        (Cell::Text(left), Cell::Text(right)) => Ok(match names {
            None => Some(left.as_bytes().cmp(right.as_bytes())),
            Some(names) => {
                let rank = |name: &str| names.iter().position(|known| *known == name);
                // Text outside the set is no value of it.
                rank(left)
                    .zip(rank(right))
                    .map(|(left, right)| left.cmp(&right))
            }
        }),
        (Cell::Uuid(left), Cell::Uuid(right)) => Ok(Some(left.as_bytes().cmp(right.as_bytes()))),
        (
            Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Float(_)
            | Cell::Text(_)
            | Cell::Bytes(_)
            | Cell::Uuid(_)
            | Cell::Timestamp(_),
            _,
        ) => Err(Failure::KindMismatch),
    }
}
