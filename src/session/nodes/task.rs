//! The task that sends and receives notices of other nodes. It ends with its sessions.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use super::notice::{Announcement, Heard, NodeId, Notice, NotifiedGroups, Ring};
use super::seal::Seal;
use super::senders::Senders;
use super::{ChannelError, NodeChannel, NodeListener, Nodes};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::session::epoch::{Advanced, Epochs};
use crate::token::KeyRing;
use crate::token::key::fill_random;

/// The timeout of a step of the channel.
const PATIENCE: Duration = Duration::from_secs(2);
/// The maximum pause before a lost channel is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// The number of heartbeats per bound.
const HEARTBEATS: u32 = 4;
/// The maximum number of heartbeats in flight; beyond it, the oldest is dropped.
const UNDERWAY: usize = 64;
/// The minimum interval between heartbeats.
const SHORTEST: Duration = Duration::from_millis(10);

/// Starts the task.
///
/// # Errors
///
/// [`Error::is_configuration`] outside of a runtime.
pub(in crate::session) fn start(
    channel: Arc<dyn NodeChannel>,
    clock: Arc<dyn Clock>,
    ring: &KeyRing,
    epochs: &Arc<Epochs>,
    bound: TimeDelta,
    connected_bound: TimeDelta,
) -> Result<Arc<Nodes>> {
    let Ok(runtime) = Handle::try_current() else {
        return Err(Error::configuration(
            "sessions of several nodes need a tokio runtime: call `build` inside one, for instance in an async `main`",
        ));
    };
    let mut id = [0; 16];
    fill_random(&mut id)?;
    let nodes = Arc::new(Nodes::new(clock.now(), bound, connected_bound));
    let bound = bound.to_std().unwrap_or_default();
    let speaker = Speaker {
        channel,
        clock,
        told: epochs.told(),
        ring: Ring(
            epochs
                .keys()
                .into_iter()
                .zip(Seal::of_ring(ring)?)
                .collect(),
        ),
        epochs: Arc::downgrade(epochs),
        nodes: Arc::clone(&nodes),
        id: NodeId(u128::from_be_bytes(id)),
        heartbeat: (bound / HEARTBEATS).max(SHORTEST),
        senders: Senders::default(),
        pending: NotifiedGroups::default(),
        sent: BTreeMap::new(),
        notices: 0,
        beats: 0,
        unread_at: None,
    };
    drop(runtime.spawn(speaker.run()));
    Ok(nodes)
}

struct Speaker {
    channel: Arc<dyn NodeChannel>,
    clock: Arc<dyn Clock>,
    /// The queue of local revocations. It ends with the sessions.
    told: UnboundedReceiver<Advanced>,
    /// The keys of this node's ring.
    ring: Ring,
    epochs: Weak<Epochs>,
    nodes: Arc<Nodes>,
    id: NodeId,
    heartbeat: Duration,
    senders: Senders,
    /// The groups that were advanced here and are not published yet.
    pending: NotifiedGroups,
    /// The heartbeats that have not returned yet, and when each was sent.
    sent: BTreeMap<u64, DateTime<Utc>>,
    /// The number of notices that were sent.
    notices: u64,
    beats: u64,
    /// The time of the last message that this node did not understand.
    unread_at: Option<DateTime<Utc>>,
}

/// The reason for which the task stopped listening.
enum Stop {
    /// The sessions were dropped.
    Ended,
    Lost,
}

impl From<ChannelError> for Stop {
    fn from(_: ChannelError) -> Self {
        Self::Lost
    }
}

impl Speaker {
    async fn run(mut self) {
        loop {
            let stop = match in_time(self.channel.listen()).await {
                Ok(listener) => self.listen(listener).await,
                Err(ChannelError) => Stop::Lost,
            };
            match stop {
                Stop::Ended => return,
                Stop::Lost => self.nodes.lost(self.clock.now()),
            }
            if let Stop::Ended = self.wait().await {
                return;
            }
        }
    }

    /// Waits until the channel is to be tried again, and collects revocations meanwhile.
    async fn wait(&mut self) -> Stop {
        let wait = tokio::time::sleep(self.heartbeat.min(PAUSE));
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return Stop::Lost,
                advanced = self.told.recv() => match advanced {
                    Some(advanced) => self.pending.add(advanced),
                    None => return Stop::Ended,
                },
            }
        }
    }

    async fn listen(&mut self, mut listener: Box<dyn NodeListener>) -> Stop {
        // Notices sent while this node was not listening are lost.
        match self.epochs.upgrade() {
            Some(epochs) => epochs.hear_all(),
            None => return Stop::Ended,
        }
        // Heartbeats of an earlier connection prove nothing about this one.
        self.sent.clear();
        let mut last_heard = self.clock.now();
        let mut beat = tokio::time::interval(self.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                text = listener.next() => text.map_err(Stop::from).and_then(|text| {
                    self.hear(&text, &mut last_heard)
                }),
                advanced = self.told.recv() => self.tell(advanced).await,
                _ = beat.tick() => self.beat(last_heard).await,
            };
            if let Err(stop) = step {
                return stop;
            }
        }
    }

    fn hear(&mut self, text: &str, last_heard: &mut DateTime<Utc>) -> Result<(), Stop> {
        let Some(Heard { notice, key, place }) = Heard::read(text, &self.ring) else {
            self.unread();
            return Ok(());
        };
        let Notice { from, number, told } = notice;
        if !self.senders.is_new(from, number) {
            return Ok(());
        }
        if from == self.id {
            if let Announcement::Heartbeat(number) = told
                && let Some(sent_at) = self.sent.remove(&number)
            {
                self.sent.retain(|later, _| *later > number);
                *last_heard = sent_at;
                self.nodes.heard(sent_at);
            }
            return Ok(());
        }
        if let Announcement::Advanced(groups) = told {
            let epochs = self.epochs.upgrade().ok_or(Stop::Ended)?;
            match groups {
                NotifiedGroups::All => epochs.hear_all(),
                NotifiedGroups::Some(of_keys) => of_keys
                    .get(place)
                    .into_iter()
                    .flatten()
                    .for_each(|place| epochs.hear(key, *place)),
            }
        }
        Ok(())
    }

    /// Records a message that this node does not understand. It may be of a revocation, by a node that shares
    /// no key with this one; or somebody forged it, whose only effect may be that cached answers are trusted
    /// for the cache bound alone (decision 67).
    fn unread(&mut self) {
        let now = self.clock.now();
        self.unread_at = Some(now);
        self.nodes.unread(now);
    }

    /// Trusts the channel again, for answers loaded from now on, once a bound has passed without such a
    /// message: a node that sends them would have sent another by then.
    fn forget_unread(&mut self, now: DateTime<Utc>) {
        let Some(unread_at) = self.unread_at else {
            return;
        };
        let silence = now.signed_duration_since(unread_at).num_microseconds();
        if silence.is_none_or(|silence| silence >= self.nodes.bound) {
            self.unread_at = None;
            self.nodes.read();
        }
    }

    /// Publishes this revocation, and all that were queued meanwhile.
    async fn tell(&mut self, advanced: Option<Advanced>) -> Result<(), Stop> {
        let goes_on = advanced.is_some();
        advanced.into_iter().for_each(|it| self.pending.add(it));
        while let Ok(advanced) = self.told.try_recv() {
            self.pending.add(advanced);
        }
        self.publish_pending().await?;
        // The queue is closed when the sessions are dropped.
        if goes_on { Ok(()) } else { Err(Stop::Ended) }
    }

    async fn publish_pending(&mut self) -> Result<(), Stop> {
        if !self.pending.is_empty() {
            let groups = self.pending.clone();
            self.publish(Announcement::Advanced(groups)).await?;
            self.pending = NotifiedGroups::default();
        }
        Ok(())
    }

    /// Sends a heartbeat, unless the last one that returned is too long ago.
    async fn beat(&mut self, last_heard: DateTime<Utc>) -> Result<(), Stop> {
        let now = self.clock.now();
        let silence = now.signed_duration_since(last_heard).num_microseconds();
        if silence.is_none_or(|silence| silence >= self.nodes.bound) {
            return Err(Stop::Lost);
        }
        self.forget_unread(now);
        self.publish_pending().await?;
        self.beats += 1;
        self.sent.insert(self.beats, now);
        if self.sent.len() > UNDERWAY {
            self.sent.pop_first();
        }
        self.publish(Announcement::Heartbeat(self.beats)).await
    }

    async fn publish(&mut self, told: Announcement) -> Result<(), Stop> {
        // Each attempt gets a new number: the outcome of the last one is unknown.
        self.notices += 1;
        let notice = Notice {
            from: self.id,
            number: self.notices,
            told,
        };
        let notice = notice.sealed(&self.ring);
        Ok(in_time(self.channel.publish(&notice)).await?)
    }
}

async fn in_time<T>(
    step: impl Future<Output = Result<T, ChannelError>>,
) -> Result<T, ChannelError> {
    let done = tokio::time::timeout(PATIENCE, step).await;
    done.unwrap_or(Err(ChannelError))
}
