//! The bounded store of the decisions on shapes' rules, memoized per request.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::lock;
use crate::dto::FieldDecisions;
use crate::session::LoadNumber;

/// The memoized decisions of shapes, keyed by the load of the viewer for whom they were made. A
/// decision that depends on the row is kept as its residual, never as an answer.
#[derive(Default)]
pub(crate) struct DecisionCache(Mutex<Vec<CachedDecision>>);

/// The decisions of one shape, and what they depend on.
pub(crate) struct CachedDecision {
    pub(crate) shape: u64,
    pub(crate) viewer: Option<LoadNumber>,
    /// The instant of the evaluation, if a rule reads it.
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) decided: Arc<FieldDecisions>,
}

/// The maximum number of shapes whose decisions a request keeps: an application may build shapes
/// without end.
const MOST: usize = 64;

impl DecisionCache {
    pub(crate) fn get(
        &self,
        shape: u64,
        viewer: Option<LoadNumber>,
        at: Option<DateTime<Utc>>,
    ) -> Option<Arc<FieldDecisions>> {
        let known = lock(&self.0);
        // A request has few shapes, and all of one load.
        let mut known = known.iter();
        known
            .find(|known| known.shape == shape && known.viewer == viewer && known.at == at)
            .map(|known| Arc::clone(&known.decided))
    }

    pub(crate) fn put(&self, new: CachedDecision) {
        let mut known = lock(&self.0);
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

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Decision;

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
        assert_eq!(lock(&decisions.0).len(), 3);
        for shape in 0..1_000 {
            decisions.put(known(shape, None));
        }
        assert_eq!(lock(&decisions.0).len(), MOST);
        assert!(decisions.get(999, None, None).is_some());
    }
}
