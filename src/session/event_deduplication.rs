//! Per-request deduplication of session events.

use std::sync::atomic::{AtomicBool, Ordering};

use super::event::{SessionEvent, SessionEventKind};
use super::level::LoadedSession;
use super::lifecycle::SessionManager;
use super::origin::Origin;
use crate::error::Refusal;
use crate::events;

/// The events that this request has reported already.
#[derive(Default)]
pub(super) struct EventDeduplication {
    /// Set once a refused credential was logged.
    logged: AtomicBool,
    /// Set once a refused credential was reported to the sink.
    recorded: AtomicBool,
    /// Set once a required step-up was reported.
    step_up: AtomicBool,
}

impl EventDeduplication {
    /// Logs a refused credential, without the sink, which only an async caller can wait for.
    pub(super) fn log(&self, refusal: Refusal, origin: impl Fn() -> Origin) {
        if let Some(kind) = SessionEventKind::refused(refusal)
            && !self.logged.swap(true, Ordering::Relaxed)
        {
            let origin = origin();
            let refusal = kind.reason().unwrap_or(kind.as_str());
            events::credential_refused(refusal, origin.address, origin.request_id.as_deref());
        }
    }

    /// Reports a refused credential, to the log and the sink.
    pub(super) async fn refused(
        &self,
        refusal: Refusal,
        core: &SessionManager,
        origin: impl Fn() -> Origin,
    ) {
        self.log(refusal, &origin);
        if let Some(kind) = SessionEventKind::refused(refusal)
            && !self.recorded.swap(true, Ordering::Relaxed)
        {
            core.events.record(refused(kind, core, &origin())).await;
        }
    }

    /// Reports that the session requires a step-up.
    pub(super) async fn step_up(
        &self,
        loaded: &LoadedSession,
        core: &SessionManager,
        origin: impl Fn() -> Origin,
    ) {
        if !self.step_up.swap(true, Ordering::Relaxed) {
            let kind = SessionEventKind::StepUpRequired;
            let (id, subject) = (Some(loaded.id), Some(&loaded.subject));
            core.tell(kind, id, subject, &origin()).await;
        }
    }
}

/// Builds the event of a refused credential. It names no session and no subject: the credential's contents
/// are not trusted.
fn refused(kind: SessionEventKind, core: &SessionManager, origin: &Origin) -> SessionEvent {
    SessionEvent::new(core.now(), kind, None, None, origin)
}
