//! What is left to do when a transaction has ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::{self, AuditEvent, Unrecorded};
use crate::session::Changing;

/// Who ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The library, within the one call that began it.
    Call,
    /// The application, some time.
    Application,
}

/// What a transaction leaves to be done.
pub(crate) struct Aftermath {
    extent: Extent,
    left: Mutex<Option<Left>>,
}

#[derive(Default)]
struct Left {
    decided: Vec<AuditEvent>,
    refused: Vec<Unrecorded>,
    changing: Vec<Changing>,
}

impl Aftermath {
    pub(super) fn new(extent: Extent) -> Self {
        Self {
            extent,
            left: Mutex::new(Some(Left::default())),
        }
    }

    /// Tells of a write that was allowed: with the commit, where that is a part of the same call.
    pub(crate) fn decided(&self, event: AuditEvent) {
        match &mut *self.left() {
            Some(left) if self.extent == Extent::Call => left.decided.push(event),
            _ => audit::write(&event),
        }
    }

    /// Keeps a refusal until the end, when no rollback reaches its record and no connection waits
    /// for another one. Gives it back where the transaction has ended.
    pub(crate) fn refused(&self, unrecorded: Unrecorded) -> Option<Unrecorded> {
        match &mut *self.left() {
            Some(left) => left.refused.push(unrecorded),
            None => return Some(unrecorded),
        }
        None
    }

    /// Keeps viewers whose rows were written until the end. Whoever loads one of them before the
    /// commit gets the row as it was, and would keep it.
    pub(crate) fn changing(&self, viewers: Changing) {
        if let Some(left) = &mut *self.left() {
            match left
                .changing
                .iter_mut()
                .find(|known| known.goes_with(&viewers))
            {
                Some(known) => known.join(viewers),
                None => left.changing.push(viewers),
            }
        }
    }

    /// The transaction has ended. Gives the refusals that are still to be recorded.
    pub(super) fn settle(&self, committed: bool) -> Vec<Unrecorded> {
        let Some(left) = self.left().take() else {
            return Vec::new();
        };
        drop(left.changing);
        if committed {
            for event in &left.decided {
                audit::write(event);
            }
        }
        left.refused
    }

    fn left(&self) -> MutexGuard<'_, Option<Left>> {
        // Every holder changes it in one step, so a panic elsewhere left it whole.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
