//! Evaluation of an input type's rules for one viewer, before any body and any row.

use super::{InputField, InputShape};
use crate::entity::{Entity, RowAction};
use crate::policy::{
    Context, Decision, Fulfilled, Reduced, decide, null, related, some, with_written,
};
use crate::schema::{Relation, Value};

/// The decisions on an input type for one viewer.
pub struct Settable {
    /// The decisions that must all allow the creation or the update of the row.
    pub row: Vec<Part>,
    /// The decisions that must all allow setting each field: in rows that may be created, or in those
    /// that may be updated and, unless the field is blind, read.
    pub fields: Vec<Vec<Part>>,
}

/// One of several decisions that must all allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The decision, on the row as written unless it is one on the row as it was.
    pub decision: Decision,
    /// Set if `row` in the decision means the row as it was.
    pub before: bool,
}

impl Part {
    const fn of_new(decision: Decision) -> Self {
        Self {
            decision,
            before: false,
        }
    }

    const fn of_old(decision: Decision) -> Self {
        Self {
            decision,
            before: true,
        }
    }
}

impl Settable {
    /// Makes the same decision on everything.
    pub fn all(decision: &Decision, fields: usize) -> Self {
        let part = Part::of_new(decision.clone());
        Self {
            fields: vec![vec![part.clone()]; fields],
            row: vec![part],
        }
    }

    /// Returns the decisions for the program itself: everything is allowed, unless a preset of the
    /// input type needs a viewer.
    pub(crate) fn of_system<E: Entity>(shape: &InputShape<E>) -> Self {
        let needs_viewer = shape.presets().iter().any(|preset| preset.needs_viewer());
        let decision = if needs_viewer {
            Decision::Deny
        } else {
            Decision::Allow
        };
        Self::all(&decision, shape.fields().len())
    }

    /// Returns the decisions for `viewer`. A preset counts with its value for them; the other values to
    /// be written are unknown.
    pub(crate) fn of<E: Entity>(
        shape: &InputShape<E>,
        viewer: &E::Viewer,
        context: &Context,
    ) -> Self {
        let rows = E::__table().rows();
        let preset = preset(shape, viewer, context);
        let row = if shape.action() == RowAction::Create {
            let create = rows.create.decide(Some(viewer), context);
            vec![Part::of_new(written::<E>(create, &preset))]
        } else {
            let update = rows.update.decide(Some(viewer), context);
            let updated = rows.updated().decide(Some(viewer), context);
            let updated = written::<E>(updated, &preset);
            // The rule of the update, evaluated once more, adds nothing before a row is seen.
            let once_more = rows.updated.is_none() && updated == update;
            let mut row = vec![Part::of_old(update)];
            row.extend((!once_more).then(|| Part::of_new(updated)));
            row
        };
        if row.iter().any(|part| part.decision == Decision::Deny) {
            return Self {
                fields: Self::all(&Decision::Deny, shape.fields().len()).fields,
                row,
            };
        }
        let read = rows.read.decide(Some(viewer), context);
        let fields = shape.fields().iter().map(|field| {
            let own = decide(field.rules(), Some(viewer), context);
            let mut parts = vec![Part::of_new(written::<E>(own, &preset))];
            parts.extend(shown(shape, field, &read, viewer, context));
            let relations = field.checked_relations();
            parts.extend(relations.map(|it| Part::of_new(refers::<E>(it, viewer, context))));
            parts
        });
        Self {
            fields: fields.collect(),
            row,
        }
    }
}

/// Returns the decision on seeing the value that the field replaces; `None` if it need not be seen.
fn shown<E: Entity>(
    shape: &InputShape<E>,
    field: &InputField<E>,
    read: &Decision,
    viewer: &E::Viewer,
    context: &Context,
) -> Option<Part> {
    let spec = shape.shown(field)?;
    Some(Part::of_old(match read {
        Decision::Deny | Decision::Fail(_) => read.clone(),
        Decision::Allow | Decision::Depends(_) => decide(spec.rules(), Some(viewer), context),
    }))
}

/// Returns the decision on referring to the row at the other end of `relation`: it may be read, or the
/// reference is null.
fn refers<E: Entity>(
    relation: &'static Relation,
    viewer: &E::Viewer,
    context: &Context,
) -> Decision {
    let read = match E::__table().readable(relation, viewer, context) {
        Some(Decision::Allow) => Reduced::Always,
        // The rules of another type of viewer allow this one nothing.
        Some(Decision::Deny) | None => Reduced::Never,
        Some(Decision::Depends(residual)) => Reduced::Left(residual),
        Some(Decision::Fail(failure)) => return Decision::Fail(failure),
    };
    let readable = related(relation, Reduced::Always, Fulfilled::BySome, read);
    let own = relation
        .own_key()
        .and_then(|own| E::__table().position(own));
    let unset = own.filter(|(_, column)| column.is_nullable());
    let unset = unset.map(|(index, column)| Reduced::Left(null(index, column.kind(), true)));
    some(unset.into_iter().chain([readable]).map(Ok)).map_or_else(Decision::Fail, Decision::from)
}

fn preset<E: Entity>(
    shape: &InputShape<E>,
    viewer: &E::Viewer,
    context: &Context,
) -> Vec<(usize, Value)> {
    let presets = shape.presets().iter();
    presets
        .filter_map(|preset| {
            let (column, _) = E::__table().position(preset.field())?;
            Some((column, preset.value(Some(viewer), context)?))
        })
        .collect()
}

fn written<E: Entity>(decision: Decision, values: &[(usize, Value)]) -> Decision {
    match decision {
        Decision::Depends(residual) => match with_written(&residual, values, E::__table()) {
            Ok(reduced) => reduced.into(),
            Err(failure) => Decision::Fail(failure),
        },
        Decision::Allow | Decision::Deny | Decision::Fail(_) => decision,
    }
}
