//! Rules over a row as a write will leave it, evaluated before the write (decision 25).

use super::Op;
use super::decision::Failure;
use super::eval::compare_cells;
use super::reduce::{compare_with, every, mirrored, some};
use super::residual::{Reduced, Residual, Term};
use crate::schema::{ColumnSpec, Schema, Value};

/// The content of a place of a rule after the write.
enum Held<'a> {
    /// A value that is written.
    Value(&'a Value),
    /// The present value of this column of the row.
    Column(usize),
}

/// Returns the condition on a row of `schema` as it is, under which `residual` holds of it once these
/// columns have these values. If every column has one, only conditions on related rows are left.
pub(crate) fn once_written(
    residual: &Residual,
    values: &[(usize, Value)],
    schema: &Schema,
) -> Result<Reduced, Failure> {
    written(residual, values, schema, false)
}

/// Reduces as [`once_written`] does, for a write that may set more than these values, so that a column
/// without one may change: conditions on the row as it was stay apart.
pub(crate) fn with_written(
    residual: &Residual,
    values: &[(usize, Value)],
    schema: &Schema,
) -> Result<Reduced, Failure> {
    written(residual, values, schema, true)
}

fn written(
    residual: &Residual,
    values: &[(usize, Value)],
    schema: &Schema,
    apart: bool,
) -> Result<Reduced, Failure> {
    let held = |place: usize| match place.checked_sub(schema.columns().len()) {
        // A column of the row as it was.
        Some(_) if apart => Held::Column(place),
        Some(column) => Held::Column(column),
        None => match values.iter().find(|(known, _)| *known == place) {
            Some((_, value)) => Held::Value(value),
            None => Held::Column(place),
        },
    };
    let parts = |parts: &[Residual]| {
        let parts = parts.iter();
        parts
            .map(|part| written(part, values, schema, apart))
            .collect::<Vec<_>>()
            .into_iter()
    };
    let left = |residual| Ok(Reduced::Left(residual));
    match residual {
        Residual::All(all) => every(parts(all)),
        Residual::Any(any) => some(parts(any)),
        Residual::Flag { column, wanted } => match held(*column) {
            Held::Value(value) => Ok((*value == Value::Bool(*wanted)).into()),
            Held::Column(column) => left(Residual::Flag {
                column,
                wanted: *wanted,
            }),
        },
        Residual::Null { column, wanted } => match held(*column) {
            Held::Value(value) => Ok(((*value == Value::Null) == *wanted).into()),
            Held::Column(column) => left(Residual::Null {
                column,
                wanted: *wanted,
            }),
        },
        Residual::Among {
            column,
            values,
            wanted,
        } => match held(*column) {
            Held::Value(Value::Null) => Ok(Reduced::Never),
            Held::Value(value) => Ok((values.contain(value.as_cell()) == *wanted).into()),
            Held::Column(column) => left(Residual::Among {
                column,
                values: values.clone(),
                wanted: *wanted,
            }),
        },
        Residual::Compare { op, column, with } => {
            let right = match with {
                Term::Value(value) => Held::Value(value),
                Term::Column(column) => held(*column),
            };
            match (held(*column), right) {
                (Held::Value(one), Held::Value(other)) => {
                    let ordering = compare_cells(one.as_cell(), other.as_cell(), None)?;
                    Ok(ordering.is_some_and(|ordering| op.holds(ordering)).into())
                }
                (Held::Value(value), Held::Column(column)) => {
                    with_column(mirrored(*op), column, value, schema)
                }
                (Held::Column(column), Held::Value(value)) => {
                    with_column(*op, column, value, schema)
                }
                (Held::Column(column), Held::Column(other)) => left(Residual::Compare {
                    op: *op,
                    column,
                    with: Term::Column(other),
                }),
            }
        }
        Residual::Related {
            relation,
            within,
            own,
            fulfilled,
            condition,
        } => {
            let unknown = Failure::UnknownRelation(relation.name());
            let pairs = relation.pairs(schema).ok_or(unknown)?;
            let written = pairs.iter().filter_map(|pair| match held(pair.own) {
                Held::Value(value) => Some((pair.own, value.clone())),
                Held::Column(_) => None,
            });
            left(Residual::Related {
                relation,
                within: within.clone(),
                own: own.iter().cloned().chain(written).collect(),
                fulfilled: *fulfilled,
                condition: condition.clone(),
            })
        }
        // The first two occur in filters, and the third where a rule may run in Rust: none of them in the
        // rule of a write.
        Residual::Text { .. } | Residual::Guarded { .. } | Residual::Opaque { .. } => {
            Err(Failure::KindMismatch)
        }
    }
}

fn with_column(op: Op, column: usize, value: &Value, schema: &Schema) -> Result<Reduced, Failure> {
    let (spec, _) = schema.at(column).ok_or(Failure::KindMismatch)?;
    compare_with(op, column, spec.kind(), value.clone())
}

impl Residual {
    /// Returns a column of a new row that the residual reads and to which no value was written.
    pub(crate) fn unwritten<'s>(&self, schema: &'s Schema) -> Option<&'s ColumnSpec> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().find_map(|part| part.unwritten(schema))
            }
            Self::Flag { column, .. }
            | Self::Compare { column, .. }
            | Self::Null { column, .. }
            | Self::Among { column, .. }
            | Self::Text { column, .. } => schema.column(*column),
            Self::Guarded { rule, test } => {
                rule.unwritten(schema).or_else(|| test.unwritten(schema))
            }
            Self::Opaque { .. } => None,
            // Columns that it reads on the other side belong to other rows.
            Self::Related { relation, own, .. } => relation
                .pairs(schema)?
                .iter()
                .map(|pair| pair.own)
                .find(|column| !own.iter().any(|(known, _)| known == column))
                .and_then(|column| schema.column(column)),
        }
    }
}
