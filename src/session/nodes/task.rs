//! The task that speaks to the other nodes. It ends with the sessions that it works for.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use super::notice::{NodeId, Notice, Told};
use super::{ChannelError, NodeChannel, NodeListener, Nodes};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::session::epoch::Epochs;
use crate::session::key::fill_random;

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
        epochs: Arc::downgrade(epochs),
        nodes: Arc::clone(&nodes),
        id: NodeId(u128::from_be_bytes(id)),
        heartbeat: (bound / HEARTBEATS).max(SHORTEST),
        pending: BTreeSet::new(),
        sent: BTreeMap::new(),
        beats: 0,
    };
    drop(runtime.spawn(speaker.run()));
    Ok(nodes)
}

struct Speaker {
    channel: Arc<dyn NodeChannel>,
    clock: Arc<dyn Clock>,
    /// The places of shards that were advanced here. It ends with the sessions.
    told: UnboundedReceiver<u8>,
    epochs: Weak<Epochs>,
    nodes: Arc<Nodes>,
    id: NodeId,
    heartbeat: Duration,
    /// What the others do not know yet.
    pending: BTreeSet<u8>,
    /// The heartbeats that did not come back yet, and when each was sent.
    sent: BTreeMap<u64, DateTime<Utc>>,
    beats: u64,
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
                place = self.told.recv() => match place {
                    Some(place) => drop(self.pending.insert(place)),
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
                place = self.told.recv() => self.tell(place).await,
                _ = beat.tick() => self.beat(last_heard).await,
            };
            if let Err(stop) = step {
                return stop;
            }
        }
    }

    fn hear(&mut self, text: &str, last_heard: &mut DateTime<Utc>) -> Result<(), Stop> {
        let Some(Notice { from, told }) = Notice::read(text) else {
            return Ok(());
        };
        match told {
            Told::Heartbeat(number) if from == self.id => {
                if let Some(sent_at) = self.sent.remove(&number) {
                    self.sent.retain(|later, _| *later > number);
                    *last_heard = sent_at;
                    self.nodes.heard(sent_at);
                }
            }
            Told::Advanced(places) if from != self.id => {
                let epochs = self.epochs.upgrade().ok_or(Stop::Ended)?;
                places.iter().for_each(|place| epochs.hear(*place));
            }
            Told::Heartbeat(_) | Told::Advanced(_) => {}
        }
        Ok(())
    }

    /// Tells the others of a shard, and of all that were advanced meanwhile.
    async fn tell(&mut self, place: Option<u8>) -> Result<(), Stop> {
        self.pending.extend(place);
        while let Ok(place) = self.told.try_recv() {
            self.pending.insert(place);
        }
        self.publish_pending().await?;
        // The sessions are gone when nothing will come any more.
        place.map(|_| ()).ok_or(Stop::Ended)
    }

    async fn publish_pending(&mut self) -> Result<(), Stop> {
        if !self.pending.is_empty() {
            let places = self.pending.clone();
            self.publish(Told::Advanced(places)).await?;
            self.pending.clear();
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
        self.publish_pending().await?;
        self.beats += 1;
        self.sent.insert(self.beats, now);
        if self.sent.len() > UNDERWAY {
            self.sent.pop_first();
        }
        self.publish(Told::Heartbeat(self.beats)).await
    }

    async fn publish(&self, told: Told) -> Result<(), Stop> {
        let notice = Notice {
            from: self.id,
            told,
        };
        let notice = notice.to_string();
        Ok(in_time(self.channel.publish(&notice)).await?)
    }
}

async fn in_time<T>(
    step: impl Future<Output = Result<T, ChannelError>>,
) -> Result<T, ChannelError> {
    let done = tokio::time::timeout(PATIENCE, step).await;
    done.unwrap_or(Err(ChannelError))
}
