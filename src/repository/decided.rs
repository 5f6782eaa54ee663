//! Evaluation of a shape's rules, once per request where their answer cannot change.

use std::sync::Arc;

use super::in_use::InUse;
use crate::dto::{FieldDecisions, ShapeRules};
use crate::error::{Error, Result};
use crate::events;
use crate::policy::Failure;
use crate::request::CachedDecision;
use crate::session::Verified;
use crate::viewer::Viewer;

/// Returns the decisions of `shape`'s rules, memoized in the request.
pub(super) fn decided<V: Viewer>(
    shape: &dyn ShapeRules<V>,
    using: &InUse<V>,
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
    if let Some((rule, failure)) = shape.failure(&decided) {
        return Err(rule_failed(shape.name(), rule, failure));
    }
    request.decisions().put(CachedDecision {
        shape: shape.id(),
        viewer: loading,
        at,
        decided: Arc::clone(&decided),
    });
    Ok(decided)
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
