//! The task that speaks to the other nodes. It ends with the sessions that it works for.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use super::notice::{Groups, Heard, NodeId, Notice, Ring, Told};
use super::seal::Seal;
use super::senders::Senders;
use super::{ChannelError, NodeChannel, NodeListener, Nodes};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::session::epoch::{Advanced, Epochs};
use crate::token::KeyRing;
use crate::token::key::fill_random;

/// How long a step of the channel may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a channel that was lost is left alone at most.
const PAUSE: Duration = Duration::from_secs(1);
/// How many heartbeats in a bound.
const HEARTBEATS: u32 = 4;
/// How many heartbeats may be on their way; the oldest is forgotten for one more.
const UNDERWAY: usize = 64;
/// No heartbeat comes sooner after the one before it.
const SHORTEST: Duration = Duration::from_millis(10);

/// Starts it.
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
        pending: Groups::default(),
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
    /// What was advanced here. It ends with the sessions.
    told: UnboundedReceiver<Advanced>,
    /// The keys of this node's ring.
    ring: Ring,
    epochs: Weak<Epochs>,
    nodes: Arc<Nodes>,
    id: NodeId,
    heartbeat: Duration,
    senders: Senders,
    /// What the others do not know yet.
    pending: Groups,
    /// The heartbeats that did not come back yet, and when each was sent.
    sent: BTreeMap<u64, DateTime<Utc>>,
    /// The number of notices that were sent.
    notices: u64,
    beats: u64,
    /// When something was heard last that this node does not understand.
    unread_at: Option<DateTime<Utc>>,
}

/// Why it stopped to listen.
enum Stop {
    /// There are no sessions any more.
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

    /// Until the channel is tried again.
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
        // What was said while nobody listened is not known.
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
            if let Told::Heartbeat(number) = told
                && let Some(sent_at) = self.sent.remove(&number)
            {
                self.sent.retain(|later, _| *later > number);
                *last_heard = sent_at;
                self.nodes.heard(sent_at);
            }
            return Ok(());
        }
        if let Told::Advanced(groups) = told {
            let epochs = self.epochs.upgrade().ok_or(Stop::Ended)?;
            match groups {
                Groups::All => epochs.hear_all(),
                Groups::Some(of_keys) => of_keys
                    .get(place)
                    .into_iter()
                    .flatten()
                    .for_each(|place| epochs.hear(key, *place)),
            }
        }
        Ok(())
    }

    /// Something was said that this node does not understand. It may be of a revocation, by a node that
    /// shares no key with this one; or somebody made it up, which no more may come of than that what is
    /// cached is trusted for the bound alone.
    fn unread(&mut self) {
        let now = self.clock.now();
        self.unread_at = Some(now);
        self.nodes.unread(now);
    }

    /// Whoever says what this node does not understand would have done so again: the channel is trusted
    /// again, for what is loaded from now on.
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

    /// Tells the others of what was advanced, and of all that was meanwhile.
    async fn tell(&mut self, advanced: Option<Advanced>) -> Result<(), Stop> {
        let goes_on = advanced.is_some();
        advanced.into_iter().for_each(|it| self.pending.add(it));
        while let Ok(advanced) = self.told.try_recv() {
            self.pending.add(advanced);
        }
        self.publish_pending().await?;
        // The sessions are gone when nothing will come any more.
        if goes_on { Ok(()) } else { Err(Stop::Ended) }
    }

    async fn publish_pending(&mut self) -> Result<(), Stop> {
        if !self.pending.is_empty() {
            let groups = self.pending.clone();
            self.publish(Told::Advanced(groups)).await?;
            self.pending = Groups::default();
        }
        Ok(())
    }

    /// Sends a heartbeat, unless the last one that came back is too long ago.
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
        self.publish(Told::Heartbeat(self.beats)).await
    }

    async fn publish(&mut self, told: Told) -> Result<(), Stop> {
        // One more for each attempt: what came of the last one is not known.
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
