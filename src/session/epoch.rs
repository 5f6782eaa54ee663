//! How a revocation reaches what is cached, at once, on this node.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::viewer::Subject;

const SHARDS: usize = 256;

/// Counts revocations, and keeps for each group of subjects the number of its last one.
///
/// A load notes how many revocations there had been *before* it reads the store. What it loaded
/// holds as long as its subject's shard names no later one. Subjects that share a shard with
/// a revoked one are merely loaded again.
///
/// INVARIANT (epoch): whoever revokes advances after the store has forgotten the session, and
/// whoever loads reads the epoch before the store. So a load either does not see the session, or
/// carries an epoch older than its revocation.
#[derive(Debug)]
pub(crate) struct Epochs {
    issued: AtomicU64,
    shards: [AtomicU64; SHARDS],
    hasher: RandomState,
}

/// The group of subjects that one belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard(u8);

/// How many revocations had been issued when a load began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch(u64);

impl Epochs {
    pub(crate) fn new() -> Self {
        Self {
            issued: AtomicU64::new(0),
            shards: [const { AtomicU64::new(0) }; SHARDS],
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn shard(&self, subject: &Subject) -> Shard {
        let [byte, ..] = self.hasher.hash_one(subject).to_le_bytes();
        Shard(byte)
    }

    /// To be read before the store.
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.issued.load(Ordering::Acquire))
    }

    /// Makes everything loaded so far for this group of subjects stale.
    pub(crate) fn advance(&self, shard: Shard) {
        let number = self.issued.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(last) = self.shards.get(usize::from(shard.0)) {
            last.fetch_max(number, Ordering::AcqRel);
        }
    }

    /// Whether no revocation came after `epoch` for this group of subjects.
    #[inline]
    pub(crate) fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        self.shards
            .get(usize::from(shard.0))
            .is_some_and(|last| last.load(Ordering::Acquire) <= epoch.0)
    }

    /// Advances when dropped, so that a revocation whose caller gave up while the store was
    /// answering is not forgotten.
    pub(crate) fn advance_on_drop(&self, shard: Shard) -> AdvanceOnDrop<'_> {
        AdvanceOnDrop {
            epochs: self,
            shard,
        }
    }
}

pub(crate) struct AdvanceOnDrop<'a> {
    epochs: &'a Epochs,
    shard: Shard,
}

impl Drop for AdvanceOnDrop<'_> {
    fn drop(&mut self) {
        self.epochs.advance(self.shard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rf_3_an_epoch_read_before_a_revocation_does_not_hold_after_it() {
        let epochs = Epochs::new();
        let shard = epochs.shard(&Subject::new("ada"));
        let before = epochs.now();
        assert!(epochs.holds(shard, before));
        epochs.advance(shard);
        assert!(!epochs.holds(shard, before));
        assert!(epochs.holds(shard, epochs.now()));
    }

    #[test]
    fn rf_3_a_revocation_is_not_undone_by_an_older_one_that_finishes_later() {
        let epochs = Epochs::new();
        let (one, other) = (Shard(1), Shard(2));
        epochs.advance(other);
        let between = epochs.now();
        epochs.advance(one);
        epochs.advance(other);
        assert!(!epochs.holds(one, between));
        assert!(!epochs.holds(other, between));
        assert!(epochs.holds(Shard(3), between));
    }
}
