//! Lints of input types: fields that may be written by viewers who may not read them.

use clearance::__matrix::{EntityEntry, InputEntry, Part, named, table, unchecked};
use clearance::entity::RowAction;
use clearance::policy::{Decision, Residual};
use clearance::registry::{DatabaseSchema, InputFieldInfo};

use super::{Lint, Subject, listed, places, shows};
use crate::words;

/// Lints a blind field that lets a viewer replace a value which the DTO of its patch hides from them.
pub(super) fn writes_without_a_read<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    lints: &mut Vec<Lint>,
) {
    for patch in subject.inputs_of(entity) {
        let Some(reads) = patch.info.reads() else {
            continue;
        };
        for (index, field) in patch.info.fields().iter().enumerate() {
            let viewers = setting(subject, patch, index, |viewer| {
                !seen_where_updated(subject, entity, patch, index, viewer)
            });
            if !field.is_blind() || viewers.is_empty() {
                continue;
            }
            lints.push(Lint {
                lint: "write without a read",
                at: places(field.rules()),
                about: format!(
                    "the field `{}::{}` is blind, and {} may set it where `{reads}` hides what is \
                     replaced",
                    patch.info.name(),
                    field.field(),
                    listed(&viewers)
                ),
                advice: "a viewer who sets the field there overwrites a value that they may not see: narrow its rule, let the DTO show it, remove `blind`, or accept it in review",
            });
        }
    }
}

/// Returns whether the DTO of the patch shows the field wherever the viewer may update. Also true if
/// the DTO has no such field: `blind` is then the only way to set it, and no rule hides it.
fn seen_where_updated<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    patch: &InputEntry<V>,
    index: usize,
    viewer: &V,
) -> bool {
    let seen = (patch.decide_seen)(viewer, subject.context);
    let Some(Some(seen)) = seen.get(index) else {
        return true;
    };
    let rows = (entity.decide)(Some(viewer), subject.context);
    let of = |action| {
        let decided = entity.info.operations().iter().zip(&rows);
        let mut decided = decided.filter(move |((known, _), _)| *known == action);
        decided.next().map(|(_, decision)| decision)
    };
    let known = match of(RowAction::Update) {
        Some(Decision::Depends(Residual::All(parts))) => parts.as_slice(),
        Some(Decision::Depends(residual)) => std::slice::from_ref(residual),
        Some(Decision::Allow | Decision::Deny | Decision::Fail(_)) | None => &[],
    };
    let follows = |decision: &Decision| match decision {
        Decision::Allow => true,
        Decision::Deny | Decision::Fail(_) => false,
        Decision::Depends(residual) => words::follows(residual, known),
    };
    follows(seen) && of(RowAction::Read).is_some_and(follows)
}

/// Lints an input type that sets a column under a unique index for viewers who may not see the column.
pub(super) fn taken_values<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    schema: &DatabaseSchema,
    lints: &mut Vec<Lint>,
) {
    let own = entity.info.schema();
    let Some(live) = table(schema, own.name()) else {
        return;
    };
    for input in subject.inputs_of(entity) {
        for (index, field) in input.info.fields().iter().enumerate() {
            let column = named(own, field.field());
            let unique = column.and_then(|column| live.unique(column.name()));
            let (true, Some(unique)) = (field.is_stored(), unique) else {
                continue;
            };
            let viewers = setting(subject, input, index, |viewer| {
                !is_shown(subject, entity, field, viewer)
            });
            if viewers.is_empty() {
                continue;
            }
            lints.push(Lint {
                lint: "input sets a hidden column under a unique index",
                at: places(field.rules()),
                about: format!(
                    "`{}::{}` is in the unique index `{}`, and {} may set it and not see it in \
                     every row",
                    input.info.name(),
                    field.field(),
                    unique.name,
                    listed(&viewers)
                ),
                advice: "a conflict reveals that the value is taken: let only those set it who may see it, respond to a conflict as to a success, or accept it in review",
            });
        }
    }
}

/// Lints a field that sets a foreign key of the database without a relation, so that nothing requires
/// its writer to be able to read the row referred to.
pub(super) fn references_unchecked<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    schema: &DatabaseSchema,
    lints: &mut Vec<Lint>,
) {
    let Some(live) = table(schema, entity.info.schema().name()) else {
        return;
    };
    for input in subject.inputs_of(entity) {
        for (field, target) in unchecked(&input.info, live) {
            lints.push(Lint {
                lint: "input sets a foreign key without a relation",
                at: places(field.rules()),
                about: format!(
                    "`{}::{}` refers to rows of the table `{target}`, and `{}` declares no relation for it",
                    input.info.name(),
                    field.field(),
                    input.info.entity()
                ),
                advice: "the response distinguishes a row that may not be read from a missing one, and the new row refers to it: declare a `belongs_to`, so that a reference must be to a row that may be read, or write `#[writable(any_row, reason = \"..\")]`",
            });
        }
    }
}

/// Returns whether some DTO shows the column to the viewer in all rows that they may read.
fn is_shown<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    field: &InputFieldInfo,
    viewer: &V,
) -> bool {
    subject.dtos_of(entity).any(|dto| {
        let decided = (dto.decide)(Some(viewer), subject.context);
        let mut fields = dto.info.fields().iter().zip(decided);
        fields.any(|(shown, decision)| shows(shown, field.field()) && decision == Decision::Allow)
    })
}

/// Returns the sample viewers who may set the field of this index, and for whom `also` holds.
fn setting<'a, V>(
    subject: &Subject<'a, V>,
    input: &InputEntry<V>,
    index: usize,
    also: impl Fn(&V) -> bool,
) -> Vec<&'a str> {
    let viewers = subject.viewers.iter();
    viewers
        .filter(|(_, viewer)| {
            let settable = (input.decide)(viewer, subject.context);
            settable
                .fields
                .get(index)
                .is_some_and(|parts| may_be_set(parts))
                && also(viewer)
        })
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Returns whether there may be a row for which all of the parts allow it.
pub(super) fn may_be_set(parts: &[Part]) -> bool {
    !parts.iter().any(|part| part.decision == Decision::Deny)
}
