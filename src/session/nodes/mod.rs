//! Several nodes of one application: how each learns at once what was revoked or changed on another.
//!
//! Without a channel a node learns of it when what it has cached is older than
//! [`cache_bound`](super::SessionsBuilder::cache_bound). With one it is told.
//!
//! How old the answer may be that a *verified* session on another node rests on, where `B` is the
//! cache bound, 5 seconds by default, and `C` is
//! [`connected_bound`](super::SessionsBuilder::connected_bound), which is `B` unless it is set:
//!
//! | channel | connected | broken or not understood, and noticed | broken, not yet noticed |
//! |---|---|---|---|
//! | none | – | `B` | – |
//! | PostgreSQL, Redis | the way of a notice, and `C` if that is lost | `B` | `B` |
//!
//! *The way of a notice* is a transaction of one statement and a message on PostgreSQL, and a message
//! on Redis: some milliseconds.
//!
//! - A notice says which of 256 groups of subjects is to be loaded again. Which subject is in
//!   which group only who has the application's [`Key`](super::Key) can tell, and only who has it can
//!   make a notice: each is sealed under every key of the sender's ring, and numbered, so that one that
//!   is sent again is not heard again. A node hears a recorded notice once at most, if it started after
//!   the one that sent it had ended.
//! - A notice says so by every key of the sender's [ring](crate::token::KeyRing), so that two nodes
//!   understand each other while they share a key, whichever of theirs seals. A node that hears
//!   what it does not understand, at the latest with the next heartbeat of who says it, drops it, falls
//!   back to `B` and [says so](ChannelHealth::Unread), once. When it heard no more of that for `B`, it
//!   uses `C` again, for what it loaded since. It cannot tell a node of another ring from somebody who
//!   writes to the channel without a key, so that this is all that such a one can bring about: where `C`
//!   is longer than `B`, what `B` alone would cost, and else nothing.
//! - A node sends a heartbeat every quarter of `B` and hears its own. Both PostgreSQL and Redis
//!   deliver to one listener in one order, so that whoever hears its own heartbeat has heard every
//!   notice that was sent before it. Only while that was less than `B` ago, `C` is used.
//! - Whoever lost the channel forgets all that it has cached when it is back.
//! - **What `C` costs.** A node that ended a session and cannot reach the channel tells the others
//!   when it can. They do not know of that, and wait for it as long as `C`. Where that may not be,
//!   leave `C` as it is: then a channel only makes things quicker.
//!
//! Both losing and regaining a channel are events of the target `clearance::nodes`, and
//! [`Sessions::health`](super::Sessions::health) tells a probe.

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
use crate::audit;
use crate::viewer::Viewer;

/// Carries short texts from each node to all nodes.
///
/// What one listener hears must be in the order in which it was sent, by whomever; that is what
/// makes a node's own heartbeat worth something. Texts may be lost only together with the listener.
#[async_trait]
pub trait NodeChannel: Send + Sync + 'static {
    /// Sends `notice` to all nodes that listen, this one too.
    ///
    /// # Errors
    ///
    /// When it may not have been sent.
    async fn publish(&self, notice: &str) -> Result<(), ChannelError>;

    /// Listens to what is sent from now on.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    async fn listen(&self) -> Result<Box<dyn NodeListener>, ChannelError>;
}

/// Hears what is sent on a [`NodeChannel`].
#[async_trait]
pub trait NodeListener: Send {
    /// The next text. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// When texts may have been lost. It is not asked again after that.
    async fn next(&mut self) -> Result<String, ChannelError>;
}

/// The channel between nodes is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, thiserror::Error)]
#[error("the channel between nodes is broken")]
#[non_exhaustive]
pub struct ChannelError;

impl ChannelError {
    /// An error of which no more is said.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// How the sessions of this node are, for a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether this node hears the others.
    pub channel: ChannelHealth,
    /// How old the answer may be now that a verified session rests on.
    pub bound: Duration,
}

/// Whether a node hears the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelHealth {
    /// There is no channel: what other nodes change is seen within the bound.
    None,
    /// It heard everything that was sent up to `heard_at`.
    Connected {
        /// When the last heartbeat was sent that came back.
        heard_at: DateTime<Utc>,
    },
    /// It hears what it does not understand, and falls back to the bound: a node whose ring shares no
    /// key with this one's, one of another version of this library, or whoever else writes to the channel.
    Unread {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It hears nothing, and falls back to the bound.
    Lost {
        /// Since when; from the start where it never did.
        since: DateTime<Utc>,
    },
}

const STARTING: u8 = 0;
const CONNECTED: u8 = 1;
const LOST: u8 = 2;

/// What this node knows of its channel.
pub(crate) struct Nodes {
    state: AtomicU8,
    /// Microseconds since 1970: the instant of what the state says.
    at: AtomicI64,
    /// Whether something is heard that this node does not understand.
    is_unread: AtomicBool,
    /// Microseconds since 1970: since when.
    unread_since: AtomicI64,
    /// Microseconds since 1970: up to when.
    unread_until: AtomicI64,
    /// In microseconds.
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

    /// How old an answer may be at `now` for which the store was asked at `asked_at`, in microseconds.
    pub(crate) fn bound_at(&self, now: DateTime<Utc>, asked_at: i64) -> i64 {
        // The instant first: one that belongs to a state that is over is not later than that was.
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
            audit::channel_connected();
        }
    }

    fn lost(&self, now: DateTime<Utc>) {
        if self.state.swap(LOST, Ordering::AcqRel) != LOST {
            self.at.store(now.timestamp_micros(), Ordering::Release);
            audit::channel_lost();
        }
    }

    fn unread(&self, now: DateTime<Utc>) {
        let until = now.timestamp_micros();
        self.unread_until.fetch_max(until, Ordering::AcqRel);
        if !self.is_unread.swap(true, Ordering::AcqRel) {
            self.unread_since
                .store(now.timestamp_micros(), Ordering::Release);
            audit::channel_unread();
        }
    }

    /// Everything is understood again.
    fn read(&self) {
        self.is_unread.store(false, Ordering::Release);
        audit::channel_read();
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
    /// How the sessions of this node are, for a probe. It asks nobody.
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
