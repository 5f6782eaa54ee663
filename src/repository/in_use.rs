//! One use of an access: the identity, the request, and the instant under which rules are evaluated
//! (decision 48).

use super::access::Access;
use super::grant::{MayWrite, Principal, Reads};
use crate::clock::{Clock as _, SystemClock};
use crate::entity::{Entity, Operation};
use crate::error::{Error, Result};
use crate::policy::{Context, Decision, Rule, decide};
use crate::request::RequestContext;
use crate::session::Verified;
use crate::viewer::Viewer;

/// One use of an access: one instant, and one viewer as they are when it begins.
pub(crate) struct InUse<V: Viewer> {
    request: Option<RequestContext>,
    who: Who<V>,
    context: Context,
}

/// The freshness required of the viewer of a use.
#[derive(Clone, Copy)]
pub(super) enum Level {
    Verified,
    /// The store and the viewer source are queried in this very call.
    Current,
}

enum Who<V: Viewer> {
    Viewer(Verified<V>),
    Nobody,
    /// The program itself: no rule is evaluated.
    System,
}

impl<P> Access<P> {
    /// Begins a use, with the viewer verified at [`Level::Verified`].
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] if the session for which the access was made has ended, or the
    /// request has another one by now. [`Error::is_misuse`] outside its request.
    pub(super) async fn in_use<V: Viewer>(&self) -> Result<InUse<V>>
    where
        P: Reads<V>,
    {
        self.begin_use(Level::Verified).await
    }

    /// Begins a use without waiting; `None` if the session must be checked first, or the viewer must be
    /// loaded anew.
    pub(crate) fn in_use_at_once<V: Viewer>(&self) -> Result<Option<InUse<V>>>
    where
        P: Reads<V>,
    {
        let request = self.request()?;
        let who = match (self.asker::<V>(), &request) {
            (Principal::Viewer(held), Some(request)) => {
                if !request.holds(held.loaded())? {
                    return Ok(None);
                }
                Who::Viewer(held.clone())
            }
            (Principal::Viewer(_), None) => {
                return Err(Error::internal("a viewer without a request"));
            }
            (Principal::Nobody, _) => Who::Nobody,
            (Principal::System, _) => Who::System,
        };
        Ok(Some(InUse::new(request, who)))
    }

    /// Begins a use, with the viewer verified at this level.
    pub(super) async fn begin_use<V: Viewer>(&self, level: Level) -> Result<InUse<V>>
    where
        P: Reads<V>,
    {
        let request = self.request()?;
        let who = match (self.asker::<V>(), &request) {
            (Principal::Viewer(held), Some(request)) => Who::Viewer(match level {
                Level::Verified => request.still(held).await?,
                Level::Current => request.still_current(held).await?,
            }),
            (Principal::Viewer(_), None) => {
                return Err(Error::internal("a viewer without a request"));
            }
            (Principal::Nobody, _) => Who::Nobody,
            (Principal::System, _) => Who::System,
        };
        Ok(InUse::new(request, who))
    }

    /// Refuses an access whose session has ended, or is no longer that of its request.
    pub(super) async fn require_standing(&self) -> Result<()>
    where
        P: MayWrite,
    {
        match (self.request()?, self.held()) {
            (Some(request), Some(held)) => request.require_still(held).await,
            _ => Ok(()),
        }
    }
}

impl<V: Viewer> InUse<V> {
    fn new(request: Option<RequestContext>, who: Who<V>) -> Self {
        Self {
            context: circumstances(request.as_ref()),
            request,
            who,
        }
    }

    pub(super) const fn request(&self) -> Option<&RequestContext> {
        self.request.as_ref()
    }

    pub(super) const fn asker(&self) -> Principal<'_, V> {
        match &self.who {
            Who::Viewer(verified) => Principal::Viewer(verified),
            Who::Nobody => Principal::Nobody,
            Who::System => Principal::System,
        }
    }

    pub(super) const fn verified(&self) -> Option<&Verified<V>> {
        match &self.who {
            Who::Viewer(verified) => Some(verified),
            Who::Nobody | Who::System => None,
        }
    }

    pub(super) fn viewer(&self) -> Option<&V> {
        self.verified().map(Verified::viewer)
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// Returns whether rules are evaluated; they are not for the program itself.
    pub(super) const fn asks_rules(&self) -> bool {
        !matches!(self.who, Who::System)
    }

    /// Evaluates the rules of an operation.
    pub(super) fn operation<E: Entity<Viewer = V>>(&self, operation: &Operation<E>) -> Decision {
        if !self.asks_rules() {
            return Decision::Allow;
        }
        self.note(operation.rules());
        operation.decide(self.viewer(), &self.context)
    }

    /// Evaluates other rules, which must all hold.
    pub(super) fn rules<E: Entity<Viewer = V>>(&self, rules: &[Rule<V, E>]) -> Decision {
        if !self.asks_rules() {
            return Decision::Allow;
        }
        self.note(rules);
        decide(rules, self.viewer(), &self.context)
    }

    /// Notes, for the request's memo, that a result may depend on the instant.
    pub(super) fn note<E>(&self, rules: &[Rule<V, E>]) {
        let mut rules = rules.iter();
        if rules.any(|rule| rule.reads_time() || rule.is_opaque()) {
            self.note_time();
        }
    }

    pub(super) fn note_time(&self) {
        if let Some(request) = &self.request {
            request.instants().note(self.context.now);
        }
    }

    /// Returns the same use with the viewer loaded anew, if something was revoked or changed since, or
    /// the load is too old; `None` if the present viewer is still recent.
    pub(super) async fn renewed(&self) -> Result<Option<Self>> {
        let (Some(request), Who::Viewer(held)) = (&self.request, &self.who) else {
            return Ok(None);
        };
        if request.is_recent(held.loaded()) {
            return Ok(None);
        }
        request.renew();
        let found = request.still(held).await?;
        Ok(Some(Self {
            who: Who::Viewer(found),
            ..self.clone()
        }))
    }

    /// Returns the same use at the present instant.
    pub(super) fn now(&self) -> Self {
        Self {
            context: circumstances(self.request.as_ref()),
            ..self.clone()
        }
    }
}

fn circumstances(request: Option<&RequestContext>) -> Context {
    match request {
        Some(request) => request.circumstances(),
        None => Context::new(SystemClock.now()),
    }
}

impl<V: Viewer> Clone for InUse<V> {
    fn clone(&self) -> Self {
        Self {
            request: self.request.clone(),
            who: match &self.who {
                Who::Viewer(verified) => Who::Viewer(verified.clone()),
                Who::Nobody => Who::Nobody,
                Who::System => Who::System,
            },
            context: self.context.clone(),
        }
    }
}
