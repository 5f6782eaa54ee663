//! An extractor for a viewer who may be signed out.

use std::fmt;

use super::optional;
use crate::error::Result;
use crate::request::verify_session;
use crate::session::Verified;
use crate::viewer::Viewer;

/// The viewer of the request, or `None` when nobody is signed in. It is for the frameworks whose own `Option`
/// of an extractor is `None` for every error: with that, an outage of the store would look like a signed-out
/// user.
///
/// An outage is an error here, and so is a viewer of whom a
/// [hook](crate::session::SessionHooks::on_verify) wants another proof: 401.
pub struct Optional<V>(pub Option<Verified<V>>);

impl<V: Viewer> Optional<V> {
    pub(super) async fn find() -> Result<Self> {
        optional(verify_session().await).map(Self)
    }
}

impl<V> fmt::Debug for Optional<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Optional").field(&self.0).finish()
    }
}
