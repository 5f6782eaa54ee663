//! Step-up proofs: a viewer who authenticated recently and at sufficient assurance.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::level::{Current, Verified};
use super::store::Assurance;
use crate::error::{Error, Result};
use crate::viewer::Viewer;

/// The requirements on a proof: how recently, and at which assurance, a subject must have authenticated
/// ([ASVS 7.5.1 and 7.5.3](https://github.com/OWASP/ASVS)).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use clearance::session::{Assurance, Freshness};
///
/// let freshness = Freshness::within(Duration::from_secs(5 * 60)).assurance(Assurance::Aal2);
/// # let _ = freshness;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it is for `verify_fresh`"]
pub struct Freshness {
    within: Duration,
    assurance: Assurance,
}

impl Freshness {
    /// Requires a proof that is at most `duration` old, with at least one factor.
    pub const fn within(duration: Duration) -> Self {
        Self {
            within: duration,
            assurance: Assurance::Aal1,
        }
    }

    /// Requires at least this assurance.
    pub const fn assurance(mut self, assurance: Assurance) -> Self {
        self.assurance = assurance;
        self
    }

    pub(crate) fn check<V: Viewer>(
        self,
        current: Current<V>,
        now: DateTime<Utc>,
        request: RequestNumber,
    ) -> Result<Fresh<V>> {
        let within = TimeDelta::from_std(self.within).unwrap_or(TimeDelta::MAX);
        let age = now.signed_duration_since(current.authenticated_at());
        // A proof from the future means that a clock was set back.
        if age <= within && age >= TimeDelta::zero() && current.assurance() >= self.assurance {
            Ok(Fresh {
                current,
                freshness: self,
                request,
            })
        } else {
            Err(Error::step_up())
        }
    }
}

/// The unique number of a request in the process, by which a proof is bound to it. An address would not do: it is
/// reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestNumber(u64);

impl RequestNumber {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A [`Current`] viewer who authenticated recently and at sufficient assurance.
///
/// It is for actions that nobody should be able to take at a browser that was left open: changing an address,
/// a password or a second factor, ending sessions, deleting an account. A function that takes one cannot be
/// called without it.
///
/// It is valid in its request, for its session, and for as long as it is fresh: methods that list or end
/// sessions check all of that again, so a held proof is useless after a sign-out, after a rotation, or once
/// it is too old.
///
/// It is no extractor: the handler chooses the required freshness in
/// [`verify_fresh`](crate::RequestContext::verify_fresh).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use clearance::session::{Fresh, Freshness};
/// use clearance::{RequestContext, Result, Viewer};
///
/// # struct Member;
/// # impl Viewer for Member {
/// #     fn subject(&self) -> clearance::Subject { clearance::Subject::new(1) }
/// # }
/// async fn close_account(proof: &Fresh<Member>) { /* .. */ }
///
/// async fn handler(request: RequestContext) -> Result<()> {
///     let five_minutes = Duration::from_secs(5 * 60);
///     let proof = request.verify_fresh(Freshness::within(five_minutes)).await?;
///     close_account(&proof).await;
///     Ok(())
/// }
/// ```
pub struct Fresh<V> {
    current: Current<V>,
    freshness: Freshness,
    request: RequestNumber,
}

impl<V: Viewer> Fresh<V> {
    /// Drops the stronger claim.
    #[must_use]
    pub fn into_current(self) -> Current<V> {
        self.current
    }

    /// Returns the requirements that the proof met.
    pub(crate) const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Refuses any request but the one that the proof was made in.
    pub(crate) fn require(&self, request: RequestNumber) -> Result<()> {
        if self.request == request {
            return Ok(());
        }
        Err(Error::misuse(
            "this proof belongs to another request: ask for a new one with `verify_fresh` in each request",
        ))
    }
}

impl<V> Deref for Fresh<V> {
    type Target = Verified<V>;

    fn deref(&self) -> &Self::Target {
        &self.current
    }
}

impl<V> fmt::Debug for Fresh<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fresh").field(&self.current).finish()
    }
}
