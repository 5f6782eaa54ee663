//! Evaluation of a shape's rules, once per request where their answer cannot change.

use std::sync::Arc;

use super::in_use::InUse;
use crate::dto::{FieldDecisions, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::{Decision, Failure};
use crate::request::CachedDecision;
use crate::session::Verified;

/// Returns the decisions of `shape`'s rules, memoized in the request.
pub(super) fn decided<E: Entity>(
    shape: &Shape<E>,
    using: &InUse<E::Viewer>,
) -> Result<Arc<FieldDecisions>> {
    shape.check()?;
    let request = match using.request() {
        Some(request) if using.asks_rules() => request,
        _ => return Ok(Arc::new(shape.decide_all_allowed())),
    };
    if shape.may_read_time() {
        using.note_time();
    }
    let loading = using.verified().map(Verified::load_number);
    // The decisions of one instant are not those of the next (decision 48).
    let at = shape.reads_time().then_some(using.context().now);
    if let Some(decided) = request.decisions().get(shape.id(), loading, at) {
        return Ok(decided);
    }
    let decided = Arc::new(shape.decide(using.viewer(), using.context()));
    refuse_failure(shape, &decided)?;
    request.decisions().put(CachedDecision {
        shape: shape.id(),
        viewer: loading,
        at,
        decided: Arc::clone(&decided),
    });
    Ok(decided)
}

fn refuse_failure<E: Entity>(shape: &Shape<E>, decided: &FieldDecisions) -> Result<()> {
    let failed = std::iter::once(("rows", &decided.rows))
        .chain(
            shape
                .fields()
                .iter()
                .map(|field| field.field())
                .zip(&decided.fields),
        )
        .chain(
            decided
                .columns
                .iter()
                .map(|(field, decision)| (*field, decision)),
        )
        .find_map(|(name, decision)| match decision {
            Decision::Fail(failure) => Some((name, failure)),
            Decision::Allow | Decision::Deny | Decision::Depends(_) => None,
        });
    match failed {
        None => Ok(()),
        Some((name, failure)) => Err(rule_failed(shape.name(), name, *failure)),
    }
}

/// Logs which rule failed to evaluate, and returns an error that does not name it.
pub(super) fn rule_failed(what: &'static str, rule: &'static str, failure: Failure) -> Error {
    events::rule_failed(what, rule, &failure);
    match failure {
        Failure::NotLoaded(_) => {
            Error::misuse("a rule reads an attribute of the viewer that was not loaded")
        }
        Failure::UnknownField(_)
        | Failure::UnknownRelation(_)
        | Failure::KindMismatch
        | Failure::UnknownInput
        | Failure::NotSet(_)
        | Failure::TooLarge => Error::internal("a rule could not be evaluated"),
    }
}
