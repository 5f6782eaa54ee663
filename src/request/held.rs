//! The check at each use of a held access: the request must still have the session it was made for.

use std::sync::Arc;

use super::RequestContext;
use crate::error::{Error, Refusal, Result};
use crate::events;
use crate::session::{LoadedSession, Verified};
use crate::viewer::Viewer;

/// An access is made for one session of one subject, and a request can get another: by a sign-in, a sign-out
/// or a new id. So each use checks that the viewer found then is of the session that the access was made for
/// (decision 49).
impl RequestContext {
    /// Returns the current viewer of the session of `held`.
    pub(crate) async fn still<V: Viewer>(&self, held: &Verified<V>) -> Result<Verified<V>> {
        let found = match self.ready() {
            Some(found) => found,
            // Boxed, so that the future stays small for a use that finds its viewer in the request.
            None => Box::pin(self.verify_session()).await?,
        };
        require_same(held.loaded(), found.loaded())?;
        Ok(found)
    }

    /// Returns the same, read from the store and the viewer source in this very call.
    pub(crate) async fn still_current<V: Viewer>(&self, held: &Verified<V>) -> Result<Verified<V>> {
        let found = self.verify_current().await?.into_verified();
        require_same(held.loaded(), found.loaded())?;
        Ok(found)
    }

    /// Checks the same, for callers without the viewer's type.
    pub(crate) async fn require_still(&self, held: &LoadedSession) -> Result<()> {
        let found = match self.inner.first.ready_loaded() {
            Some(found) => Arc::clone(found),
            None => {
                let slot = self.inner.slot();
                slot.found(&self.inner.first, &self.origin()).await?
            }
        };
        require_same(held, &found)
    }

    /// Returns whether `held` is of the session that this request has, and nothing was revoked since. It does
    /// not query the store.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] where the request has another session, or none.
    pub(crate) fn holds(&self, held: &LoadedSession) -> Result<bool> {
        if let Some(found) = self.inner.first.ready_loaded() {
            return require_same(held, found).map(|()| true);
        }
        match self.inner.slot().named()? {
            named if named.credential.id == held.id => Ok(held.holds()),
            _ => Err(another_session()),
        }
    }

    /// Returns whether a loaded viewer is within the cache bound and not revoked, so that the request can
    /// continue with it.
    pub(crate) fn is_recent(&self, loaded: &LoadedSession) -> bool {
        loaded.holds() && self.inner.slot().is_recent(loaded)
    }
}

fn require_same(held: &LoadedSession, found: &LoadedSession) -> Result<()> {
    if found.is_same_session(held) {
        Ok(())
    } else {
        Err(another_session())
    }
}

fn another_session() -> Error {
    events::access_of_another_session();
    Error::unauthenticated(Refusal::Unknown)
}
