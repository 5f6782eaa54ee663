//! Route rules: which routes need a session, decided from the cookie alone.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::ACCEPT;
use http::request::Parts;
use http::{Response, StatusCode};

use super::answers::{Denials, Denied, GateAnswers, GatePage, RETURN_TO, for_this_cookie};
use super::gate::{Check, Gate};
use super::matching::{Panicked, Route};
use super::{GroupRule, NormalPath};
use crate::answer::problem;
use crate::error::{Error, Refusal, Result};
use crate::events;
use crate::session::{CookieInspector, Sessions, Strategy};
use crate::viewer::Viewer;

/// The maximum length of a path, in bytes. Longer ones have too many readings to compare, and no page.
const LONGEST: usize = 4096;

/// The rules that say which routes need a session, decided from the cookie alone: the optimistic layer.
/// Compiled with the feature `gates` only.
///
/// It is for browsers: one without a session is redirected to the sign-in page before any handler runs, and
/// no page flashes up. It has no store and queries none. A session that was ended a moment ago still passes
/// it, and so does any cookie with the right name under [`Strategy::Database`]: repositories decide what may
/// be seen.
///
/// Where several rules select a request the strictest applies, in whatever order they were written. To exempt
/// a path from a rule, say so in the rule: `Route::prefix("/app")?.and(!Route::exact("/app/about")?)`.
///
/// A path of more than 4,096 bytes is refused with 414. A CORS preflight has no cookie, so the layer that
/// answers preflights goes around this.
///
/// # Example
///
/// ```
/// use clearance::route::{Gate, GroupRule, Route, RouteRules};
/// use clearance::{Result, Sessions, Viewer};
///
/// fn rules<V: Viewer>(sessions: &Sessions<V>) -> Result<Gate> {
///     RouteRules::protect_all()
///         .sign_in_page("/sign-in")
///         .home("/dashboard")
///         .public(Route::exact("/")?)
///         .public(Route::prefix("/assets")?)
///         .api(Route::prefix("/api")?)
///         .build(sessions)
/// }
/// ```
#[derive(Clone)]
pub struct RouteRules {
    everything: bool,
    rules: Vec<(Route, Demand)>,
    api: Vec<Route>,
    home: Option<String>,
    denials: Denials,
    ignores_case: bool,
}

#[derive(Debug, Clone)]
enum Demand {
    Public,
    Session,
    Groups(GroupRule),
}

impl RouteRules {
    /// Builds rules under which every route needs a session, except those that are [public](Self::public).
    #[must_use]
    pub fn protect_all() -> Self {
        Self::new(true)
    }

    /// Builds rules under which no route needs a session, except those that are [protected](Self::protect).
    #[must_use]
    pub fn protect_listed() -> Self {
        Self::new(false)
    }

    fn new(everything: bool) -> Self {
        Self {
            everything,
            rules: Vec::new(),
            api: Vec::new(),
            home: None,
            denials: Denials::default(),
            ignores_case: false,
        }
    }

    /// Exempts these routes: they need no session.
    #[must_use]
    pub fn public(self, route: Route) -> Self {
        self.with(route, Demand::Public)
    }

    /// Protects these routes: they need a session.
    #[must_use]
    pub fn protect(self, route: Route) -> Self {
        self.with(route, Demand::Session)
    }

    /// Protects these routes: they need a session whose token has these groups. Only under
    /// [`Strategy::Stateless`] does the cookie have them; under the others use [`Protect`](super::Protect).
    #[must_use]
    pub fn groups(self, route: Route, rule: GroupRule) -> Self {
        self.with(route, Demand::Groups(rule))
    }

    fn with(mut self, route: Route, demand: Demand) -> Self {
        self.rules.push((route, demand));
        self
    }

    /// Marks these routes as an API: refused requests get a status and problem details, and no redirect. For
    /// other routes, `Sec-Fetch-Mode`, or an `Accept` that names `text/html`, distinguishes a browser's
    /// navigation from all other requests.
    #[must_use]
    pub fn api(mut self, route: Route) -> Self {
        self.api.push(route);
        self
    }

    /// Sets the page to which browsers without a session are redirected, with the return URL in the parameter
    /// `return_to`: read it with [`ReturnTo::parse`](super::ReturnTo::parse) alone. The page is public.
    /// Without it they get 401.
    #[must_use]
    pub fn sign_in_page(mut self, url: &str) -> Self {
        self.denials.sign_in = Some(url.to_owned());
        self
    }

    /// Sets the page to which browsers with a session are redirected from the sign-in page, if they went
    /// there by themselves. Those that were redirected there, because their session turned out to have ended,
    /// stay: otherwise they would loop.
    #[must_use]
    pub fn home(mut self, url: &str) -> Self {
        self.home = Some(url.to_owned());
        self
    }

    /// Sets the page to which browsers are redirected whose viewer may not have the one they requested.
    /// Without it they get 403.
    #[must_use]
    pub fn denied_page(mut self, url: &str) -> Self {
        self.denials.denied_page = Some(url.to_owned());
        self
    }

    /// Sets a function that builds the responses to refused requests.
    #[must_use]
    pub fn on_denied(
        mut self,
        answer: impl Fn(&Parts, Denied) -> Response<String> + Send + Sync + 'static,
    ) -> Self {
        self.denials.on_denied = Some(Arc::new(answer));
        self
    }

    /// Compares paths without regard to the case of the letters `a` to `z`, for a router that does so, too.
    #[must_use]
    pub const fn ignore_case(mut self) -> Self {
        self.ignores_case = true;
        self
    }

    /// Builds the gate. It takes the keys that open the cookies from the sessions, and not their store.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] for groups under another strategy than
    /// [`Strategy::Stateless`], for a page that is neither a path nor a URL, and for a route that is made of
    /// too many others.
    pub fn build<V: Viewer>(self, sessions: &Sessions<V>) -> Result<Gate> {
        let outlook = sessions.outlook();
        let groups = self
            .rules
            .iter()
            .any(|(_, demand)| matches!(demand, Demand::Groups(_)));
        if groups && outlook.strategy() != Strategy::Stateless {
            return Err(Error::configuration(
                "the cookie contains no groups, except under `Strategy::Stateless`: protect these routes with `Protect::groups`, which verifies the session",
            ));
        }
        let ignores_case = self.ignores_case;
        let ready = |route: Route| route.ready(ignores_case);
        let rules = self.rules.into_iter();
        let answers = self.denials.resolve()?;
        let entrance = answers
            .sign_in
            .as_ref()
            .and_then(GatePage::path)
            .map(Route::exact);
        Ok(Gate::new(Rules {
            everything: self.everything,
            rules: rules
                .map(|(route, demand)| Ok((ready(route)?, demand)))
                .collect::<Result<_>>()?,
            api: self.api.into_iter().map(ready).collect::<Result<_>>()?,
            entrance: entrance.transpose()?.map(ready).transpose()?,
            home: self.home.map(|url| GatePage::new(&url)).transpose()?,
            answers,
            ignores_case: self.ignores_case,
            outlook,
        }))
    }
}

impl fmt::Debug for RouteRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteRules")
            .field("everything", &self.everything)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The rules, as a check of requests.
struct Rules {
    everything: bool,
    rules: Vec<(Route, Demand)>,
    api: Vec<Route>,
    /// The sign-in page, where it is on the application's own origin.
    entrance: Option<Route>,
    home: Option<GatePage>,
    answers: GateAnswers,
    ignores_case: bool,
    outlook: CookieInspector,
}

/// The union of the demands of all rules that select a request.
#[derive(Default)]
struct Demanded<'a> {
    session: bool,
    groups: Vec<&'a GroupRule>,
}

impl Rules {
    /// Returns the demands on a request, over every reading of its path. A predicate that panics demands a
    /// session.
    async fn demanded(&self, readings: &[String], head: &Parts) -> Demanded<'_> {
        let mut demanded = Demanded::default();
        for path in readings {
            if self.one_demands(path, head, &mut demanded).await.is_err() {
                demanded.session = true;
            }
        }
        demanded
    }

    async fn one_demands<'a>(
        &'a self,
        path: &str,
        head: &Parts,
        demanded: &mut Demanded<'a>,
    ) -> Result<(), Panicked> {
        let (mut public, mut protected) = (false, false);
        if let Some(entrance) = &self.entrance {
            public = entrance.is_about(path, head).await?;
        }
        for (route, demand) in &self.rules {
            if route.is_about(path, head).await? {
                match demand {
                    Demand::Public => public = true,
                    Demand::Session => protected = true,
                    Demand::Groups(rule) => {
                        protected = true;
                        demanded.groups.push(rule);
                    }
                }
            }
        }
        demanded.session |= protected || (self.everything && !public);
        Ok(())
    }

    async fn any(routes: &[Route], readings: &[String], head: &Parts) -> bool {
        for path in readings {
            for route in routes {
                // A route whose predicate panicked is answered as an API.
                if route.is_about(path, head).await.unwrap_or(true) {
                    return true;
                }
            }
        }
        false
    }

    /// Redirects a browser with a session away from the sign-in page, but not one that was redirected there:
    /// its cookie may be of a session that has ended.
    async fn leaves(&self, readings: &[String], head: &Parts) -> Option<Response<String>> {
        let (entrance, home) = (self.entrance.as_ref()?, self.home.as_ref()?);
        let query = head.uri.query().unwrap_or_default();
        let sent = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == RETURN_TO);
        if sent || !head.method.is_safe() || !self.outlook.of(&head.headers).is_sealed() {
            return None;
        }
        let here = Self::any(std::slice::from_ref(entrance), readings, head).await;
        here.then(|| home.redirect())
    }

    async fn deny(&self, why: Denied, readings: &[String], head: &Parts) -> Response<String> {
        if let Some(answer) = self.answers.own(head, why) {
            return answer;
        }
        let is_page = is_navigation(head) && !Self::any(&self.api, readings, head).await;
        let page = is_page.then(|| self.answers.page(head, why)).flatten();
        page.unwrap_or_else(|| {
            let error = match why {
                Denied::SignedOut => Error::unauthenticated(Refusal::Missing),
                Denied::Forbidden => Error::forbidden(),
            };
            for_this_cookie(error.to_response())
        })
    }
}

#[async_trait]
impl Check for Rules {
    async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        if head.uri.path().len() > LONGEST {
            return Err(problem(StatusCode::URI_TOO_LONG, None, &[]));
        }
        let path = NormalPath::of(head.uri.path());
        let cased = |reading: &str| match self.ignores_case {
            true => reading.to_ascii_lowercase(),
            false => reading.to_owned(),
        };
        let readings: Vec<String> = path.readings().map(cased).collect();
        if let Some(home) = self.leaves(&readings, head).await {
            return Err(home);
        }
        let demanded = self.demanded(&readings, head).await;
        if !demanded.session {
            return Ok(());
        }
        let seen = self.outlook.of(&head.headers);
        let why = if !seen.is_there() {
            Denied::SignedOut
        } else if demanded.groups.iter().all(|rule| seen.is_in(rule)) {
            return Ok(());
        } else {
            Denied::Forbidden
        };
        events::route_denied(why == Denied::Forbidden);
        Err(self.deny(why, &readings, head).await)
    }
}

/// Returns whether the request is a browser's navigation, which would follow a redirect to a page. Calls of
/// `fetch`, and every other client, get a status that they can act on.
fn is_navigation(head: &Parts) -> bool {
    match head.headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => head.headers.get_all(ACCEPT).iter().any(|accept| {
            let accept = accept.as_bytes();
            accept
                .split(|byte| *byte == b',')
                .filter_map(|range| range.split(|byte| *byte == b';').next())
                .any(|range| range.trim_ascii().eq_ignore_ascii_case(b"text/html"))
        }),
    }
}
