//! Several nodes of one application: revocations and changes on one reach the others' caches at once.
//!
//! Without a channel a node notices one when its cache entry is older than
//! [`cache_bound`](super::SessionsBuilder::cache_bound). With one it receives a notice.
//!
//! The table gives the maximum age of the answer that a *verified* session on another node rests on, where
//! `B` is the cache bound, 5 seconds by default, and `C` is
//! [`connected_bound`](super::SessionsBuilder::connected_bound), which is `B` unless it is set:
//!
//! | channel | connected | broken or not understood, and noticed | broken, not yet noticed |
//! |---|---|---|---|
//! | none | – | `B` | – |
//! | PostgreSQL, Redis | propagation delay (at most `C` if a message is lost) | `B` | `B` |
//!
//! The *propagation delay* is a transaction of one statement and a message on PostgreSQL, and a message on
//! Redis: some milliseconds.
//!
//! - A notice names which of 256 groups of subjects must be reloaded. Only a holder of the application's
//!   [`Key`](super::Key) can tell which subject is in which group, and only a holder can make a notice: each
//!   is sealed under every key of the sender's ring, and numbered against replay. A node accepts a recorded
//!   notice at most once, if it started after the node that sent it had ended.
//! - A notice names the groups by every key of the sender's [ring](crate::token::KeyRing), so that two nodes
//!   understand each other while they share a key, whichever of theirs seals. A node that receives a notice
//!   or heartbeat that it does not understand drops it, falls back to `B` and [reports
//!   so](ChannelHealth::Unread), once. When it has received no more of them for `B`, it uses `C` again, for
//!   what it loaded since. It cannot distinguish a node of another ring from a stranger who writes to the
//!   channel without a key, so this is all that such a stranger can cause: where `C` is longer than `B`, the
//!   cost of `B` alone, and otherwise nothing.
//! - A node sends a heartbeat every quarter of `B` and receives its own. Both PostgreSQL and Redis deliver to
//!   one listener in one order, so a node that receives its own heartbeat has received every notice that was
//!   sent before it. `C` applies only while that was less than `B` ago.
//! - A node that lost the channel drops its whole cache when the channel is back.
//! - **What `C` costs.** A node that ended a session and cannot reach the channel notifies the others when it
//!   can. They do not know that, and may use the session for up to `C`. Where that is not acceptable, leave
//!   `C` as it is: then a channel only makes things quicker.
//!
//! Both losing and regaining a channel are events of the target `clearance::nodes`, and
//! [`Sessions::health`](super::Sessions::health) returns the state for a probe.

mod notice;
#[cfg(feature = "redis")]
mod redis;
mod seal;
mod senders;
mod task;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

#[cfg(feature = "redis")]
pub use self::redis::RedisChannel;
pub(super) use task::start;

use super::Sessions;
use crate::events;
use crate::viewer::Viewer;

/// A broadcast channel of short texts from each node to all nodes.
///
/// Each listener must receive the texts in the order in which they were sent, by all senders; a node's own
/// heartbeat proves something only because of that. Texts may be lost only together with the listener.
#[async_trait]
pub trait NodeChannel: Send + Sync + 'static {
    /// Sends `notice` to all nodes that listen, this one too.
    ///
    /// # Errors
    ///
    /// When the notice may not have been sent.
    async fn publish(&self, notice: &str) -> Result<(), ChannelError>;

    /// Listens to the notices sent from now on.
    ///
    /// # Errors
    ///
    /// When the node is not listening.
    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError>;
}

/// A listener on a [`NodeChannel`].
#[async_trait]
pub trait NodeListener: Send {
    /// Returns the next text. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// When texts may have been lost. It is not called again after that.
    async fn next(&mut self) -> Result<String, ChannelError>;
}

/// The error of a broken channel between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, thiserror::Error)]
#[error("the channel between nodes is broken")]
#[non_exhaustive]
pub struct ChannelError;

impl ChannelError {
    /// Builds the error, which has no details.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The health of this node's sessions, for a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The state of the channel to the other nodes.
    pub channel: ChannelHealth,
    /// The current maximum age of the cached answer that a verified session rests on.
    pub bound: Duration,
}

/// The state of a node's channel to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelHealth {
    /// There is no channel: changes on other nodes take effect within the bound.
    None,
    /// The node has received everything that was sent up to `heard_at`.
    Connected {
        /// The time at which the last returned heartbeat was sent.
        heard_at: DateTime<Utc>,
    },
    /// The node receives messages that it does not understand, and falls back to the bound: from a node whose
    /// ring shares no key with this one's, one of another version of this library, or a stranger on the
    /// channel.
    Unread {
        /// The time of the first such message.
        since: DateTime<Utc>,
    },
    /// The node receives nothing, and falls back to the bound.
    Lost {
        /// The time of the loss; that of the start if it was never connected.
        since: DateTime<Utc>,
    },
}

const STARTING: u8 = 0;
const CONNECTED: u8 = 1;
const LOST: u8 = 2;

/// The state of this node's channel.
pub(crate) struct Nodes {
    state: AtomicU8,
    /// The instant that belongs to the state, in microseconds since 1970.
    at: AtomicI64,
    /// Set while messages arrive that this node does not understand.
    is_unread: AtomicBool,
    /// The instant of the first of them, in microseconds since 1970.
    unread_since: AtomicI64,
    /// The instant of the last of them, in microseconds since 1970.
    unread_until: AtomicI64,
    /// The cache bound, in microseconds.
    bound: i64,
    connected_bound: i64,
}

impl Nodes {
    fn new(now: DateTime<Utc>, bound: TimeDelta, connected_bound: TimeDelta) -> Self {
        let micros = |delta: TimeDelta| delta.num_microseconds().unwrap_or_default();
        Self {
            state: AtomicU8::new(STARTING),
            at: AtomicI64::new(now.timestamp_micros()),
            is_unread: AtomicBool::new(false),
            unread_since: AtomicI64::new(0),
            unread_until: AtomicI64::new(i64::MIN),
            bound: micros(bound),
            connected_bound: micros(connected_bound),
        }
    }

    /// Returns the maximum age at `now` of an answer whose load began at `asked_at`, in microseconds.
    pub(crate) fn bound_at(&self, now: DateTime<Utc>, asked_at: i64) -> i64 {
        // The instant is read first: if it belongs to an earlier state, it is not later than that state.
        let heard_at = self.at.load(Ordering::Acquire);
        let is_connected = self.state.load(Ordering::Acquire) == CONNECTED;
        let understands = !self.is_unread.load(Ordering::Acquire)
            && asked_at > self.unread_until.load(Ordering::Acquire);
        let silence = now.timestamp_micros().saturating_sub(heard_at);
        if is_connected && understands && (0..self.bound).contains(&silence) {
            self.connected_bound
        } else {
            self.bound
        }
    }

    fn heard(&self, sent_at: DateTime<Utc>) {
        self.at.store(sent_at.timestamp_micros(), Ordering::Release);
        if self.state.swap(CONNECTED, Ordering::AcqRel) != CONNECTED {
            events::channel_connected();
        }
    }

    fn lost(&self, now: DateTime<Utc>) {
        if self.state.swap(LOST, Ordering::AcqRel) != LOST {
            self.at.store(now.timestamp_micros(), Ordering::Release);
            events::channel_lost();
        }
    }

    fn unread(&self, now: DateTime<Utc>) {
        let until = now.timestamp_micros();
        self.unread_until.fetch_max(until, Ordering::AcqRel);
        if !self.is_unread.swap(true, Ordering::AcqRel) {
            self.unread_since
                .store(now.timestamp_micros(), Ordering::Release);
            events::channel_unread();
        }
    }

    /// Marks the channel as understood again.
    fn read(&self) {
        self.is_unread.store(false, Ordering::Release);
        events::channel_read();
    }

    fn health(&self) -> ChannelHealth {
        let instant = |micros: &AtomicI64| {
            DateTime::from_timestamp_micros(micros.load(Ordering::Acquire)).unwrap_or_default()
        };
        let at = instant(&self.at);
        if self.state.load(Ordering::Acquire) != CONNECTED {
            ChannelHealth::Lost { since: at }
        } else if self.is_unread.load(Ordering::Acquire) {
            let since = instant(&self.unread_since);
            ChannelHealth::Unread { since }
        } else {
            ChannelHealth::Connected { heard_at: at }
        }
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes")
            .field("channel", &self.health())
            .finish_non_exhaustive()
    }
}

impl<V: Viewer> Sessions<V> {
    /// Returns the health of this node's sessions, for a probe. It queries nothing.
    #[must_use]
    pub fn health(&self) -> Health {
        let core = &self.service.core;
        let now = core.now();
        let bound = core.bound_at(now, now.timestamp_micros());
        let channel = core.nodes.as_deref().map(Nodes::health);
        Health {
            channel: channel.unwrap_or(ChannelHealth::None),
            bound: Duration::from_micros(bound.try_into().unwrap_or_default()),
        }
    }
}
