//! Evaluation of the rules of input types: the fields that a client may set, and in which rows.

use super::attempt::field_rules;
use super::authority::{Authority, of_row, of_written};
use super::in_use::InUse;
use crate::audit::{Actor, AuditEvent, Outcome};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::input::{InputField, InputShape, Preset};
use crate::policy::{Decision, Reduced, Residual, Value};

/// Returns the event of refusing an input, if it sets a field that this viewer may set in no row.
pub(crate) fn refusal<E: Entity>(
    using: &InUse<E::Viewer>,
    shape: &InputShape<E>,
    values: &[Option<Value>],
) -> Result<Option<AuditEvent>> {
    let (Some(request), Some(verified)) = (using.request(), using.verified()) else {
        return Ok(None);
    };
    let given = given(shape, values);
    let columns = super::authority::columns::<E>(
        given
            .iter()
            .map(|(field, value)| (field.field(), value.clone())),
    )?;
    for (field, _) in given {
        let decision = using.rules(field.rules());
        if of_written::<E>(decision, field.field(), &columns)? == Reduced::Never {
            let by = Actor::viewer(request.now(), verified.subject(), request.request_id());
            return Ok(Some(AuditEvent {
                fields: vec![field.field()],
                rule: field_rules(field.rules()),
                ..AuditEvent::new(by, shape.action(), E::__table(), Outcome::Denied)
            }));
        }
    }
    Ok(None)
}

/// Returns the given fields that are columns, with their values.
pub(super) fn given<'s, E: Entity>(
    shape: &'s InputShape<E>,
    values: &[Option<Value>],
) -> Vec<(&'s InputField<E>, Value)> {
    let fields = shape.fields().iter().zip(values);
    fields
        .filter(|(field, _)| field.is_stored())
        .filter_map(|(field, value)| Some((field, value.clone()?)))
        .collect()
}

/// Evaluates the presets: the values that the program sets beside those of a client.
pub(super) fn preset<E: Entity>(
    authority: &Authority<E>,
    presets: &[Preset<E>],
) -> Result<Vec<(&'static str, Value)>> {
    presets
        .iter()
        .map(|preset| {
            let value = preset.value(authority.viewer(), authority.context());
            let value = value.ok_or_else(|| {
                Error::misuse(format!(
                    "`{}` is preset from the viewer, and a system access has none: `set` it",
                    preset.field()
                ))
            })?;
            Ok((preset.field(), value))
        })
        .collect()
}

/// Returns the residuals that a row must fulfil so that these fields may be set, or `None` if they may
/// be set in no row.
pub(super) fn conditions<E: Entity>(
    authority: &Authority<E>,
    shape: &InputShape<E>,
    fields: &[&InputField<E>],
    changes: &[(usize, Value)],
) -> Result<Option<Vec<Residual>>> {
    let mut found = Vec::new();
    let mut add = |reduced| match reduced {
        Reduced::Always => true,
        Reduced::Never => false,
        Reduced::Left(residual) => {
            found.push(residual);
            true
        }
    };
    for field in fields {
        let decision = authority.decide_rules(field.rules());
        let allowed = add(of_written::<E>(decision, field.field(), changes)?);
        if !allowed {
            return Ok(None);
        }
    }
    let mut shown: Vec<usize> = fields.iter().filter_map(|field| field.shown_by()).collect();
    shown.sort_unstable();
    let (false, Some(reads)) = (shown.is_empty(), shape.reads()) else {
        return Ok(Some(found));
    };
    reads.check()?;
    let rows = authority.decide(&E::__table().rows().read);
    if !add(of_row::<E>(rows, "read_if")?) {
        return Ok(None);
    }
    for index in shown {
        let spec = reads
            .fields()
            .get(index)
            .ok_or_else(|| Error::internal("a patch names a field that its DTO does not have"))?;
        let decision = authority.decide_rules(spec.rules());
        if let Decision::Depends(residual) = &decision
            && residual.is_opaque()
        {
            return Err(Error::misuse(format!(
                "the field `{}` of `{}` has a rule that runs in Rust only, so no patch can evaluate it: make the field of `{}` blind",
                spec.field(),
                reads.name(),
                shape.name()
            )));
        }
        if !add(of_row::<E>(decision, spec.field())?) {
            return Ok(None);
        }
    }
    Ok(Some(found))
}
