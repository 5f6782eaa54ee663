//! The work that is left for the end of a transaction: audit events, refusals to record, viewers to reload.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::{self, AuditEvent, Unrecorded};
use crate::session::Changing;

/// The party that ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The library, within the one call that began it.
    Call,
    /// The application, at any later time.
    Application,
}

/// The work that is left for the end of one transaction.
pub(crate) struct OnCommit {
    extent: Extent,
    left: Mutex<Option<Left>>,
}

#[derive(Default)]
struct Left {
    decided: Vec<AuditEvent>,
    refused: Vec<Unrecorded>,
    changing: Vec<Changing>,
}

impl OnCommit {
    pub(super) fn new(extent: Extent) -> Self {
        Self {
            extent,
            left: Mutex::new(Some(Left::default())),
        }
    }

    /// Logs an allowed write: at the commit if that is part of the same call, and at once otherwise.
    pub(crate) fn decided(&self, event: AuditEvent) {
        match &mut *self.left() {
            Some(left) if self.extent == Extent::Call => left.decided.push(event),
            _ => audit::write(&event),
        }
    }

    /// Keeps a refusal until the transaction ends, when no rollback reaches its record and no connection
    /// waits for another one. Returns it if the transaction has ended already.
    pub(crate) fn refused(&self, unrecorded: Unrecorded) -> Option<Unrecorded> {
        match &mut *self.left() {
            Some(left) => left.refused.push(unrecorded),
            None => return Some(unrecorded),
        }
        None
    }

    /// Marks viewers as changing until the transaction ends, because their rows were written. A viewer that
    /// is loaded before the commit has the row as it was, and must not stay cached.
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

    /// Does the work at the end of the transaction, and returns the refusals that are still to be recorded.
    pub(super) fn settle(&self, committed: bool) -> Vec<Unrecorded> {
        let Some(left) = self.left().take() else {
            return Vec::new();
        };
        // Their drop advances the epochs, so that viewers loaded before the commit are stale (decision 10).
        drop(left.changing);
        if committed {
            for event in &left.decided {
                audit::write(event);
            }
        }
        left.refused
    }

    fn left(&self) -> MutexGuard<'_, Option<Left>> {
        // Every holder changes the state in one step, so it is intact even if a panic poisoned the lock.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
