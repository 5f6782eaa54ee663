//! The builder of sessions: their configuration, checked when they are built.

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
use super::event_sink::{SessionEventSink, SessionEvents};
use super::groups::Groups;
use super::hooks::SessionHooks;
use super::lifecycle::SessionManager;
use super::lifetime::{Lifetime, delta};
use super::nodes::{self, NodeChannel};
use super::setting::{SetLifetime, Setting, SettingSource, refused};
use super::settings::{Described, Settings};
use super::store::{Assurance, SessionLimit, SessionStore};
use super::ticket::Strategy;
use super::tickets::Tickets;
use super::verifier::Verifier;
use super::view::SessionView;
use super::viewer_source::ViewerSource;
use super::with_viewer::{WithViewer, with_viewer};
use crate::clock::{Clock, SystemClock};
use crate::driver::{DatabaseId, Db};
use crate::error::{Error, ErrorKind, Result};
use crate::token::KeyRing;
use crate::token::SessionClaims;
use crate::viewer::Viewer;

/// The minimum of `max_payload_bytes`: the claims of a token itself, with a subject of moderate length.
const LEAST_PAYLOAD: usize = 256;

const DAY: u64 = 24 * 60 * 60;

/// Builds [`Sessions`]; see [`Sessions::builder`].
///
/// The defaults: an idle timeout of 7 days and an absolute timeout of 30 days; the use of a session is
/// written once a minute; a verified session may be 5 seconds old; the cache holds 10,000 sessions. Where a
/// setting is made twice the later call wins. [`Sessions::explain`] prints the effective settings.
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

/// The settings as they were made, and the errors of those that could not be parsed.
pub(super) struct Unchecked {
    pub(super) app_url: Option<Setting<String>>,
    pub(super) development: Setting<bool>,
    pub(super) strategy: Setting<Strategy>,
    pub(super) cookie: CookieConfig,
    /// The cookie attributes that come from environment variables, and which.
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
        let database = store.in_database();
        let with_viewer = database.and_then(|database| with_viewer(database, &source));
        let database = database.map(Db::id);
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

    /// Sets the address at which browsers reach the application, for instance `https://app.example`. Its
    /// scheme and host decide the cookie's attributes. Required, and `https:` outside of
    /// [development](Self::development).
    pub fn app_url(mut self, url: impl Into<String>) -> Self {
        self.settings.app_url = Some(Setting::code(url.into()));
        self
    }

    /// Declares a developer's own machine, so that the application may be reached over plain `http:` at a
    /// loopback address. It permits nothing else.
    pub fn development(mut self) -> Self {
        self.settings.development = Setting::code(true);
        self
    }

    /// Sets the strategy, which decides where the state of a session is kept; see [`Strategy`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.settings.strategy = Setting::code(strategy);
        self
    }

    /// Sets the attributes of the cookie.
    pub fn cookie(mut self, cookie: CookieConfig) -> Self {
        self.settings.cookie = cookie;
        self.settings.cookie_variables.clear();
        self
    }

    /// Sets the idle and absolute timeout of sessions.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.settings.lifetime = SetLifetime::from(lifetime, SettingSource::Code);
        self
    }

    /// Sets the lifetime of sessions whose subject asked to be remembered
    /// ([`SignIn::remember`](super::SignIn::remember)). With this, sessions that do not say end when the
    /// browser is closed; without it, they are remembered and live as all do.
    pub fn remembered(mut self, lifetime: Lifetime) -> Self {
        self.settings.remembered = Some(SetLifetime::from(lifetime, SettingSource::Code));
        self
    }

    /// Applies the timeouts that [NIST SP 800-63B-4](https://pages.nist.gov/800-63-4/sp800-63b.html) requires
    /// at this level: 30 days at `Aal1`; 24 hours, and one hour idle, at `Aal2`; 12 hours, and 15 minutes
    /// idle, at `Aal3`. No session is remembered for longer.
    pub fn preset(mut self, level: Assurance) -> Self {
        self.settings.preset(level, None);
        self
    }

    /// Limits the number of concurrent sessions of a subject, in any store. The default is 1,000, and one
    /// more sign-in ends the oldest ([`SessionLimit::DEFAULT`]). `None` is unlimited, with which one account
    /// can fill the store. Stateless sessions are not counted.
    pub fn session_limit(mut self, limit: impl Into<Option<SessionLimit>>) -> Self {
        self.settings.most = Setting::code(limit.into());
        self
    }

    /// Sets the minimum interval between writes of a session's use to the store. Together with the
    /// [`cache_bound`](Self::cache_bound), or a longer [`connected_bound`](Self::connected_bound), it must be
    /// shorter than every idle timeout, or a session in use would end as idle.
    pub fn touch_interval(mut self, interval: Duration) -> Self {
        self.settings.touch = Setting::code(interval);
        self
    }

    /// Sets the maximum age of the cached answer that a *verified* session rests on. Changes through this
    /// library on this node apply at once; the bound is for changes made elsewhere. Zero queries the store
    /// and the viewer source in every request, in one statement where the source is
    /// [`Db::viewers`](crate::Db::viewers) over the database of the sessions. It counts towards the idle
    /// timeout with the [`touch_interval`](Self::touch_interval).
    pub fn cache_bound(mut self, bound: Duration) -> Self {
        self.settings.bound = Setting::code(bound);
        self
    }

    /// Sets the channel that notifies other nodes at once of revocations and changes here, and this node of
    /// theirs. See [`nodes`](crate::session::nodes) for its guarantees. [`build`](Self::build) then needs a
    /// tokio runtime, on which a task runs until the last clone of the sessions is dropped.
    pub fn nodes(mut self, channel: impl NodeChannel) -> Self {
        self.nodes = Some(Arc::new(channel));
        self
    }

    /// Sets the maximum age of the cached answer while this node receives the notices of the others;
    /// [`cache_bound`](Self::cache_bound) by default. It saves loads, at the cost that
    /// [`nodes`](crate::session::nodes) describes.
    pub fn connected_bound(mut self, bound: Duration) -> Self {
        self.settings.connected = Some(Setting::code(bound));
        self
    }

    /// Sets the maximum number of sessions in the cache.
    pub fn cache_capacity(mut self, sessions: u64) -> Self {
        self.settings.capacity = Setting::code(sessions);
        self
    }

    /// Sets the source of time, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the sink of session events, beside `tracing`.
    pub fn events(mut self, sink: impl SessionEventSink) -> Self {
        self.events = SessionEvents::to(sink);
        self
    }

    /// Sets the application's hooks at sign-in, at the refresh of a token, and at each use of a session.
    pub fn hooks(mut self, hooks: impl SessionHooks<V>) -> Self {
        self.hooks = Some(Arc::new(hooks));
        self
    }

    /// Sets the maximum size of a stateless session's token, in bytes of JSON, and of the claims of any
    /// session, so that they fit another strategy too; 1,024 by default, at least 256. Browsers accept 4 KiB
    /// per cookie; a longer token is split into up to three.
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.settings.payload = Setting::code(bytes);
        self
    }

    /// Sets the claims that a [`SessionView`](super::SessionView) shows; `name` and `image` by default.
    pub fn view(mut self, claims: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.shown = claims.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the name of the claim that stores the groups of a viewer in a session, for
    /// [`Verified::groups`](super::Verified::groups); `groups` by default.
    pub fn groups_claim(mut self, name: impl Into<String>) -> Self {
        self.settings.groups_claim = Setting::code(name.into());
        self
    }

    /// Checks the settings and builds the sessions.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when a setting is missing, out of range, or contradicts another one; the
    /// message says what to write instead, and where each of the conflicting settings comes from.
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
                "the application's URL is not configured: call `.app_url(\"https://..\")`",
            ));
        };
        let cookie = cookie
            .resolve(&app_url.value, development.value)
            .map_err(|error| {
                let ErrorKind::Configuration(advice) = error.kind() else {
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
        // `connected_bound` is the longer one where it is set.
        let oldest = connected.as_ref().unwrap_or(&bound);
        let ordinary = lifetime.check("", &touch, oldest)?;
        let longer = remembered
            .as_ref()
            .map(|longer| longer.check("remembered ", &touch, oldest));
        if capacity.value == 0 && !bound.value.is_zero() {
            return Err(refused(
                "a session cache needs a capacity above zero: to disable the cache, set `cache_bound` to zero",
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
                "stateless sessions cannot be counted: remove `session_limit`, or choose `Strategy::Hybrid`",
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
        let tickets = Tickets::new(strategy.value, &self.key, cookie.name(), payload.value)?;
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
        Ok(Sessions::new(Verifier {
            core: SessionManager {
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

/// Checks the name of the groups claim: under one that no session accepts there would never be a group.
fn check_groups_claim(claim: &Setting<String>) -> Result<()> {
    let noted = SessionClaims::new().with(&*claim.value, Vec::new());
    noted.map(drop).map_err(|_| {
        refused(
            "`groups_claim` is not a valid name for a session's claim: choose one of up to 64 bytes that does not begin with `session_` and that tokens do not have",
            &[claim.named("claim of groups")],
        )
    })
}

/// Checks that the settings for other nodes are consistent.
fn check_nodes(
    bound: &Setting<Duration>,
    connected: Option<&Setting<Duration>>,
    has_channel: bool,
) -> Result<()> {
    let advice = if connected.is_some() && !has_channel {
        "a `connected_bound` without a channel never applies: call `.nodes(..)`, or set `cache_bound`"
    } else if connected.is_some_and(|connected| connected.value < bound.value) {
        "the `connected_bound` is shorter than the cache bound, which applies without a channel: make it the longer one"
    } else if has_channel && bound.value.is_zero() {
        "without a cache there is nothing that other nodes invalidate: set `cache_bound` above zero, or remove `.nodes(..)`"
    } else {
        return Ok(());
    };
    let mut concerned = vec![bound.timed("cache bound")];
    concerned.extend(connected.map(|connected| connected.timed("connected bound")));
    Err(refused(advice, &concerned))
}

impl Unchecked {
    /// Applies the timeouts of a level, which the program chose, or this environment variable.
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
