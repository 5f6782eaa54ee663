//! Residuals as text: the condition that is left of a rule, written as a rule would be.

use clearance::__matrix::{at, symbol};
use clearance::entity::Schema;
use clearance::policy::{Fulfilled, Place, Residual, Term, Value};

/// The name of the row in a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Row,
    /// The row as it was, beside conditions on the row as it will be.
    Before,
}

impl Subject {
    const fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Before => "before",
        }
    }
}

/// Writes the condition on the row, as a rule would.
pub(crate) fn words(residual: &Residual, schema: &Schema, row: Subject) -> String {
    let name = row.name();
    let field = |column: usize| match at(schema, column) {
        Some((column, true)) => format!("before.{}", column.field()),
        Some((column, false)) => format!("{name}.{}", column.field()),
        None => "row.?".to_owned(),
    };
    match residual {
        Residual::All(parts) => joined(parts, " && ", schema, row),
        Residual::Any(parts) => joined(parts, " || ", schema, row),
        Residual::Flag { column, wanted } => {
            format!("{}{}", if *wanted { "" } else { "!" }, field(*column))
        }
        Residual::Compare { op, column, with } => {
            let with = match with {
                Term::Column(column) => field(*column),
                Term::Value(value) => literal(value),
            };
            format!("{} {} {with}", field(*column), symbol(*op))
        }
        Residual::Null { column, wanted } => {
            let test = if *wanted { "is_none" } else { "is_some" };
            format!("{}.{test}()", field(*column))
        }
        Residual::Among {
            column,
            values,
            wanted,
        } => {
            let values: Vec<String> = values.iter().map(literal).collect();
            let test = if *wanted { "in" } else { "not in" };
            format!("{} {test} [{}]", field(*column), values.join(", "))
        }
        Residual::Opaque { wanted, .. } => {
            format!("{}opaque(..)", if *wanted { "" } else { "!" })
        }
        Residual::Text {
            column,
            place,
            needle,
            wanted,
        } => {
            let test = match place {
                Place::AtStart(_) => "starts_with",
                Place::Anywhere => "contains",
                Place::AtEnd => "ends_with",
            };
            let not = if *wanted { "" } else { "!" };
            format!("{not}{}.{test}({})", field(*column), literal(needle))
        }
        Residual::Guarded { rule, test } => {
            format!(
                "{} && {}",
                words(rule, schema, row),
                words(test, schema, row)
            )
        }
        Residual::Related {
            relation,
            fulfilled,
            condition,
            ..
        } => {
            let word = match fulfilled {
                Fulfilled::BySome => "exists",
                Fulfilled::ByEvery => "all",
            };
            let condition = if **condition == Residual::All(Vec::new()) {
                "|_| true".to_owned()
            } else {
                let condition = words(condition, relation.target(), Subject::Row);
                format!("|row| {condition}")
            };
            format!("{word}({name}.{}, {condition})", relation.name())
        }
    }
}

fn joined(parts: &[Residual], by: &str, schema: &Schema, row: Subject) -> String {
    let parts = parts.iter().map(|part| condition(part, schema, row));
    parts.collect::<Vec<_>>().join(by)
}

/// Writes the condition so that it can be joined with others.
fn condition(residual: &Residual, schema: &Schema, row: Subject) -> String {
    match residual {
        Residual::All(_) | Residual::Any(_) => format!("({})", words(residual, schema, row)),
        Residual::Flag { .. }
        | Residual::Compare { .. }
        | Residual::Null { .. }
        | Residual::Among { .. }
        | Residual::Text { .. }
        | Residual::Guarded { .. }
        | Residual::Related { .. }
        | Residual::Opaque { .. } => words(residual, schema, row),
    }
}

/// Writes conditions that must all hold.
pub(crate) fn all(conditions: &[(&Residual, Subject)], schema: &Schema) -> String {
    match conditions {
        [(one, row)] => words(one, schema, *row),
        several => {
            let several = several.iter();
            let several = several.map(|(residual, row)| condition(residual, schema, *row));
            several.collect::<Vec<_>>().join(" && ")
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(value) => format!("{value:?}"),
        Value::Bytes(value) => format!("{} bytes", value.len()),
        Value::Uuid(value) => value.to_string(),
        Value::Timestamp(micros) => chrono::DateTime::from_timestamp_micros(*micros)
            .map_or_else(|| micros.to_string(), |instant| instant.to_rfc3339()),
        _ => "another value".to_owned(),
    }
}

/// Collects the columns that the residual reads.
pub(crate) fn columns(residual: &Residual, found: &mut Vec<usize>) {
    match residual {
        Residual::All(parts) | Residual::Any(parts) => {
            for part in parts {
                columns(part, found);
            }
        }
        Residual::Compare { column, with, .. } => {
            found.push(*column);
            match with {
                Term::Column(column) => found.push(*column),
                Term::Value(_) => {}
            }
        }
        Residual::Flag { column, .. }
        | Residual::Null { column, .. }
        | Residual::Text { column, .. }
        | Residual::Among { column, .. } => found.push(*column),
        Residual::Guarded { rule, test } => {
            columns(rule, found);
            columns(test, found);
        }
        // The columns of the condition belong to another table.
        Residual::Related { .. } | Residual::Opaque { .. } => {}
    }
}

/// Returns whether the residual trivially follows from these: it is one of them, or is composed of
/// them.
pub(crate) fn follows(residual: &Residual, from: &[Residual]) -> bool {
    from.contains(residual)
        || match residual {
            Residual::All(parts) => parts.iter().all(|part| follows(part, from)),
            Residual::Any(parts) => parts.iter().any(|part| follows(part, from)),
            Residual::Flag { .. }
            | Residual::Compare { .. }
            | Residual::Null { .. }
            | Residual::Among { .. }
            | Residual::Text { .. }
            | Residual::Guarded { .. }
            | Residual::Related { .. }
            | Residual::Opaque { .. } => false,
        }
}
