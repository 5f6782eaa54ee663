//! The sink of session events, beside the log.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::event::SessionEvent;
use crate::scope::outside_of_requests;

/// A sink for the [`SessionEvent`]s of sessions that are configured with it; see
/// [`SessionsBuilder::events`](crate::session::SessionsBuilder::events).
///
/// It is called after the event, outside of any request, and the caller waits until it returns: put slow
/// work into a queue. Implementations need `#[clearance::async_trait]`.
///
/// Anybody can send a forged cookie, and each request with one is a call with
/// [`Refused`](crate::audit::SessionEventKind::Refused): a sink that writes to a database should drop or sample these.
#[async_trait]
pub trait SessionEventSink: Send + Sync + 'static {
    /// Records the event. Errors stay within this function: a session that was ended stays ended.
    async fn record(&self, event: &SessionEvent);
}

#[async_trait]
impl<S: SessionEventSink + ?Sized> SessionEventSink for Arc<S> {
    async fn record(&self, event: &SessionEvent) {
        (**self).record(event).await;
    }
}

/// The sink of session events, if there is one.
#[derive(Clone, Default)]
pub(crate) struct SessionEvents(Option<Arc<dyn SessionEventSink>>);

impl SessionEvents {
    pub(crate) fn to(sink: impl SessionEventSink) -> Self {
        Self(Some(Arc::new(sink)))
    }

    pub(crate) async fn tell(&self, event: SessionEvent) {
        event.log();
        self.record(event).await;
    }

    /// Gives the event to the sink alone, for events that are logged in another form.
    pub(crate) async fn record(&self, event: SessionEvent) {
        if let Some(sink) = &self.0 {
            outside_of_requests(sink.record(&event)).await;
        }
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionEvents(..)")
    }
}
