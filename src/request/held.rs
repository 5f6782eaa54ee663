//! Accesses that are held: the session that a request still grants them.

use std::sync::Arc;

use super::RequestContext;
use crate::audit;
use crate::error::{Error, Refusal, Result};
use crate::session::{Loaded, Verified};
use crate::viewer::Viewer;

/// An access is made for one session of one subject, and a request can get another: by a sign-in, a
/// sign-out or a new id. So whatever is found out for its use must be of the session that it was made
/// for (decision 49).
impl RequestContext {
    /// The viewer of the session that `held` is of, as they are now.
    pub(crate) async fn still<V: Viewer>(&self, held: &Verified<V>) -> Result<Verified<V>> {
        let found = match self.ready() {
            Some(found) => found,
            // On the heap, so that a use that finds its answer is a small future.
            None => Box::pin(self.verify_session()).await?,
        };
        require_same(held.loaded(), found.loaded())?;
        Ok(found)
    }

    /// The same, with the store and the viewer source asked in this very call.
    pub(crate) async fn still_current<V: Viewer>(&self, held: &Verified<V>) -> Result<Verified<V>> {
        let found = self.verify_current().await?.into_verified();
        require_same(held.loaded(), found.loaded())?;
        Ok(found)
    }

    /// The same where nobody knows the type of the viewer.
    pub(crate) async fn require_still(&self, held: &Loaded) -> Result<()> {
        let found = match self.inner.first.ready_loaded() {
            Some(found) => Arc::clone(found),
            None => {
                let slot = self.inner.slot();
                slot.found(&self.inner.first, &self.origin()).await?
            }
        };
        require_same(held, &found)
    }

    /// Returns whether `held` is of the session that this request has, and nothing was revoked since. No
    /// store is asked.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] where the request has another session, or none.
    pub(crate) fn holds(&self, held: &Loaded) -> Result<bool> {
        if let Some(found) = self.inner.first.ready_loaded() {
            return require_same(held, found).map(|()| true);
        }
        match self.inner.slot().named()? {
            named if named.credential.id == held.id => Ok(held.holds()),
            _ => Err(another_session()),
        }
    }

    /// Returns whether a viewer that was found then is recent enough for what goes on now.
    pub(crate) fn is_recent(&self, loaded: &Loaded) -> bool {
        loaded.holds() && self.inner.slot().is_recent(loaded)
    }
}

fn require_same(held: &Loaded, found: &Loaded) -> Result<()> {
    if found.is_same_session(held) {
        Ok(())
    } else {
        Err(another_session())
    }
}

fn another_session() -> Error {
    audit::access_of_another_session();
    Error::unauthenticated(Refusal::Unknown)
}
