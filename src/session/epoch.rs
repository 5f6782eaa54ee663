//! How a revocation reaches what is cached, at once, on this node, and what other nodes are told of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::key::Key;
use crate::error::Result;
use crate::viewer::Subject;

const PURPOSE: &str = "node notice";

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
    /// Sorts subjects into shards: the same on every node of an application, and unknown to others.
    key: hmac::Key,
    /// Where the places of shards go that were advanced here, to be told to other nodes.
    outbox: OnceLock<UnboundedSender<u8>>,
}

/// The group of subjects that one belongs to: the number of the last revocation among them.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    last: Arc<AtomicU64>,
    /// Its place among all.
    place: u8,
}

/// How many revocations had been issued when a load began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch(u64);

impl Shard {
    fn new(place: u8) -> Self {
        Self {
            last: Arc::new(AtomicU64::new(0)),
            place,
        }
    }

    /// Whether no revocation came after `epoch` for this group of subjects.
    #[inline]
    pub(crate) fn holds(&self, epoch: Epoch) -> bool {
        self.last.load(Ordering::Acquire) <= epoch.0
    }
}

impl Epochs {
    pub(crate) fn new(key: &Key) -> Result<Self> {
        Ok(Self::of(&*key.derive(PURPOSE)?))
    }

    /// Of one viewer in a test.
    #[cfg(feature = "testing")]
    pub(crate) fn alone() -> Self {
        Self::of(&[0; 32])
    }

    fn of(key: &[u8; 32]) -> Self {
        let places = (0..=u8::MAX).map(Shard::new);
        Self {
            issued: AtomicU64::new(0),
            shards: places.collect(),
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            outbox: OnceLock::new(),
        }
    }

    /// What is advanced here from now on, for one reader. It ends with the epochs.
    pub(super) fn told(&self) -> UnboundedReceiver<u8> {
        let (sender, receiver) = unbounded_channel();
        let _second = self.outbox.set(sender);
        receiver
    }

    pub(crate) fn shard(&self, subject: &Subject) -> Shard {
        match self.shards.get(usize::from(self.number(subject))) {
            Some(shard) => shard.clone(),
            // Not reachable: there are as many shards as a byte has values.
            None => Shard {
                last: Arc::new(AtomicU64::new(u64::MAX)),
                place: 0,
            },
        }
    }

    /// The place of the subject's shard among all.
    fn number(&self, subject: &Subject) -> u8 {
        let tag = hmac::sign(&self.key, subject.as_str().as_bytes());
        tag.as_ref().first().copied().unwrap_or_default()
    }

    /// To be read before the store.
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.issued.load(Ordering::Acquire))
    }

    /// Makes everything loaded so far for this group of subjects stale, here and on other nodes.
    pub(crate) fn advance(&self, shard: &Shard) {
        self.advance_here(shard);
        if let Some(outbox) = self.outbox.get() {
            // Nobody reads it any more when the program ends.
            let _ = outbox.send(shard.place);
        }
    }

    fn advance_here(&self, shard: &Shard) {
        let number = self.issued.fetch_add(1, Ordering::AcqRel) + 1;
        shard.last.fetch_max(number, Ordering::AcqRel);
    }

    /// The shard of this place was advanced on another node.
    pub(super) fn hear(&self, place: u8) {
        if let Some(shard) = self.shards.get(usize::from(place)) {
            self.advance_here(shard);
        }
    }

    /// Every shard may have been advanced on another node.
    pub(super) fn hear_all(&self) {
        self.shards
            .iter()
            .for_each(|shard| self.advance_here(shard));
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

    fn epochs() -> Epochs {
        Epochs::of(&[7; 32])
    }

    #[test]
    fn rf_3_an_epoch_read_before_a_revocation_does_not_hold_after_it() {
        let epochs = epochs();
        let shard = epochs.shard(&Subject::new("ada"));
        let before = epochs.now();
        assert!(shard.holds(before));
        epochs.advance(&shard);
        assert!(!shard.holds(before));
        assert!(shard.holds(epochs.now()));
    }

    #[test]
    fn rf_3_a_revocation_is_not_undone_by_an_older_one_that_finishes_later() {
        let epochs = epochs();
        let (one, other) = (Shard::new(0), Shard::new(1));
        epochs.advance(&other);
        let between = epochs.now();
        epochs.advance(&one);
        epochs.advance(&other);
        assert!(!one.holds(between));
        assert!(!other.holds(between));
        assert!(Shard::new(2).holds(between));
    }

    #[test]
    fn sd_14_what_is_changing_is_stale_when_the_change_is_over() {
        let epochs = Arc::new(epochs());
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

    #[test]
    fn rf_4_the_same_key_gives_the_same_shards_and_another_key_does_not() {
        let places = |key: u8| {
            let epochs = Epochs::of(&[key; 32]);
            let subjects = (0..64).map(Subject::new);
            let places = subjects.map(|subject| epochs.number(&subject));
            places.collect::<Vec<_>>()
        };
        assert_eq!(places(1), places(1));
        assert_ne!(places(1), places(2));
    }

    #[test]
    fn rf_4_other_nodes_are_told_of_what_began_here_only() {
        let epochs = epochs();
        let before = epochs.now();
        let ada = epochs.shard(&Subject::new("ada"));
        let mut told = epochs.told();
        epochs.hear(ada.place);
        epochs.hear_all();
        assert!(!ada.holds(before));
        assert!(told.try_recv().is_err());
        epochs.advance(&ada);
        assert_eq!(told.try_recv(), Ok(ada.place));
    }
}
