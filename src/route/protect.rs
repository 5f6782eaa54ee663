//! Guards of single routes: they let verified viewers alone pass.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::Response;
use http::request::Parts;

use super::answers::{Denials, Denied, GateAnswers, for_this_cookie};
use super::gate::{Check, Gate};
use super::{GroupRule, Groups};
use crate::error::{Error, Result};
use crate::events;
use crate::request::verify_session;
use crate::session::Verified;
use crate::viewer::Viewer;

type Condition<V> = Arc<dyn Fn(&Verified<V>, &Parts) -> bool + Send + Sync>;

/// A gate that lets verified viewers alone pass, and of those the ones that meet every condition.
///
/// Unlike [`RouteRules`](super::RouteRules) it verifies the session, so it goes inside of the session layer.
/// It saves handlers work, and is no replacement for the rules of repositories.
///
/// # Example
///
/// ```
/// use clearance::route::{Gate, GroupRule, Protect};
/// use clearance::{Result, Viewer};
///
/// #[derive(Viewer)]
/// struct Member { id: i64, admin: bool }
///
/// fn admin_pages() -> Result<Gate> {
///     Protect::<Member>::page("/sign-in")
///         .require(|member| member.admin)
///         .denied_page("/not-for-you")
///         .build()
/// }
///
/// fn billing_api() -> Result<Gate> {
///     Protect::<Member>::api()
///         .groups(GroupRule::any_of(["billing", "finance"])?)
///         .build()
/// }
/// ```
pub struct Protect<V> {
    denials: Denials,
    conditions: Vec<Condition<V>>,
}

impl<V: Viewer> Protect<V> {
    /// Guards a page: browsers that are not signed in are redirected to the page at `sign_in`, with the
    /// return URL in the parameter `return_to`. So are those whose viewer must prove again who they are.
    #[must_use]
    pub fn page(sign_in: &str) -> Self {
        Self::new(Some(sign_in.to_owned()))
    }

    /// Guards an API: clients that are not signed in get 401, those that may not call it 403, with problem
    /// details.
    #[must_use]
    pub fn api() -> Self {
        Self::new(None)
    }

    fn new(sign_in: Option<String>) -> Self {
        Self {
            denials: Denials {
                sign_in,
                ..Denials::default()
            },
            conditions: Vec::new(),
        }
    }

    /// Requires that `condition` holds of the viewer, for instance of their role.
    #[must_use]
    pub fn require(self, condition: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.authorize(move |verified, _| condition(verified.viewer()))
    }

    /// Requires that the session has these [groups](Verified::groups).
    #[must_use]
    pub fn groups(self, rule: GroupRule) -> Self {
        self.authorize(move |verified, _| rule.allows(verified.groups()))
    }

    /// Requires that the viewer itself has these groups.
    #[must_use]
    pub fn groups_of(
        self,
        rule: GroupRule,
        groups: impl Fn(&V) -> Groups + Send + Sync + 'static,
    ) -> Self {
        self.require(move |viewer| rule.allows(&groups(viewer)))
    }

    /// Requires that `condition` holds of the verified session and the request's head.
    #[must_use]
    pub fn authorize(
        mut self,
        condition: impl Fn(&Verified<V>, &Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.conditions.push(Arc::new(condition));
        self
    }

    /// Sets the page to which browsers are redirected whose viewer may not have this one. Without it they get
    /// 403.
    #[must_use]
    pub fn denied_page(mut self, url: &str) -> Self {
        self.denials.denied_page = Some(url.to_owned());
        self
    }

    /// Sets a function that builds the responses to refused requests. It must return one: the handler never
    /// runs.
    #[must_use]
    pub fn on_denied(
        mut self,
        answer: impl Fn(&Parts, Denied) -> Response<String> + Send + Sync + 'static,
    ) -> Self {
        self.denials.on_denied = Some(Arc::new(answer));
        self
    }

    /// Builds the gate.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] for a page that is neither a path nor a URL.
    pub fn build(self) -> Result<Gate> {
        Ok(Gate::new(Protected {
            answers: self.denials.resolve()?,
            conditions: self.conditions,
        }))
    }
}

impl<V> fmt::Debug for Protect<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protect")
            .field("sign_in", &self.denials.sign_in)
            .field("conditions", &self.conditions.len())
            .finish_non_exhaustive()
    }
}

/// The guard, as a check of requests.
struct Protected<V> {
    answers: GateAnswers,
    conditions: Vec<Condition<V>>,
}

impl<V: Viewer> Protected<V> {
    fn deny(&self, why: Denied, head: &Parts, error: &Error) -> Response<String> {
        let answers = &self.answers;
        let answer = answers.own(head, why).or_else(|| answers.page(head, why));
        answer.unwrap_or_else(|| for_this_cookie(error.to_response()))
    }
}

#[async_trait]
impl<V: Viewer> Check for Protected<V> {
    async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        let verified = match verify_session::<V>().await {
            Ok(verified) => verified,
            Err(error) if error.is_unauthenticated() || error.is_step_up() => {
                return Err(self.deny(Denied::SignedOut, head, &error));
            }
            // It is unknown who the viewer is, so this is neither a sign-in nor a refusal.
            Err(error) => return Err(error.to_response()),
        };
        if self
            .conditions
            .iter()
            .all(|condition| condition(&verified, head))
        {
            return Ok(());
        }
        events::call_denied();
        Err(self.deny(Denied::Forbidden, head, &Error::forbidden()))
    }
}
