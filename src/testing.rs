//! Tools for an application's own tests: a manual clock, a viewer without a sign-in, and the contracts of a
//! session store and of an adapter.

#[cfg(feature = "accounts")]
mod account;
mod contract;
mod line;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

#[cfg(feature = "accounts")]
pub use account::{check_adapter, check_session_adapter};
pub use contract::BrokenContract;
pub use store::check_session_store;

use crate::clock::Clock;
use crate::policy::Context;
use crate::request::RequestContext;
use crate::session::{First, Nobody, RequestSession, Verified};
use crate::viewer::Viewer;

/// A clock that stands still until it is moved. Clones share the time.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use clearance::Clock;
/// use clearance::testing::ManualClock;
///
/// let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.now().to_rfc3339(), "2026-01-01T00:01:30+00:00");
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
}

impl ManualClock {
    /// Builds a clock that shows `instant`.
    #[must_use]
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self {
            micros: Arc::new(AtomicI64::new(instant.timestamp_micros())),
        }
    }

    /// Sets the clock to `instant`, earlier or later.
    pub fn set(&self, instant: DateTime<Utc>) {
        self.micros
            .store(instant.timestamp_micros(), Ordering::SeqCst);
    }

    /// Advances the clock by `step`.
    pub fn advance(&self, step: Duration) {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
        self.micros.fetch_add(step, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// Builds a request of `viewer`, who is verified and current without any session.
///
/// Page cursors work as they do with a session, from one such request to the next of the same viewer.
///
/// # Example
///
/// ```
/// use clearance::testing::as_viewer;
/// use clearance::{Subject, Viewer, verify_session};
///
/// struct Member { id: i64 }
///
/// impl Viewer for Member {
///     fn subject(&self) -> Subject {
///         Subject::new(self.id)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> clearance::Result<()> {
/// let request = as_viewer(Member { id: 7 });
/// let member = request.scope(verify_session::<Member>()).await?;
/// assert_eq!(member.viewer().id, 7);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn as_viewer<V: Viewer>(viewer: V) -> RequestContext {
    as_viewer_in(viewer, Context::new(crate::SystemClock.now()))
}

/// Builds a request of `viewer` in the given circumstances, for rules over `context`.
#[must_use]
pub fn as_viewer_in<V: Viewer>(viewer: V, context: Context) -> RequestContext {
    let verified = Verified::given(viewer, context.now);
    let first = First::of::<V>();
    first.set(&verified);
    RequestContext::with_slot(RequestSession::<V>::fixed(), first, context)
}

/// Builds a request without a viewer: every verification is refused.
///
/// # Example
///
/// ```
/// use clearance::testing::as_nobody;
/// # struct Member;
/// # impl clearance::Viewer for Member {
/// #     fn subject(&self) -> clearance::Subject { clearance::Subject::new(1) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let refused = as_nobody().verify_session::<Member>().await;
/// assert!(refused.unwrap_err().is_unauthenticated());
/// # }
/// ```
#[must_use]
pub fn as_nobody() -> RequestContext {
    let context = Context::new(crate::SystemClock.now());
    RequestContext::with_slot(Nobody, First::of::<Nobody>(), context)
}
