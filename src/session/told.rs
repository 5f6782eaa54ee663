//! What is told of a request once, however often it asks.

use std::sync::atomic::{AtomicBool, Ordering};

use super::level::Loaded;
use super::lifecycle::Core;
use super::origin::Origin;
use crate::audit::{self, SessionEvent, SessionEventKind};
use crate::error::Refusal;

/// Whether it was told already.
#[derive(Default)]
pub(super) struct Told {
    /// That the credential is refused, to the log.
    logged: AtomicBool,
    /// The same, to the sink.
    recorded: AtomicBool,
    /// That a proof is wanted.
    step_up: AtomicBool,
}

impl Told {
    /// Logs a refused credential: the sink can only be told by who may wait for it.
    pub(super) fn log(&self, refusal: Refusal, core: &Core, origin: impl Fn() -> Origin) {
        if let Some(kind) = SessionEventKind::refused(refusal)
            && !self.logged.swap(true, Ordering::Relaxed)
        {
            audit::credential_refused(&refused(kind, core, &origin()));
        }
    }

    /// Tells of a refused credential.
    pub(super) async fn refused(&self, refusal: Refusal, core: &Core, origin: impl Fn() -> Origin) {
        self.log(refusal, core, &origin);
        if let Some(kind) = SessionEventKind::refused(refusal)
            && !self.recorded.swap(true, Ordering::Relaxed)
        {
            core.events.record(refused(kind, core, &origin())).await;
        }
    }

    /// Tells that the subject of a session must prove again who it is.
    pub(super) async fn step_up(&self, loaded: &Loaded, core: &Core, origin: impl Fn() -> Origin) {
        if !self.step_up.swap(true, Ordering::Relaxed) {
            let kind = SessionEventKind::StepUpRequired;
            let (id, subject) = (Some(loaded.id), Some(&loaded.subject));
            core.tell(kind, id, subject, &origin()).await;
        }
    }
}

/// Whose credential it is nobody knows: what it says was not believed.
fn refused(kind: SessionEventKind, core: &Core, origin: &Origin) -> SessionEvent {
    SessionEvent::new(core.now(), kind, None, None, origin)
}
