//! The join of a session and its viewer in one statement (decision 63).

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::store::{SessionId, SessionRecord, StoreError};
use super::viewer_source::ViewerSource;
use crate::driver::Db;
use crate::viewer::Viewer;

/// A loader of a session and its viewer in one statement, where both are in one database.
#[async_trait]
pub(crate) trait WithViewer<V>: Send + Sync {
    /// Returns the session with this `id`, if it is not expired at `now`, and its viewer. `None` if the
    /// statement does not show which of the two is missing.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn find(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<(SessionRecord, V)>, StoreError>;
}

/// Boxes a source's loader as `Any`, because a public trait cannot name its type.
pub(crate) fn handed<V: Viewer>(finds: Arc<dyn WithViewer<V>>) -> Box<dyn Any> {
    Box::new(finds)
}

/// Returns the loader of a session in `sessions` together with a viewer of `source`, if there is one.
pub(super) fn with_viewer<V: Viewer>(
    sessions: &Db,
    source: &impl ViewerSource<V>,
) -> Option<Arc<dyn WithViewer<V>>> {
    let handed = source.__with_viewer(sessions)?;
    handed.downcast().ok().map(|finds| *finds)
}
