//! The settings of sessions, checked when they are built.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::address::Address;
use super::cache::Cache;
use super::cookie::CookieConfig;
use super::csrf::CsrfTokens;
use super::cursor::CursorSealer;
use super::epoch::Epochs;
use super::hooks::SessionHooks;
use super::lifecycle::Core;
use super::lifetime::{Lifetime, delta};
use super::nodes::{self, NodeChannel};
use super::service::Service;
use super::settings::{Described, SetLifetime, Setting, SettingSource, Settings, refused};
use super::stateless::Stateless;
use super::store::{Assurance, SessionLimit, SessionStore};
use super::ticket::{Sealers, Strategy, Tickets};
use super::view::SessionView;
use super::with_viewer::{WithViewer, with_viewer};
use crate::audit::{SessionEventSink, SessionEvents};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Kind, Result};
use crate::route::Groups;
use crate::sql::{DatabaseId, SqlSessionStore};
use crate::token::KeyRing;
use crate::token::SessionClaims;
use crate::viewer::{Viewer, ViewerSource};

/// What a token says of itself, and of a subject of some length.
const LEAST_PAYLOAD: usize = 256;

const DAY: u64 = 24 * 60 * 60;

/// Builds [`Sessions`]; see [`Sessions::builder`].
///
/// The defaults: a session ends after 7 days without use, or after 30 days however much it is
/// used; its use is noted once a minute; a verified session may be 5 seconds old; the cache holds
/// 10,000 sessions. Where a setting is made twice the later call holds.
/// [`Sessions::explain`] prints what came of it.
#[must_use = "a builder does nothing until `build`"]
pub struct SessionsBuilder<V> {
    key: KeyRing,
    store: Arc<dyn SessionStore>,
    database: Option<DatabaseId>,
    source: Arc<dyn ViewerSource<V>>,
    with_viewer: Option<Arc<dyn WithViewer<V>>>,
    pub(super) settings: Unchecked,
    clock: Arc<dyn Clock>,
    events: SessionEvents,
    hooks: Option<Arc<dyn SessionHooks<V>>>,
    nodes: Option<Arc<dyn NodeChannel>>,
}

/// Settings as they were made, and what is wrong with those that could not be read.
pub(super) struct Unchecked {
    pub(super) app_url: Option<Setting<String>>,
    pub(super) development: Setting<bool>,
    pub(super) strategy: Setting<Strategy>,
    pub(super) cookie: CookieConfig,
    /// What of the cookie comes from environment variables.
    pub(super) cookie_variables: Vec<String>,
    pub(super) lifetime: SetLifetime,
    pub(super) remembered: Option<SetLifetime>,
    pub(super) touch: Setting<Duration>,
    pub(super) bound: Setting<Duration>,
    pub(super) connected: Option<Setting<Duration>>,
    pub(super) capacity: Setting<u64>,
    pub(super) most: Setting<Option<SessionLimit>>,
    pub(super) payload: Setting<usize>,
    pub(super) shown: Vec<String>,
    pub(super) groups_claim: Setting<String>,
    pub(super) wrong: Vec<String>,
}

impl Default for Unchecked {
    fn default() -> Self {
        Self {
            app_url: None,
            development: Setting::default_of(false),
            strategy: Setting::default_of(Strategy::default()),
            cookie: CookieConfig::new(),
            cookie_variables: Vec::new(),
            lifetime: SetLifetime::from(
                Lifetime::sliding(Duration::from_secs(7 * DAY), Duration::from_secs(30 * DAY)),
                SettingSource::Default,
            ),
            remembered: None,
            touch: Setting::default_of(Duration::from_secs(60)),
            bound: Setting::default_of(Duration::from_secs(5)),
            connected: None,
            capacity: Setting::default_of(10_000),
            most: Setting::default_of(Some(SessionLimit::DEFAULT)),
            payload: Setting::default_of(1024),
            shown: vec!["name".to_owned(), "image".to_owned()],
            groups_claim: Setting::default_of(Groups::CLAIM.to_owned()),
            wrong: Vec::new(),
        }
    }
}

impl<V: Viewer> SessionsBuilder<V> {
    pub(super) fn new<S: SessionStore>(
        key: KeyRing,
        store: S,
        source: impl ViewerSource<V>,
    ) -> Self {
        // Only a store that is nothing but that database's table can be tested within the
        // database's own statements; one that wraps it may decide more.
        let any: &dyn Any = &store;
        let sql = any
            .downcast_ref::<SqlSessionStore>()
            .or_else(|| any.downcast_ref::<Arc<SqlSessionStore>>().map(Arc::as_ref));
        let database = sql.map(SqlSessionStore::database);
        let with_viewer = sql.and_then(|store| with_viewer(store, &source));
        Self {
            key,
            store: Arc::new(store),
            database,
            source: Arc::new(source),
            with_viewer,
            settings: Unchecked::default(),
            clock: Arc::new(SystemClock),
            events: SessionEvents::default(),
            hooks: None,
            nodes: None,
        }
    }

    /// The address at which browsers reach the application, for instance `https://app.example`.
    /// Its scheme and host decide what the cookie may be. Required, and `https:` outside of
    /// [development](Self::development).
    pub fn app_url(mut self, url: impl Into<String>) -> Self {
        self.settings.app_url = Some(Setting::code(url.into()));
        self
    }

    /// Says that this is a developer's own machine, so that the application may be reached over
    /// plain `http:` at a loopback address. It permits nothing else.
    pub fn development(mut self) -> Self {
        self.settings.development = Setting::code(true);
        self
    }

    /// Where the truth about a session is; see [`Strategy`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.settings.strategy = Setting::code(strategy);
        self
    }

    /// How the cookie is written.
    pub fn cookie(mut self, cookie: CookieConfig) -> Self {
        self.settings.cookie = cookie;
        self.settings.cookie_variables.clear();
        self
    }

    /// How long a session lives.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.settings.lifetime = SetLifetime::from(lifetime, SettingSource::Code);
        self
    }

    /// How long a session lives that its subject asked to be remembered by
    /// ([`SignIn::remember`](super::SignIn::remember)). With this, sessions of which that is not said
    /// end when the browser is closed; without it, they are remembered and live as all do.
    pub fn remembered(mut self, lifetime: Lifetime) -> Self {
        self.settings.remembered = Some(SetLifetime::from(lifetime, SettingSource::Code));
        self
    }

    /// The lifetimes that [NIST SP 800-63B-4](https://pages.nist.gov/800-63-4/sp800-63b.html) asks for
    /// at this level: 30 days at `Aal1`; 24 hours, and one hour without use, at `Aal2`; 12 hours, and
    /// 15 minutes without use, at `Aal3`. No session is remembered for longer.
    pub fn preset(mut self, level: Assurance) -> Self {
        self.settings.preset(level, None);
        self
    }

    /// Limits how many sessions a subject has at a time, in any store: to 1,000 unless said, and one more sign-in
    /// ends the oldest ([`SessionLimit::DEFAULT`]). `None` is any number, with which one account can fill
    /// the store. Stateless sessions are not counted.
    pub fn session_limit(mut self, limit: impl Into<Option<SessionLimit>>) -> Self {
        self.settings.most = Setting::code(limit.into());
        self
    }

    /// How often at most the use of a session is written to the store. Together with the
    /// [`cache_bound`](Self::cache_bound), or a longer [`connected_bound`](Self::connected_bound), it
    /// must be shorter than every idle limit, or a session in use would end as idle.
    pub fn touch_interval(mut self, interval: Duration) -> Self {
        self.settings.touch = Setting::code(interval);
        self
    }

    /// How old the answer may be that a *verified* session rests on. What changes through this
    /// library on this node holds at once; the bound is for changes made elsewhere. Zero asks the
    /// store and the viewer source in every request, in one statement where the source is
    /// [`Db::viewers`](crate::Db::viewers) over the database of the sessions. It counts towards the idle
    /// limit with the [`touch_interval`](Self::touch_interval).
    pub fn cache_bound(mut self, bound: Duration) -> Self {
        self.settings.bound = Setting::code(bound);
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
        self.settings.connected = Some(Setting::code(bound));
        self
    }

    /// How many sessions the cache holds.
    pub fn cache_capacity(mut self, sessions: u64) -> Self {
        self.settings.capacity = Setting::code(sessions);
        self
    }

    /// The source of time, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Who is told what happens to sessions, beside `tracing`.
    pub fn events(mut self, sink: impl SessionEventSink) -> Self {
        self.events = SessionEvents::to(sink);
        self
    }

    /// The application's own part when sessions begin, go on and are used.
    pub fn hooks(mut self, hooks: impl SessionHooks<V>) -> Self {
        self.hooks = Some(Arc::new(hooks));
        self
    }

    /// How many bytes of JSON a stateless session's token may hold, and the claims of any session, so
    /// that another strategy takes them too; 1,024 unless said, 256 at least. Browsers take 4 KiB for a
    /// cookie; a longer token goes into up to three.
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.settings.payload = Setting::code(bytes);
        self
    }

    /// Which claims a [`SessionView`](super::SessionView) shows; `name` and `image` unless said.
    pub fn view(mut self, claims: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.shown = claims.into_iter().map(Into::into).collect();
        self
    }

    /// Under which name the groups of a viewer are noted in a session, for
    /// [`Verified::groups`](super::Verified::groups); `groups` unless said.
    pub fn groups_claim(mut self, name: impl Into<String>) -> Self {
        self.settings.groups_claim = Setting::code(name.into());
        self
    }

    /// Checks the settings and builds the sessions.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when a setting is missing, out of range, or contradicts
    /// another one; the message says what to write instead, and where each setting that takes part
    /// comes from.
    pub fn build(self) -> Result<Sessions<V>> {
        let Unchecked {
            app_url,
            development,
            strategy,
            cookie,
            cookie_variables,
            lifetime,
            remembered,
            touch,
            bound,
            connected,
            capacity,
            most,
            payload,
            shown,
            groups_claim,
            wrong,
        } = self.settings;
        if !wrong.is_empty() {
            return Err(Error::configuration(wrong.join("; ")));
        }
        let Some(app_url) = app_url else {
            return Err(Error::configuration(
                "the sessions do not know the application's URL: call `.app_url(\"https://..\")`",
            ));
        };
        let cookie = cookie
            .resolve(&app_url.value, development.value)
            .map_err(|error| {
                let Kind::Configuration(advice) = error.kind() else {
                    return error;
                };
                let mut concerned = vec![app_url.named("URL"), development.named("profile")];
                concerned.extend(cookie_variables);
                refused(advice, &concerned)
            })?;
        let address = Address::new(&app_url.value, cookie.domain())?;
        check_nodes(&bound, connected.as_ref(), self.nodes.is_some())?;
        let heard = connected
            .as_ref()
            .map_or(bound.value, |connected| connected.value);
        // It is the longer one where there is one.
        let oldest = connected.as_ref().unwrap_or(&bound);
        let ordinary = lifetime.check("", &touch, oldest)?;
        let longer = remembered
            .as_ref()
            .map(|longer| longer.check("remembered ", &touch, oldest));
        if capacity.value == 0 && !bound.value.is_zero() {
            return Err(refused(
                "a session cache that holds nothing bounds nothing: set `cache_bound` to zero instead",
                &[capacity.named("cache capacity"), bound.timed("cache bound")],
            ));
        }
        let is_stateless = strategy.value == Strategy::Stateless;
        let most = if is_stateless && most.is_default() {
            Setting::default_of(None)
        } else {
            most
        };
        if is_stateless && most.value.is_some() {
            return Err(refused(
                "nobody counts stateless sessions: leave `session_limit` out, or choose `Strategy::Hybrid`",
                &[strategy.named("strategy"), most.named("session limit")],
            ));
        }
        if payload.value < LEAST_PAYLOAD {
            return Err(refused(
                &format!(
                    "a session's token needs {LEAST_PAYLOAD} bytes of JSON for itself: set `max_payload_bytes` to more"
                ),
                &[payload.named("bytes of a payload")],
            ));
        }
        if let Some(name) = shown
            .iter()
            .find(|name| SessionView::OWN.contains(&&***name))
        {
            return Err(Error::configuration(format!(
                "a session's view has a member `{name}` of its own: give the claim another name",
            )));
        }
        check_groups_claim(&groups_claim)?;
        let lines = Described {
            app_url: &app_url,
            development: &development,
            strategy: &strategy,
            cookie: &cookie.explain(),
            lifetime: &lifetime,
            remembered: remembered.as_ref(),
            touch: &touch,
            bound: &bound,
            connected: self
                .nodes
                .is_some()
                .then_some(connected.as_ref().unwrap_or(&bound)),
            capacity: &capacity,
            most: &most,
            payload: &payload,
            groups_claim: &groups_claim,
            within_statements: self.database.is_some(),
        }
        .to_string();
        let settings = Settings {
            ordinary,
            remembered: longer.transpose()?,
            touch: delta(touch.value)?,
            bound: delta(bound.value)?,
            most: most.value,
            payload: payload.value,
            shown,
            groups_claim: groups_claim.value,
            lines,
        };
        let tickets = match strategy.value {
            Strategy::Hybrid => Tickets::Sealed(Sealers::new(&self.key, cookie.name())?),
            Strategy::Database => Tickets::Opaque,
            Strategy::Stateless => {
                let stateless = Stateless::new(&self.key, cookie.name(), payload.value)?;
                Tickets::Stateless(stateless)
            }
        };
        let database = self.database;
        let is_beside = database.is_some() && !is_stateless;
        let with_viewer = self.with_viewer.filter(|_| is_beside);
        let epochs = Arc::new(Epochs::new(&self.key)?);
        let nodes = self.nodes.map(|channel| {
            let clock = Arc::clone(&self.clock);
            nodes::start(
                channel,
                clock,
                &self.key,
                &epochs,
                settings.bound,
                delta(heard)?,
            )
        });
        let cache = Cache::new(settings.bound.max(delta(heard)?), capacity.value);
        Ok(Sessions::new(Service {
            core: Core {
                store: self.store,
                database,
                tickets: Arc::new(tickets),
                csrf: CsrfTokens::new(&self.key)?,
                cursors: CursorSealer::new(&self.key)?,
                address,
                cookie,
                settings,
                clock: self.clock,
                epochs,
                nodes: nodes.transpose()?,
                events: self.events,
            },
            source: self.source,
            with_viewer,
            hooks: self.hooks,
            cache,
        }))
    }
}

/// Under a name that no session takes there would never be a group.
fn check_groups_claim(claim: &Setting<String>) -> Result<()> {
    let noted = SessionClaims::new().with(&*claim.value, Vec::new());
    noted.map(drop).map_err(|_| {
        refused(
            "no session has a claim of the name that `groups_claim` says: choose one of up to 64 bytes that does not begin with `session_` and that tokens do not have",
            &[claim.named("claim of groups")],
        )
    })
}

/// What is said of other nodes must fit together.
fn check_nodes(
    bound: &Setting<Duration>,
    connected: Option<&Setting<Duration>>,
    has_channel: bool,
) -> Result<()> {
    let advice = if connected.is_some() && !has_channel {
        "a `connected_bound` without a channel never applies: call `.nodes(..)`, or set `cache_bound`"
    } else if connected.is_some_and(|connected| connected.value < bound.value) {
        "the `connected_bound` is shorter than the cache bound, which holds without a channel: make it the longer one"
    } else if has_channel && bound.value.is_zero() {
        "without a cache there is nothing to tell other nodes: set `cache_bound` above zero, or leave `.nodes(..)` out"
    } else {
        return Ok(());
    };
    let mut concerned = vec![bound.timed("cache bound")];
    concerned.extend(connected.map(|connected| connected.timed("connected bound")));
    Err(refused(advice, &concerned))
}

impl Unchecked {
    /// Takes the lifetimes of a level, which the program chose, or this environment variable.
    pub(super) fn preset(&mut self, level: Assurance, variable: Option<String>) {
        const HOUR: u64 = 60 * 60;

        let (name, lifetime) = match level {
            Assurance::Aal1 => ("AAL1", Lifetime::fixed(Duration::from_secs(30 * DAY))),
            Assurance::Aal2 => (
                "AAL2",
                Lifetime::sliding(Duration::from_secs(HOUR), Duration::from_secs(DAY)),
            ),
            Assurance::Aal3 => (
                "AAL3",
                Lifetime::sliding(
                    Duration::from_secs(HOUR / 4),
                    Duration::from_secs(12 * HOUR),
                ),
            ),
        };
        self.lifetime = SetLifetime::from(lifetime, SettingSource::Preset(name, variable));
        self.remembered = None;
    }
}

impl<V> fmt::Debug for SessionsBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsBuilder").finish_non_exhaustive()
    }
}
