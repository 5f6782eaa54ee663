//! What the rules of a shape come to, worked out once for a request.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::grant::Asker;
use crate::audit;
use crate::dto::{Decided, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Failure};
use crate::request::RequestContext;
use crate::session::LoadNumber;

/// Decisions by shape and by the loading of the viewer that they were made for. A decision that
/// is left to the row is kept as what is left, never as an answer.
type Memo = HashMap<(u64, Option<LoadNumber>), Arc<Decided>>;

/// What the rules of `shape` come to for the one who asks.
pub(super) fn decided<E: Entity>(
    shape: &Shape<E>,
    asker: &Asker<'_, E::Viewer>,
    request: Option<&RequestContext>,
) -> Result<Arc<Decided>> {
    shape.check()?;
    let Some(request) = request else {
        return Ok(Arc::new(shape.decide_all_allowed()));
    };
    let viewer = match asker {
        Asker::Viewer(verified) => Some(*verified),
        Asker::Nobody => None,
        Asker::System => return Ok(Arc::new(shape.decide_all_allowed())),
    };
    let key = (shape.id(), viewer.map(|verified| verified.load_number()));
    if let Some(decided) = with_memo(request, |memo| memo.get(&key).cloned()) {
        return Ok(decided);
    }
    let decided = Arc::new(shape.decide(
        viewer.map(|verified| verified.viewer()),
        request.rule_context(),
    ));
    refuse_failure(shape, &decided)?;
    with_memo(request, |memo| memo.insert(key, Arc::clone(&decided)));
    Ok(decided)
}

fn refuse_failure<E: Entity>(shape: &Shape<E>, decided: &Decided) -> Result<()> {
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

/// Tells the log which rule could not be worked out, and the caller that one could not.
pub(super) fn rule_failed(what: &'static str, rule: &'static str, failure: Failure) -> Error {
    audit::rule_failed(what, rule, &failure);
    match failure {
        Failure::NotLoaded(_) => {
            Error::misuse("a rule reads an attribute of the viewer that was not loaded")
        }
        Failure::UnknownField(_)
        | Failure::UnknownRelation(_)
        | Failure::KindMismatch
        | Failure::UnknownInput
        | Failure::NotSet(_) => Error::internal("a rule could not be worked out"),
    }
}

/// The memo of the request. A poisoned lock only means that another task panicked between two
/// steps on the map, each of which leaves it whole.
fn with_memo<T>(request: &RequestContext, use_memo: impl FnOnce(&mut Memo) -> T) -> T {
    let slot = Arc::clone(
        request
            .memo()
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(TypeId::of::<Mutex<Memo>>())
            .or_insert_with(|| Arc::new(Mutex::new(Memo::new()))),
    );
    match slot.downcast::<Mutex<Memo>>() {
        Ok(memo) => use_memo(&mut memo.lock().unwrap_or_else(PoisonError::into_inner)),
        // Not reachable: the slot was filled under the type's own id.
        Err(_) => use_memo(&mut Memo::new()),
    }
}
