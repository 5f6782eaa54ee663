//! What a rule asks of a row as it will be, once it is written.

use super::decision::Failure;
use super::eval::compare_cells;
use super::reduce::{compare_with, every, mirrored, some};
use super::residual::{Reduced, Residual, Term};
use super::{Cell, Op, Value};
use crate::entity::Schema;

/// What must hold of a row of `schema` as it is, so that `residual` holds of it once these columns
/// have these values. Nothing but related rows is left where every column has one.
pub(crate) fn once_written(
    residual: &Residual,
    values: &[(usize, Value)],
    schema: &Schema,
) -> Result<Reduced, Failure> {
    let given = |column: usize| {
        let value = values.iter().find(|(known, _)| *known == column);
        value.map(|(_, value)| value)
    };
    let as_it_is = || Ok(Reduced::Left(residual.clone()));
    let parts = |parts: &[Residual]| {
        let parts = parts.iter();
        parts
            .map(|part| once_written(part, values, schema))
            .collect::<Vec<_>>()
            .into_iter()
    };
    match residual {
        Residual::All(all) => every(parts(all)),
        Residual::Any(any) => some(parts(any)),
        Residual::Flag { column, wanted } => match given(*column) {
            None => as_it_is(),
            Some(value) => Ok((*value == Value::Bool(*wanted)).into()),
        },
        Residual::Null { column, wanted } => match given(*column) {
            None => as_it_is(),
            Some(value) => Ok(((*value == Value::Null) == *wanted).into()),
        },
        Residual::Among {
            column,
            values,
            wanted,
        } => match given(*column) {
            None => as_it_is(),
            Some(Value::Null) => Ok(Reduced::Never),
            Some(value) => Ok((values.contains(value) == *wanted).into()),
        },
        Residual::Compare { op, column, with } => match (given(*column), with) {
            (None, Term::Value(_)) => as_it_is(),
            (Some(value), Term::Value(other)) => compare(*op, value.as_cell(), other.as_cell()),
            (left, Term::Column(other)) => match (left, given(*other)) {
                (None, None) => as_it_is(),
                (Some(value), Some(other)) => compare(*op, value.as_cell(), other.as_cell()),
                (Some(value), None) => with_column(mirrored(*op), *other, value, schema),
                (None, Some(value)) => with_column(*op, *column, value, schema),
            },
        },
        Residual::Related {
            relation,
            within,
            own,
            fulfilled,
            condition,
        } => {
            let pairs = relation
                .pairs(schema)
                .ok_or(Failure::UnknownRelation(relation.name()))?;
            let written = pairs.iter().filter_map(|pair| {
                let value = given(pair.own)?;
                Some((pair.own, value.clone()))
            });
            Ok(Reduced::Left(Residual::Related {
                relation,
                within: within.clone(),
                own: own.iter().cloned().chain(written).collect(),
                fulfilled: *fulfilled,
                condition: condition.clone(),
            }))
        }
        // The first two stand in filters, and the third where a rule may run in Rust: none of
        // them in the rule of a write.
        Residual::Text { .. } | Residual::Guarded { .. } | Residual::Opaque { .. } => {
            Err(Failure::KindMismatch)
        }
    }
}

fn compare(op: Op, left: Cell<'_>, right: Cell<'_>) -> Result<Reduced, Failure> {
    let ordering = compare_cells(left, right, None)?;
    Ok(ordering.is_some_and(|ordering| op.holds(ordering)).into())
}

fn with_column(op: Op, column: usize, value: &Value, schema: &Schema) -> Result<Reduced, Failure> {
    let spec = schema.column(column).ok_or(Failure::KindMismatch)?;
    compare_with(op, column, spec.kind(), value.clone())
}
