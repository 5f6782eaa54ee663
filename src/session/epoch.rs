//! Revocation epochs: they make cached sessions stale at once on this node, and are published to others
//! (decision 10).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use siphasher::sip::SipHasher24;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::Result;
use crate::token::key::Key;
use crate::token::{KeyRing, OfRing};
use crate::viewer::Subject;

const PURPOSE: &str = "node notice groups";
const ID_PURPOSE: &str = "node notice groups id";

/// The counters of revocations: one in total, and for each group of subjects the number of its last one.
///
/// A load records the total *before* it reads the store. Its result holds as long as its subject's shard has
/// no later number. Subjects that share a shard with a revoked one are merely reloaded.
///
/// Each key of the ring assigns subjects to groups of its own, so that nodes with different sealing keys
/// understand each other's notices while they share one key (decision 57).
///
/// INVARIANT (epoch): a revocation advances after the store has deleted the session, and a load reads the
/// epoch before the store. So a load either does not see the session, or carries an epoch older than its
/// revocation.
///
/// An epoch that does not hold proves nothing about one session: others of its shard may have ended, or
/// somebody forged a notice. A caller that meets that repeatedly queries the store alone (decision 58).
#[derive(Debug)]
pub(crate) struct Epochs {
    issued: AtomicU64,
    /// The groups of each key. Local revocations advance the groups of the sealing key; notices of other
    /// nodes advance those of the key that they name.
    sortings: OfRing<Sorting>,
    /// The queue of local revocations, to be published to other nodes.
    outbox: OnceLock<UnboundedSender<Advanced>>,
}

/// The groups into which one key sorts subjects: the same on every node that has the key, and unknown to
/// others.
#[derive(Debug)]
struct Sorting {
    id: KeyId,
    key: SipHasher24,
    groups: Box<[Arc<Group>]>,
}

/// The derived id of a key that sorts. The key cannot be recovered from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(pub(super) u64);

/// A group of subjects, with the number of its last revocation.
#[derive(Debug)]
struct Group {
    last: AtomicU64,
    /// The index of the group among those of its key.
    place: u8,
}

/// The groups that one subject belongs to, one for each key.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    sealing: Arc<Group>,
    retired: Box<[Arc<Group>]>,
}

/// The indices of a subject's groups, that of the sealing key first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Places(pub(super) Box<[u8]>);

/// The groups that a revocation advanced.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advanced {
    One(Places),
    All,
}

/// The number of revocations issued when a load began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch(u64);

impl Group {
    fn new(place: u8) -> Arc<Self> {
        let last = AtomicU64::new(0);
        Arc::new(Self { last, place })
    }

    #[inline]
    fn holds(&self, epoch: Epoch) -> bool {
        self.last.load(Ordering::Acquire) <= epoch.0
    }
}

impl Shard {
    /// Returns whether no revocation came after `epoch` for this group of subjects.
    #[inline]
    pub(crate) fn holds(&self, epoch: Epoch) -> bool {
        self.sealing.holds(epoch) && self.retired.iter().all(|group| group.holds(epoch))
    }

    fn places(&self) -> Places {
        let groups = std::iter::once(&self.sealing).chain(&self.retired);
        Places(groups.map(|group| group.place).collect())
    }
}

impl Sorting {
    fn new(key: &Key) -> Result<Self> {
        let id = key.derive(ID_PURPOSE)?;
        let id = id.first_chunk().copied().unwrap_or_default();
        let sorting = key.derive(PURPOSE)?;
        let sorting = sorting.first_chunk().copied().unwrap_or_default();
        Ok(Self::of(u64::from_be_bytes(id), &sorting))
    }

    fn of(id: u64, key: &[u8; 16]) -> Self {
        Self {
            id: KeyId(id),
            key: SipHasher24::new_with_key(key),
            groups: (0..=u8::MAX).map(Group::new).collect(),
        }
    }

    /// Returns the index of the subject's group.
    fn place(&self, subject: &Subject) -> u8 {
        // Keyed, so that nobody finds out whom to end for another's sake; a byte of it proves nothing, so that
        // the cost of an HMAC would buy nothing (decision 79).
        let hash = self.key.hash(subject.as_str().as_bytes());
        let [place, ..] = hash.to_be_bytes();
        place
    }

    fn group(&self, place: u8) -> Option<&Arc<Group>> {
        self.groups.get(usize::from(place))
    }

    fn group_of(&self, subject: &Subject) -> Arc<Group> {
        match self.group(self.place(subject)) {
            Some(group) => Arc::clone(group),
            // Not reachable: there are as many groups as a byte has values.
            None => Arc::new(Group {
                last: AtomicU64::new(u64::MAX),
                place: 0,
            }),
        }
    }
}

impl Epochs {
    pub(crate) fn new(ring: &KeyRing) -> Result<Self> {
        Ok(Self::of(ring.derived(Sorting::new)?))
    }

    /// Builds the epochs of one viewer in a test.
    #[cfg(feature = "testing")]
    pub(crate) fn alone() -> Self {
        Self::of(OfRing {
            sealing: Sorting::of(0, &[0; 16]),
            retired: Box::default(),
        })
    }

    fn of(sortings: OfRing<Sorting>) -> Self {
        Self {
            issued: AtomicU64::new(0),
            sortings,
            outbox: OnceLock::new(),
        }
    }

    /// Returns the ids of the keys that sort, in the order of [`Places`].
    pub(super) fn keys(&self) -> Vec<KeyId> {
        self.sortings.all().map(|sorting| sorting.id).collect()
    }

    /// Returns the queue of revocations that are issued here from now on, for one reader. It ends with the
    /// epochs.
    pub(super) fn told(&self) -> UnboundedReceiver<Advanced> {
        let (sender, receiver) = unbounded_channel();
        let _second = self.outbox.set(sender);
        receiver
    }

    pub(crate) fn shard(&self, subject: &Subject) -> Shard {
        let OfRing { sealing, retired } = &self.sortings;
        let retired = retired.iter();
        Shard {
            sealing: sealing.group_of(subject),
            retired: retired.map(|sorting| sorting.group_of(subject)).collect(),
        }
    }

    fn places(&self, subject: &Subject) -> Places {
        let places = self.sortings.all().map(|sorting| sorting.place(subject));
        Places(places.collect())
    }

    /// Returns the current epoch. INVARIANT (epoch): read it before the store.
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.issued.load(Ordering::Acquire))
    }

    /// Makes everything loaded so far for this group of subjects stale, here and on other nodes.
    pub(crate) fn advance(&self, shard: &Shard) {
        self.advance_here(&shard.sealing);
        self.tell(Advanced::One(shard.places()));
    }

    fn advance_places(&self, places: Places) {
        let group = |place: &u8| self.sortings.sealing.group(*place);
        if let Some(group) = places.0.first().and_then(group) {
            self.advance_here(group);
            self.tell(Advanced::One(places));
        }
    }

    fn advance_all(&self) {
        self.hear_all();
        self.tell(Advanced::All);
    }

    fn tell(&self, advanced: Advanced) {
        if let Some(outbox) = self.outbox.get() {
            // The queue has no reader once the program ends.
            let _ = outbox.send(advanced);
        }
    }

    fn advance_here(&self, group: &Group) {
        let number = self.issued.fetch_add(1, Ordering::AcqRel) + 1;
        group.last.fetch_max(number, Ordering::AcqRel);
    }

    /// Advances a group that another node advanced, given by its index among those of a key.
    pub(super) fn hear(&self, key: KeyId, place: u8) {
        let sorting = self.sortings.all().find(|sorting| sorting.id == key);
        if let Some(group) = sorting.and_then(|sorting| sorting.group(place)) {
            self.advance_here(group);
        }
    }

    /// Advances every group, since any may have been advanced on another node.
    pub(super) fn hear_all(&self) {
        // The sealing key's groups suffice: every subject is in one of them.
        self.sortings
            .sealing
            .groups
            .iter()
            .for_each(|group| self.advance_here(group));
    }

    /// Returns a guard that advances the epoch when dropped, so that a revocation counts even if its caller
    /// is cancelled while the store is answering.
    pub(crate) fn advance_on_drop(&self, subject: &Subject) -> AdvanceOnDrop<'_> {
        AdvanceOnDrop {
            epochs: self,
            shard: Some(self.shard(subject)),
        }
    }
}

pub(crate) struct AdvanceOnDrop<'a> {
    epochs: &'a Epochs,
    shard: Option<Shard>,
}

impl AdvanceOnDrop<'_> {
    /// Cancels the advance: the store reported that nothing ended, and the others in the shard keep their
    /// cache entries.
    pub(crate) fn forget(mut self) {
        self.shard = None;
    }
}

impl Drop for AdvanceOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(shard) = &self.shard {
            self.epochs.advance(shard);
        }
    }
}

/// A guard over viewers whose rows are being written. When dropped, however the write ended, everything
/// loaded of them so far is stale.
#[derive(Clone)]
pub(crate) struct Changing {
    epochs: Arc<Epochs>,
    whom: Whom,
}

#[derive(Clone)]
enum Whom {
    /// The subjects in these groups.
    Some(BTreeSet<Places>),
    Everybody,
}

impl Changing {
    pub(crate) const fn nobody(epochs: Arc<Epochs>) -> Self {
        Self {
            epochs,
            whom: Whom::Some(BTreeSet::new()),
        }
    }

    pub(crate) const fn everybody(epochs: Arc<Epochs>) -> Self {
        Self {
            epochs,
            whom: Whom::Everybody,
        }
    }

    pub(crate) fn add(&mut self, subject: &Subject) {
        match &mut self.whom {
            Whom::Some(places) => drop(places.insert(self.epochs.places(subject))),
            Whom::Everybody => {}
        }
    }

    /// Cancels the guard: no row was written.
    pub(crate) fn forget(&mut self) {
        self.whom = Whom::Some(BTreeSet::new());
    }

    /// Returns whether both guard viewers of the same sessions.
    fn goes_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.epochs, &other.epochs)
    }

    /// Takes over the other guard's viewers.
    fn join(&mut self, mut other: Self) {
        match (
            &mut self.whom,
            std::mem::replace(&mut other.whom, Whom::Some(BTreeSet::new())),
        ) {
            (Whom::Some(places), Whom::Some(mut others)) => places.append(&mut others),
            (Whom::Some(_), Whom::Everybody) => self.whom = Whom::Everybody,
            (Whom::Everybody, _) => {}
        }
    }
}

/// The viewers whose rows one transaction changes, which stay guarded until it ends. A viewer that is loaded
/// before the commit has the row as it was, and must not stay cached.
#[derive(Default)]
pub(crate) struct ChangingTogether(Vec<Changing>);

impl ChangingTogether {
    pub(crate) fn add(&mut self, viewers: Changing) {
        match self.0.iter_mut().find(|known| known.goes_with(&viewers)) {
            Some(known) => known.join(viewers),
            None => self.0.push(viewers),
        }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.whom, Whom::Some(BTreeSet::new())) {
            Whom::Some(places) => places
                .into_iter()
                .for_each(|places| self.epochs.advance_places(places)),
            Whom::Everybody => self.epochs.advance_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> Epochs {
        of(7, &[])
    }

    fn of(sealing: u8, retired: &[u8]) -> Epochs {
        let sorting = |key: &u8| Sorting::of((*key).into(), &[*key; 16]);
        Epochs::of(OfRing {
            sealing: sorting(&sealing),
            retired: retired.iter().map(sorting).collect(),
        })
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
        let (one, other) = (Group::new(0), Group::new(1));
        epochs.advance_here(&other);
        let between = epochs.now();
        epochs.advance_here(&one);
        epochs.advance_here(&other);
        assert!(!one.holds(between));
        assert!(!other.holds(between));
        assert!(Group::new(2).holds(between));
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
        let mut groups = epochs.sortings.sealing.groups.iter();
        assert!(groups.all(|group| !group.holds(before)));
    }

    #[test]
    fn rf_4_the_same_key_gives_the_same_shards_and_another_key_does_not() {
        let places = |key: u8| {
            let sorting = Sorting::of(0, &[key; 16]);
            let subjects = (0..64).map(Subject::new);
            let places = subjects.map(|subject| sorting.place(&subject));
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
        epochs.hear(KeyId(8), ada.sealing.place);
        assert!(ada.holds(before), "a key that this node does not have");
        epochs.hear(KeyId(7), ada.sealing.place);
        assert!(!ada.holds(before));
        epochs.hear_all();
        assert!(told.try_recv().is_err());
        epochs.advance(&ada);
        assert_eq!(told.try_recv(), Ok(Advanced::One(ada.places())));
        drop(Changing::everybody(Arc::new(epochs)));
        assert_eq!(told.try_recv(), Ok(Advanced::All));
    }

    #[test]
    fn rf_36_what_is_told_by_any_key_of_the_ring_is_heard() {
        let (here, there) = (of(1, &[2]), of(2, &[3]));
        let ada = Subject::new("ada");
        let before = here.now();
        let shard = here.shard(&ada);
        let Places(places) = there.shard(&ada).places();
        here.hear(KeyId(3), places[1]);
        assert!(shard.holds(before));
        here.hear(KeyId(2), places[0]);
        assert!(!shard.holds(before));
        assert!(here.shard(&ada).holds(here.now()));
    }
}
