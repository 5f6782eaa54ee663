//! A session and its viewer, found at once.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::store::{SessionId, SessionRecord, StoreError};
use crate::viewer::{Viewer, ViewerSource};

/// Finds a session and its viewer in one statement, where both are in one database.
#[async_trait]
pub(crate) trait WithViewer<V>: Send + Sync {
    /// The session of `id` that lives at `now`, with its viewer. `None` where it cannot be told at once which of the
    /// two there is.
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

/// Wraps what a source has for this, because a public trait cannot name it.
pub(crate) fn handed<V: Viewer>(finds: Arc<dyn WithViewer<V>>) -> Box<dyn Any> {
    Box::new(finds)
}

/// Returns how a session of `store` is found together with a viewer of `source`, if it can be.
pub(super) fn with_viewer<V: Viewer>(
    store: &dyn Any,
    source: &impl ViewerSource<V>,
) -> Option<Arc<dyn WithViewer<V>>> {
    let handed = source.__with_viewer(store)?;
    handed.downcast().ok().map(|finds| *finds)
}
