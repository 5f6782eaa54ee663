//! The settings of sessions, checked when they are built.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::Sessions;
use super::cache::Cache;
use super::cookie::{CookieConfig, MAX_AGE_LIMIT_SECONDS};
use super::cursor::CursorSealer;
use super::epoch::Epochs;
use super::key::Key;
use super::nodes::{self, NodeChannel};
use super::service::{Core, Service};
use super::store::SessionStore;
use super::token::Sealer;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::sql::SqlSessionStore;
use crate::viewer::{Viewer, ViewerSource};

const DAY: u64 = 24 * 60 * 60;

/// Builds [`Sessions`]; see [`Sessions::builder`].
///
/// The defaults: a session ends after 7 days without use, or after 30 days however much it is
/// used; its use is noted once a minute; a verified session may be 5 seconds old; the cache holds
/// 10,000 sessions.
#[must_use = "a builder does nothing until `build`"]
pub struct SessionsBuilder<V> {
    key: Key,
    store: Arc<dyn SessionStore>,
    database: Option<crate::sql::DatabaseId>,
    source: Arc<dyn ViewerSource<V>>,
    app_url: Option<String>,
    cookie: CookieConfig,
    idle: Duration,
    absolute: Duration,
    touch: Duration,
    bound: Duration,
    connected: Option<Duration>,
    nodes: Option<Arc<dyn NodeChannel>>,
    capacity: u64,
    clock: Arc<dyn Clock>,
}

/// The limits of a session's life and of what is cached of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) idle: TimeDelta,
    pub(crate) absolute: TimeDelta,
    pub(crate) touch: TimeDelta,
    pub(crate) bound: TimeDelta,
    /// The bound while this node hears the others; never below `bound`.
    pub(crate) connected: TimeDelta,
}

impl<V: Viewer> SessionsBuilder<V> {
    pub(super) fn new<S: SessionStore>(key: Key, store: S, source: impl ViewerSource<V>) -> Self {
        // Only a store that is nothing but that database's table can be tested within the
        // database's own statements; one that wraps it may decide more.
        let any: &dyn Any = &store;
        let database = any
            .downcast_ref::<SqlSessionStore>()
            .or_else(|| any.downcast_ref::<Arc<SqlSessionStore>>().map(Arc::as_ref))
            .map(SqlSessionStore::database);
        Self {
            key,
            store: Arc::new(store),
            database,
            source: Arc::new(source),
            app_url: None,
            cookie: CookieConfig::new(),
            idle: Duration::from_secs(7 * DAY),
            absolute: Duration::from_secs(30 * DAY),
            touch: Duration::from_secs(60),
            bound: Duration::from_secs(5),
            connected: None,
            nodes: None,
            capacity: 10_000,
            clock: Arc::new(SystemClock),
        }
    }

    /// The address at which browsers reach the application, for instance `https://app.example`.
    /// Its scheme and host decide what the cookie may be. Required.
    pub fn app_url(mut self, url: impl Into<String>) -> Self {
        self.app_url = Some(url.into());
        self
    }

    /// How the cookie is written.
    pub fn cookie(mut self, cookie: CookieConfig) -> Self {
        self.cookie = cookie;
        self
    }

    /// How long a session lives without being used.
    pub fn idle_limit(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// How long a session lives however much it is used; 400 days at most, because browsers keep
    /// no cookie longer.
    pub fn absolute_limit(mut self, limit: Duration) -> Self {
        self.absolute = limit;
        self
    }

    /// How often at most the use of a session is written to the store.
    pub fn touch_interval(mut self, interval: Duration) -> Self {
        self.touch = interval;
        self
    }

    /// How old the answer may be that a *verified* session rests on. What changes through this
    /// library on this node holds at once; the bound is for changes made elsewhere. Zero asks the
    /// store and the viewer source in every request.
    pub fn cache_bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Tells the other nodes at once what is revoked or changed here, and hears it of them. See
    /// [`nodes`](crate::session::nodes) for what it comes to. [`build`](Self::build) then needs a
    /// tokio runtime, on which a task runs until the last clone of the sessions is dropped.
    pub fn nodes(mut self, channel: impl NodeChannel) -> Self {
        self.nodes = Some(Arc::new(channel));
        self
    }

    /// How old the answer may be that a *verified* session rests on while this node hears the
    /// others; [`cache_bound`](Self::cache_bound) unless it is set. It saves loads, and costs what
    /// [`nodes`](crate::session::nodes) says.
    pub fn connected_bound(mut self, bound: Duration) -> Self {
        self.connected = Some(bound);
        self
    }

    /// How many sessions the cache holds.
    pub fn cache_capacity(mut self, sessions: u64) -> Self {
        self.capacity = sessions;
        self
    }

    /// The source of time, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings and builds the sessions.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when a setting is missing, out of range, or contradicts
    /// another one; the message says what to write instead.
    pub fn build(self) -> Result<Sessions<V>> {
        let Some(app_url) = &self.app_url else {
            return Err(Error::configuration(
                "the sessions do not know the application's URL: call `.app_url(\"https://..\")`",
            ));
        };
        let cookie = self.cookie.resolve(app_url)?;
        let connected = self.connected.unwrap_or(self.bound);
        let limits = Limits::check(self.idle, self.absolute, self.touch, self.bound, connected)?;
        check_nodes(&limits, self.nodes.is_some(), self.connected.is_some())?;
        if self.capacity == 0 && !limits.bound.is_zero() {
            return Err(Error::configuration(
                "a session cache that holds nothing bounds nothing: set `cache_bound` to zero instead",
            ));
        }
        let sealer = Sealer::new(&self.key, cookie.name())?;
        let epochs = Arc::new(Epochs::new(&self.key)?);
        let nodes = self.nodes.map(|channel| {
            let clock = Arc::clone(&self.clock);
            nodes::start(channel, clock, &epochs, limits.bound, limits.connected)
        });
        Ok(Sessions::new(Service {
            core: Core {
                store: self.store,
                database: self.database,
                sealer,
                cursors: CursorSealer::new(&self.key)?,
                cookie,
                limits,
                capacity: self.capacity,
                clock: self.clock,
                epochs,
                nodes: nodes.transpose()?,
            },
            source: self.source,
            cache: Cache::new(limits.bound.max(limits.connected), self.capacity),
        }))
    }
}

/// What is said of other nodes must fit together.
fn check_nodes(limits: &Limits, has_channel: bool, is_set: bool) -> Result<()> {
    let advice = if is_set && !has_channel {
        "a `connected_bound` without a channel never applies: call `.nodes(..)`, or set `cache_bound`"
    } else if limits.connected < limits.bound {
        "the `connected_bound` is shorter than the cache bound, which holds without a channel: make it the longer one"
    } else if has_channel && limits.bound.is_zero() {
        "without a cache there is nothing to tell other nodes: set `cache_bound` above zero, or leave `.nodes(..)` out"
    } else {
        return Ok(());
    };
    Err(Error::configuration(advice))
}

impl Limits {
    fn check(
        idle: Duration,
        absolute: Duration,
        touch: Duration,
        bound: Duration,
        connected: Duration,
    ) -> Result<Self> {
        let longest = TimeDelta::seconds(MAX_AGE_LIMIT_SECONDS);
        let delta = |duration: Duration| {
            TimeDelta::from_std(duration)
                .ok()
                .filter(|delta| *delta <= longest)
                .ok_or_else(|| {
                    Error::configuration(
                        "a session's limits are 400 days at most, because browsers keep no cookie longer",
                    )
                })
        };
        let limits = Self {
            idle: delta(idle)?,
            absolute: delta(absolute)?,
            touch: delta(touch)?,
            bound: delta(bound)?,
            connected: delta(connected)?,
        };
        if limits.absolute < TimeDelta::seconds(1) || limits.idle <= TimeDelta::zero() {
            return Err(Error::configuration(
                "a session must live: the idle limit must be above zero and the absolute limit a second or more",
            ));
        }
        if limits.idle > limits.absolute {
            return Err(Error::configuration(
                "the idle limit is longer than the absolute limit, so it would never apply: make it the shorter one",
            ));
        }
        if limits.touch + limits.bound.max(limits.connected) >= limits.idle {
            return Err(Error::configuration(
                "a session in use would end as idle: the touch interval and the cache bound together must be shorter than the idle limit",
            ));
        }
        Ok(limits)
    }

    /// The NIST SP 800-63B-4 level whose reauthentication limits these meet.
    fn assurance(self) -> &'static str {
        if self.absolute <= TimeDelta::hours(12) && self.idle <= TimeDelta::minutes(15) {
            "meets the session limits of NIST SP 800-63B-4 AAL3"
        } else if self.absolute <= TimeDelta::hours(24) && self.idle <= TimeDelta::hours(1) {
            "meets the session limits of NIST SP 800-63B-4 AAL2"
        } else if self.absolute <= TimeDelta::days(30) {
            "meets the session limits of NIST SP 800-63B-4 AAL1"
        } else {
            "longer than the session limits of NIST SP 800-63B-4 AAL1"
        }
    }
}

impl Core {
    /// Every effective setting, one to a line.
    pub(super) fn explain(&self) -> String {
        let Limits {
            idle,
            absolute,
            touch,
            bound,
            connected,
        } = self.limits;
        let seconds = |delta: TimeDelta| {
            let millis = delta.num_milliseconds();
            format!("{}.{:03} s", millis / 1000, millis % 1000)
        };
        let verified = if bound.is_zero() {
            "verified: the store and the viewer source are asked in every request".to_owned()
        } else {
            format!(
                "verified: at most {} old; a change through this library on this node holds at once\ncache: {} sessions",
                seconds(bound),
                self.capacity,
            )
        };
        let nodes = match &self.nodes {
            None => "no channel; what they change is seen within the bound".to_owned(),
            Some(_) => format!(
                "they are told at once; at most {} old while this node hears them, at most {} while it does not",
                seconds(connected),
                seconds(bound),
            ),
        };
        format!(
            "{}\nidle limit: {}\nabsolute limit: {}\nlimits: {}\ntouch interval: {}\n{verified}\nother nodes: {nodes}\ncurrent: the store and the viewer source are asked in every call\nwrites: {}\n",
            self.cookie.explain(),
            seconds(idle),
            seconds(absolute),
            self.limits.assurance(),
            seconds(touch),
            if self.database.is_some() {
                "the session is tested within the statement, in the sessions' own database"
            } else {
                "the session is read before the statement"
            },
        )
    }
}

impl<V> fmt::Debug for SessionsBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsBuilder").finish_non_exhaustive()
    }
}
