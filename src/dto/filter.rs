//! Filters with the rules of their fields built in.

use super::token::{Condition, Test};
use super::{Decided, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Failure, Reduced, compare_with, every, null, some};

/// What must hold of a row for `condition` to be definitely `wanted` for the viewer that
/// `decided` speaks of.
///
/// A condition on a hidden field is unknown whichever way it is asked, so it is joined with the
/// field's own rule after negation has been pushed down to it.
pub(crate) fn reduce<E: Entity>(
    shape: &Shape<E>,
    decided: &Decided,
    condition: &Condition,
    wanted: bool,
) -> Result<Reduced> {
    // `every` and `some` carry a rule's failure; a filter's own error is kept beside it.
    let mut refused = None;
    let reduced = walk(shape, decided, condition, wanted, &mut refused);
    match (refused, reduced) {
        (Some(error), _) => Err(error),
        (None, Ok(reduced)) => Ok(reduced),
        (None, Err(_)) => Err(Error::misuse(
            "a filter compares a field with a value of another kind",
        )),
    }
}

fn walk<E: Entity>(
    shape: &Shape<E>,
    decided: &Decided,
    condition: &Condition,
    wanted: bool,
    refused: &mut Option<Error>,
) -> Result<Reduced, Failure> {
    match condition {
        Condition::Not(inner) => walk(shape, decided, inner, !wanted, refused),
        Condition::All(parts) | Condition::Any(parts) => {
            let all = matches!(condition, Condition::All(_)) == wanted;
            let parts = parts
                .iter()
                .map(|part| walk(shape, decided, part, wanted, refused));
            if all { every(parts) } else { some(parts) }
        }
        Condition::Field { field, test } => {
            let visible = match visible(shape, decided, *field) {
                Ok(visible) => visible,
                Err(error) => {
                    *refused = Some(error);
                    return Ok(Reduced::Never);
                }
            };
            if visible == Reduced::Never {
                return Ok(Reduced::Never);
            }
            let Some((column, spec)) = shape
                .fields()
                .get(*field)
                .and_then(|spec| E::__table().position(spec.field()))
            else {
                return Err(Failure::UnknownInput);
            };
            let holds = match test {
                Test::Null(is_null) => Reduced::Left(null(column, spec.kind(), *is_null == wanted)),
                Test::Compare(op, value) => {
                    let op = if wanted { *op } else { op.negated() };
                    compare_with(op, column, spec.kind(), value.clone())?
                }
            };
            every([Ok(visible), Ok(holds)].into_iter())
        }
    }
}

/// What must hold of a row for the field to be visible.
pub(crate) fn visible<E: Entity>(
    shape: &Shape<E>,
    decided: &Decided,
    field: usize,
) -> Result<Reduced> {
    match decided.fields.get(field) {
        Some(Decision::Allow) => Ok(Reduced::Always),
        Some(Decision::Deny | Decision::Fail(_)) | None => Ok(Reduced::Never),
        Some(Decision::Depends(residual)) if residual.is_opaque() => {
            let name = shape.fields().get(field).map_or("", |field| field.field());
            Err(Error::misuse(format!(
                "the field `{name}` of `{}` has a rule that runs in Rust only, so no filter or order can name it",
                shape.name()
            )))
        }
        Some(Decision::Depends(residual)) => Ok(Reduced::Left(residual.clone())),
    }
}
