//! The decisions on a shape's rules, memoized per request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::in_use::InUse;
use crate::dto::{FieldDecisions, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::{Decision, Failure};
use crate::session::{LoadNumber, Verified};

/// The memoized decisions of shapes, keyed by the load of the viewer for whom they were made. A
/// decision that depends on the row is kept as its residual, never as an answer.
#[derive(Default)]
pub(crate) struct DecisionCache(Mutex<Vec<CachedDecision>>);

struct CachedDecision {
    shape: u64,
    viewer: Option<LoadNumber>,
    /// The instant of the evaluation, if a rule reads it.
    at: Option<DateTime<Utc>>,
    decided: Arc<FieldDecisions>,
}

/// The maximum number of shapes whose decisions a request keeps: an application may build shapes
/// without end.
const MOST: usize = 64;

impl DecisionCache {
    fn get(
        &self,
        shape: u64,
        viewer: Option<LoadNumber>,
        at: Option<DateTime<Utc>>,
    ) -> Option<Arc<FieldDecisions>> {
        let known = self.known();
        // A request has few shapes, and all of one load.
        let mut known = known.iter();
        known
            .find(|known| known.shape == shape && known.viewer == viewer && known.at == at)
            .map(|known| Arc::clone(&known.decided))
    }

    fn put(&self, new: CachedDecision) {
        let mut known = self.known();
        // A request that runs for days loads its viewer again and again, and asks for the last load
        // only.
        known.retain(|known| {
            let is_of_other_kind = known.viewer.is_some() != new.viewer.is_some();
            is_of_other_kind || (known.viewer == new.viewer && known.shape != new.shape)
        });
        if known.len() >= MOST {
            known.remove(0);
        }
        known.push(new);
    }

    pub(crate) fn clear(&self) {
        self.known().clear();
    }

    /// Locks the list. A poisoned lock only means that another task panicked between two steps on the
    /// list, each of which leaves it consistent.
    fn known(&self) -> MutexGuard<'_, Vec<CachedDecision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_22_a_request_that_goes_on_keeps_the_decisions_of_its_last_loading() {
        let decisions = DecisionCache::default();
        let known = |shape, viewer| CachedDecision {
            shape,
            viewer,
            at: None,
            decided: Arc::new(FieldDecisions::new(Decision::Allow, Vec::new(), Vec::new())),
        };
        decisions.put(known(1, None));
        for _ in 0..100 {
            let viewer = Some(LoadNumber::next());
            for shape in [1, 2, 1] {
                decisions.put(known(shape, viewer));
            }
            assert!(decisions.get(1, viewer, None).is_some());
            assert!(decisions.get(2, viewer, None).is_some());
        }
        assert!(decisions.get(1, None, None).is_some());
        assert_eq!(decisions.known().len(), 3);
        for shape in 0..1_000 {
            decisions.put(known(shape, None));
        }
        assert_eq!(decisions.known().len(), MOST);
        assert!(decisions.get(999, None, None).is_some());
    }
}
