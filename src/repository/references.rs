//! Checks of the rows that a client's fields refer to: the viewer must be able to read them, so that a
//! foreign key does not distinguish a hidden row from a missing one (decision 60).

use super::attempt::Sent;
use super::authority::Authority;
use super::decided::rule_failed;
use crate::driver::Db;
use crate::entity::{Entity, Relation};
use crate::error::{Error, FieldError, Result};
use crate::input::{InputField, InputShape};
use crate::policy::{Decision, Fulfilled, Reduced, Residual, Value, once_written, related};

/// A field that refers to a row, and the condition under which it may.
pub(super) struct Reference<E: Entity> {
    pub(super) field: &'static InputField<E>,
    pub(super) relation: &'static Relation,
    /// The row exists, and the viewer may read it. The condition is about related rows only.
    pub(super) condition: Residual,
}

/// Returns the rows that the sent fields refer to. A null refers to nothing, and the program itself may
/// read every row.
pub(super) fn references<E: Entity>(
    authority: &Authority<E>,
    sent: &[Sent<E>],
    values: &[(usize, Value)],
) -> Result<Vec<Reference<E>>> {
    let Some(viewer) = authority.viewer() else {
        return Ok(Vec::new());
    };
    let table = E::__table();
    let mut found = Vec::new();
    for (shape, fields) in sent {
        for field in fields {
            for relation in field.checked_relations() {
                let decision = table
                    .readable(relation, viewer, authority.context())
                    .ok_or_else(|| of_other_viewers(shape, field, relation))?;
                let read = match decision {
                    Decision::Allow => Reduced::Always,
                    Decision::Deny => Reduced::Never,
                    Decision::Depends(residual) => Reduced::Left(residual),
                    Decision::Fail(failure) => {
                        return Err(rule_failed(relation.target().entity(), "read_if", failure));
                    }
                };
                let Some((column, _)) = table.position(field.field()) else {
                    return Err(Error::internal(
                        "an input names a column that its table does not have",
                    ));
                };
                let null =
                    |(known, value): &(usize, Value)| *known == column && *value == Value::Null;
                if values.iter().any(null) {
                    continue;
                }
                let failed = |failure| rule_failed(table.entity(), "read_if", failure);
                let condition = match related(relation, Reduced::Always, Fulfilled::BySome, read) {
                    Reduced::Left(condition) => {
                        once_written(&condition, values, table).map_err(failed)?
                    }
                    decided => decided,
                };
                found.push(Reference {
                    field,
                    relation,
                    condition: match condition {
                        Reduced::Left(condition) => condition,
                        Reduced::Always => Residual::All(Vec::new()),
                        // Evaluated like any other, so that it gives the same answer.
                        Reduced::Never => Residual::Any(Vec::new()),
                    },
                });
            }
        }
    }
    Ok(found)
}

fn of_other_viewers<E: Entity>(
    shape: &InputShape<E>,
    field: &InputField<E>,
    relation: &Relation,
) -> Error {
    Error::misuse(format!(
        "`{}::{}` refers to `{}`, whose rules are about another type of viewer: write `#[writable(any_row, reason = \"..\")]`",
        shape.name(),
        field.field(),
        relation.target().entity()
    ))
}

/// Returns the errors of the fields that refer to no row which the viewer may read: a hidden row and a
/// missing one give the same error. Called after a statement that touched nothing.
///
/// INVARIANT (references): the answer depends on the viewer and on the rows referred to, and on nothing
/// else that is stored. So it precedes the results of other rules on related rows, which could
/// distinguish a hidden row from a missing one.
pub(super) async fn unreadable<E: Entity>(
    db: &Db,
    references: &[Reference<E>],
) -> Result<Vec<FieldError>> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let conditions = references.iter().map(|it| it.condition.clone());
    let conditions: Vec<Residual> = conditions.collect();
    let readable = db.truths::<E>(None, &conditions).await?.unwrap_or_default();
    let mut errors: Vec<FieldError> = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let error = FieldError::new(reference.field.json(), "refers to no row that you may read");
        if readable.get(index) != Some(&true) && !errors.contains(&error) {
            errors.push(error);
        }
    }
    Ok(errors)
}

/// Returns the error in place of a conflict: a row that was referred to and is gone since counts as one
/// that never existed.
pub(super) async fn instead_of_conflict<E: Entity>(
    db: &Db,
    references: &[Reference<E>],
    error: Error,
) -> Error {
    // After a failed statement a transaction need not answer further queries.
    if !error.is_conflict() || db.unit().is_some() {
        return error;
    }
    match unreadable(db, references).await {
        Ok(errors) if !errors.is_empty() => Error::unprocessable(errors),
        Ok(_) | Err(_) => error,
    }
}
