//! How a revocation reaches what is cached, at once, on this node.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
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
    shards: Box<[Shard]>,
    hasher: RandomState,
}

/// The group of subjects that one belongs to: the number of the last revocation among them.
#[derive(Debug, Clone)]
pub(crate) struct Shard(Arc<AtomicU64>);

/// How many revocations had been issued when a load began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch(u64);

impl Shard {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Whether no revocation came after `epoch` for this group of subjects.
    #[inline]
    pub(crate) fn holds(&self, epoch: Epoch) -> bool {
        self.0.load(Ordering::Acquire) <= epoch.0
    }
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self {
            issued: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Shard::new()).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn shard(&self, subject: &Subject) -> Shard {
        match self.shards.get(usize::from(self.number(subject))) {
            Some(shard) => shard.clone(),
            // Not reachable: there are as many shards as a byte has values.
            None => Shard(Arc::new(AtomicU64::new(u64::MAX))),
        }
    }

    /// The place of the subject's shard among all.
    fn number(&self, subject: &Subject) -> u8 {
        let [byte, ..] = self.hasher.hash_one(subject).to_le_bytes();
        byte
    }

    /// To be read before the store.
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.issued.load(Ordering::Acquire))
    }

    /// Makes everything loaded so far for this group of subjects stale.
    pub(crate) fn advance(&self, shard: &Shard) {
        let number = self.issued.fetch_add(1, Ordering::AcqRel) + 1;
        shard.0.fetch_max(number, Ordering::AcqRel);
    }

    /// Advances when dropped, so that a revocation whose caller gave up while the store was
    /// answering is not forgotten.
    pub(crate) fn advance_on_drop(&self, subject: &Subject) -> AdvanceOnDrop<'_> {
        AdvanceOnDrop {
            epochs: self,
            shard: self.shard(subject),
        }
    }
}

pub(crate) struct AdvanceOnDrop<'a> {
    epochs: &'a Epochs,
    shard: Shard,
}

impl Drop for AdvanceOnDrop<'_> {
    fn drop(&mut self) {
        self.epochs.advance(&self.shard);
    }
}

/// Viewers whose rows are being written. When it is dropped, however the write ended, all that was
/// loaded of them so far is stale.
#[derive(Clone)]
pub(crate) struct Changing {
    epochs: Arc<Epochs>,
    /// The places of their shards.
    shards: BTreeSet<u8>,
}

impl Changing {
    pub(crate) const fn nobody(epochs: Arc<Epochs>) -> Self {
        Self {
            epochs,
            shards: BTreeSet::new(),
        }
    }

    pub(crate) fn everybody(epochs: Arc<Epochs>) -> Self {
        Self {
            epochs,
            shards: (0..=u8::MAX).collect(),
        }
    }

    pub(crate) fn add(&mut self, subject: &Subject) {
        self.shards.insert(self.epochs.number(subject));
    }

    /// Nothing was written.
    pub(crate) fn forget(&mut self) {
        self.shards.clear();
    }

    /// Whether both are viewers of the same sessions.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.epochs, &other.epochs)
    }

    /// Takes the other's viewers over.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.shards.append(&mut other.shards);
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        for shard in &self.shards {
            if let Some(shard) = self.epochs.shards.get(usize::from(*shard)) {
                self.epochs.advance(shard);
            }
        }
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
        assert!(shard.holds(before));
        epochs.advance(&shard);
        assert!(!shard.holds(before));
        assert!(shard.holds(epochs.now()));
    }

    #[test]
    fn rf_3_a_revocation_is_not_undone_by_an_older_one_that_finishes_later() {
        let epochs = Epochs::new();
        let (one, other) = (Shard::new(), Shard::new());
        epochs.advance(&other);
        let between = epochs.now();
        epochs.advance(&one);
        epochs.advance(&other);
        assert!(!one.holds(between));
        assert!(!other.holds(between));
        assert!(Shard::new().holds(between));
    }

    #[test]
    fn sd_14_what_is_changing_is_stale_when_the_change_is_over() {
        let epochs = Arc::new(Epochs::new());
        let (ada, eve) = (Subject::new("ada"), Subject::new("eve"));
        let before = epochs.now();
        let mut changing = Changing::nobody(Arc::clone(&epochs));
        changing.add(&ada);
        let mut unchanged = changing.clone();
        unchanged.forget();
        drop(unchanged);
        assert!(epochs.shard(&ada).holds(before));
        drop(changing);
        assert!(!epochs.shard(&ada).holds(before));
        assert!(epochs.shard(&ada).holds(epochs.now()));

        let before = epochs.now();
        drop(Changing::everybody(Arc::clone(&epochs)));
        assert!(!epochs.shard(&ada).holds(before));
        assert!(!epochs.shard(&eve).holds(before));
        assert!(epochs.shards.iter().all(|shard| !shard.holds(before)));
    }
}
