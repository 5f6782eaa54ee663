//! The request context: the credential, the memoized session and decisions, and the scope of one request.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use crate::driver::DatabaseId;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::Context;
use crate::session::{
    Address, Current, CursorSealer, Epochs, ErasedRequestSession, First, Hints, LoadedSession,
    Origin, RequestNumber, RequestSession, RequestSessionCell, Sessions, TokenGuard, Verified,
};
use crate::sql::SessionCheck;
use crate::viewer::Viewer;

mod changes;
mod decision_cache;
mod held;
mod instants;
mod intent;
mod memo_answers;
mod response;
mod scope;
mod sessions;

use self::changes::Changes;
pub(crate) use self::decision_cache::CachedDecision;
use self::decision_cache::DecisionCache;
use self::instants::Instants;
use self::intent::Intent;
pub(crate) use self::memo_answers::KeyPart;
use self::memo_answers::MemoAnswers;
#[cfg(any(feature = "actix-web", feature = "tower"))]
pub(crate) use self::scope::RequestScope;
pub use self::scope::{in_current_scope, spawn, verify_session};

/// The state that the library keeps for the length of one request.
///
/// An adapter's layer builds one for each request and runs the handler in its scope, so that
/// [`verify_session`] and repositories find it. Cloning copies a pointer to the same request.
///
/// # Example
///
/// Without an adapter:
///
/// ```
/// # use clearance::session::MemorySessionStore;
/// # use clearance::{Key, SourceError, Subject, ViewerSource, async_trait};
/// use clearance::{RequestContext, Sessions, Viewer, verify_session};
///
/// # struct Member { id: i64 }
/// # impl Viewer for Member {
/// #     fn subject(&self) -> Subject { Subject::new(self.id) }
/// # }
/// # struct Members;
/// # #[async_trait]
/// # impl ViewerSource<Member> for Members {
/// #     async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
/// #         Ok(subject.parse().ok().map(|id| Member { id }))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> clearance::Result<()> {
/// # let sessions = Sessions::builder(Key::generate()?, MemorySessionStore::new(), Members)
/// #     .app_url("https://app.example").build()?;
/// let request = http::HeaderMap::new();
/// let mut response = http::HeaderMap::new();
///
/// let context = RequestContext::new(&sessions, &request);
/// let outcome = context.scope(verify_session::<Member>()).await;
/// assert!(outcome.unwrap_err().is_unauthenticated());
/// context.finish(&mut response);
/// assert_eq!(response["cache-control"], "private, no-store");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RequestContext {
    inner: Arc<Inner>,
}

struct Inner {
    address: Option<IpAddr>,
    hints: Hints,
    credential_read: AtomicBool,
    finished: AtomicBool,
    intent: Intent,
    /// Set if the request may come from another site, until a CSRF token shows that it does not.
    unproved: AtomicBool,
    first: First,
    slot: RequestSessionCell,
    /// Allocated on first use, as is the session state: most requests of a server never use them (decision
    /// 44).
    notes: OnceLock<Box<Notes>>,
}

/// The state that only some requests need, for as long as they last.
#[derive(Default)]
struct Notes {
    /// The current time for tests without sessions, whose clock would tell it.
    given_now: Option<DateTime<Utc>>,
    decisions: DecisionCache,
    memo: MemoAnswers,
    changes: Changes,
    instants: Instants,
    set_cookies: Mutex<Vec<HeaderValue>>,
    id: OnceLock<Box<str>>,
    number: OnceLock<RequestNumber>,
}

/// A weak reference to a request, which may be over.
#[derive(Clone)]
pub(crate) struct WeakContext {
    inner: Weak<Inner>,
}

impl RequestContext {
    /// Builds the context of a request with these headers, from an unknown address.
    ///
    /// The headers are not parsed until the session is used. The request's method is unknown, so nothing is
    /// refused for it: where there is one, use [`of_parts`](Self::of_parts).
    #[must_use]
    pub fn new<V: Viewer>(sessions: &Sessions<V>, headers: &HeaderMap) -> Self {
        Self::begin(sessions, Intent::Any, headers, None)
    }

    /// Builds the same, from `address`, which rules see as `context.address`. It must be that of the
    /// connection or come from a proxy that the application trusts.
    #[must_use]
    pub fn from_address<V: Viewer>(
        sessions: &Sessions<V>,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Self {
        Self::begin(sessions, Intent::Any, headers, Some(address))
    }

    /// Builds the context of a request with this head, from `address` where it is known.
    ///
    /// As its method is known, a request with a safe one (`GET`, `HEAD`, `OPTIONS`, `TRACE`) writes nothing
    /// and ends or rotates no session ([ASVS 3.5.3](https://github.com/OWASP/ASVS)): a link on any site makes
    /// a browser send it, with its cookie. Four operations are allowed all the same: the callback of a
    /// sign-in ([`sign_in`](Self::sign_in), and [`step_up`](Self::step_up) after another proof) and a
    /// redeemed link, which carry a proof of their own, [`extend_session`](Self::extend_session), and
    /// [`set_session_data`](Self::set_session_data), which a form needs before it is sent.
    #[must_use]
    pub fn of_parts<V: Viewer>(
        sessions: &Sessions<V>,
        head: &Parts,
        address: Option<IpAddr>,
    ) -> Self {
        Self::received(sessions, &head.method, &head.headers, address)
    }

    pub(crate) fn received<V: Viewer>(
        sessions: &Sessions<V>,
        method: &Method,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Self {
        Self::begin(sessions, Intent::of(method), headers, address)
    }

    fn begin<V: Viewer>(
        sessions: &Sessions<V>,
        intent: Intent,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Self {
        let (hints, cookies) = Hints::of(headers);
        let service = Arc::clone(&sessions.service);
        let slot = RequestSessionCell::new(service, cookies, !hints.is_prefetch());
        Self {
            inner: Arc::new(Inner {
                address,
                intent,
                ..Inner::new(slot, First::of::<V>(), hints)
            }),
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn with_slot(
        slot: impl ErasedRequestSession,
        first: First,
        circumstances: Context,
    ) -> Self {
        let slot = RequestSessionCell::Given(Box::new(slot));
        Self {
            inner: Arc::new(Inner {
                address: circumstances.address,
                notes: Notes::at(Some(circumstances.now)),
                ..Inner::new(slot, first, Hints::default())
            }),
        }
    }

    /// Copies the credential into a context of its own, for work that continues after the response is sent: a
    /// WebSocket, or a task that outlives its request.
    ///
    /// The copy has none of this one's memoized results, so that it verifies the session anew: fork once for
    /// each message of a socket, and a revocation takes effect with the next one. It sets no cookie, so
    /// nobody can sign in there.
    ///
    /// Where this request must not change anything, because its method is safe, its fork must not either. The
    /// handshake of a socket is the exception, a `GET` with an `Upgrade`: its fork may write. Check the
    /// `Origin` of a handshake, which every site can send, with the [gate against forged
    /// requests](crate::route::Csrf).
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{RequestContext, Result, Viewer, verify_session};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// async fn answer(request: &RequestContext, message: &str) -> Result<String> {
    ///     let answer = async {
    ///         let member = verify_session::<Member>().await?;
    ///         Ok(format!("{} said {message}", member.viewer().id))
    ///     };
    ///     request.fork().scope(answer).await
    /// }
    /// ```
    #[must_use]
    pub fn fork(&self) -> Self {
        let intent = self.inner.intent.of_fork(&self.inner.hints);
        let slot = self.inner.slot();
        let first = self.inner.first.fork(slot.core().is_err());
        let fork = Self {
            inner: Arc::new(Inner {
                address: self.inner.address,
                intent,
                notes: Notes::at(self.inner.notes().given_now),
                finished: AtomicBool::new(true),
                unproved: AtomicBool::new(self.inner.unproved.load(Ordering::Acquire)),
                ..Inner::new(
                    RequestSessionCell::Given(slot.fork()),
                    first,
                    self.inner.hints.clone(),
                )
            }),
        };
        fork.with_request_id(self.request_id())
    }

    /// Sets the id that the request has elsewhere, such as in an `x-request-id` header.
    ///
    /// It may come from outside: one of more than 128 bytes, or with anything but visible ASCII
    /// characters, is ignored, and so is every one after the first.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::testing::as_nobody;
    /// let request = as_nobody().with_request_id("01J8-check-out");
    /// assert_eq!(request.request_id(), "01J8-check-out");
    ///
    /// let forged = as_nobody().with_request_id("7\n200 OK");
    /// assert_eq!(forged.request_id().len(), 32);
    /// ```
    #[must_use]
    pub fn with_request_id(self, id: &str) -> Self {
        self.take_id(id.as_bytes());
        self
    }

    pub(crate) fn take_id(&self, id: &[u8]) {
        const LONGEST: usize = 128;
        let valid = (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
        if let Some(id) = std::str::from_utf8(id).ok().filter(|_| valid) {
            let _earlier = self.inner.notes().id.set(id.into());
        }
    }

    /// Returns the id of this request in each of its [`AuditEvent`](crate::audit::AuditEvent)s: the one that
    /// [`with_request_id`](Self::with_request_id) or the layer set, or else a random one.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.inner.notes().id.get_or_init(|| {
            // The id must be unique and is no secret, so it uses no source of randomness that could fail.
            let random = RandomState::new();
            let [high, low] = [0_u8, 1].map(|half| random.hash_one(half));
            format!("{high:016x}{low:016x}").into()
        })
    }

    /// Returns the viewer of this request, verified against the store, or against a cache no older than the
    /// bound.
    ///
    /// The first call verifies, and later ones return the memoized viewer until the session is revoked or its
    /// viewer changed through this library. A long request, such as one with a streamed response, verifies
    /// again when its viewer is older than the [cache bound](crate::session::SessionsBuilder::cache_bound),
    /// or than a second where the bound is less. Concurrent calls share one load (single flight). An outage
    /// is not memoized.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] when there is no valid session, [`Error::is_step_up`] when a
    /// [hook](crate::session::SessionHooks::on_verify) asks for another proof,
    /// [`Error::is_unavailable`] when the store or the viewer source does not answer,
    /// [`Error::is_misuse`] when the request's sessions have another viewer type.
    pub async fn verify_session<V: Viewer>(&self) -> Result<Verified<V>> {
        if let Some(verified) = self.ready() {
            return Ok(verified);
        }
        let slot = self.slot::<V>()?;
        slot.verify(&self.inner.first, || self.origin()).await
    }

    /// Returns the viewer of this request, read from the store and the viewer source in this very call.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::verify_session`].
    pub async fn verify_current<V: Viewer>(&self) -> Result<Current<V>> {
        // Invalidates memoized results of methods: this call must not be answered by one.
        self.inner.notes().changes.note();
        let slot = self.slot::<V>()?;
        slot.current(&self.inner.first, || self.origin()).await
    }

    /// Returns the viewer, if this request has memoized it: no lock, no clock, one epoch.
    #[inline]
    fn ready<V: Viewer>(&self) -> Option<Verified<V>> {
        self.inner.first.ready()
    }

    fn slot<V: Viewer>(&self) -> Result<&RequestSession<V>> {
        self.mark_read();
        let slot: &dyn Any = self.inner.slot();
        slot.downcast_ref()
            .ok_or_else(|| self.inner.slot().other_viewer())
    }

    /// Returns the origin of this request, as sessions record it.
    fn origin(&self) -> Origin {
        Origin {
            address: self.inner.address,
            agent: self.inner.hints.agent(),
            request_id: Some(self.request_id().to_owned()),
        }
    }

    /// Marks the memoized viewer stale if it is older than the cache bound. Call it when a request resumes
    /// after a wait (decision 42).
    pub(crate) fn renew(&self) {
        if self.inner.first.loaded().is_some() {
            self.inner.slot().renew(&self.inner.first);
        }
    }

    /// Blocks every operation that changes something until [`verify_csrf_token`](Self::verify_csrf_token)
    /// succeeds.
    pub(crate) fn doubt(&self) {
        self.inner.unproved.store(true, Ordering::Release);
    }

    /// Refuses a request that may come from another site.
    fn require_proof(&self) -> Result<()> {
        if self.inner.unproved.load(Ordering::Acquire) {
            events::forged_request("no token");
            return Err(Error::forbidden());
        }
        Ok(())
    }

    /// Refuses a request with a safe method, and one that may come from another site.
    pub(crate) fn require_unsafe_method(&self) -> Result<()> {
        if self.inner.intent.is_safe() {
            return Err(Error::misuse(
                "a request with a safe method (GET, HEAD, OPTIONS, TRACE) must change nothing, because any site can make a browser send it: use POST, PUT, PATCH or DELETE for routes that write or sign out",
            ));
        }
        self.require_proof()
    }

    /// Returns the address of the application, if the request has sessions that know it.
    pub(crate) fn app_address(&self) -> Option<&Address> {
        Some(&self.inner.slot().core().ok()?.address)
    }

    fn mark_read(&self) {
        self.inner.credential_read.store(true, Ordering::Release);
    }

    fn forget_memo(&self) {
        self.inner.notes().decisions.clear();
        self.inner.notes().memo.clear();
        self.inner.notes().changes.note();
    }

    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// Returns the number by which step-up proofs are bound to this request.
    fn number(&self) -> RequestNumber {
        *self.inner.notes().number.get_or_init(RequestNumber::next)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Returns the circumstances that rules would read as `context` now.
    ///
    /// Rule time is the time of use: each query, each page, each write and each question to an
    /// [`Access`](crate::Access) has an instant of its own, however long ago the request began.
    #[must_use]
    pub fn rule_context(&self) -> Context {
        let circumstances = self.circumstances();
        self.instants().note(circumstances.now);
        circumstances
    }

    /// Returns the circumstances of a use that begins now, to the microsecond, as columns hold instants.
    pub(crate) fn circumstances(&self) -> Context {
        let now = self.now();
        Context {
            now: DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now),
            address: self.inner.address,
        }
    }

    /// Returns the rule decisions that this request has memoized.
    pub(crate) fn decisions(&self) -> &DecisionCache {
        &self.inner.notes().decisions
    }

    /// Returns the memoized results of methods in this request. Signing in or out empties them.
    pub(crate) fn memo(&self) -> &MemoAnswers {
        &self.inner.notes().memo
    }

    /// Returns the instants that rules have read in this request.
    pub(crate) fn instants(&self) -> &Instants {
        &self.inner.notes().instants
    }

    /// Returns the record of this request's changes, by which memoized results are invalidated.
    pub(crate) fn changes(&self) -> &Changes {
        &self.inner.notes().changes
    }

    /// Returns the viewer that this request found first, whether or not it still holds.
    pub(crate) fn found(&self) -> Option<&LoadedSession> {
        self.inner.first.loaded()
    }

    /// Returns the current time, by the clock of the sessions.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let now = self.inner.slot.now();
        now.or_else(|| self.inner.notes().given_now)
            .unwrap_or_default()
    }

    /// Returns the epochs by which changes of this request's viewer are detected, if it has sessions.
    pub(crate) fn epochs(&self) -> Option<&Arc<Epochs>> {
        self.inner.slot().epochs()
    }

    /// Returns the sealer of this request's page cursors, if it has sessions.
    pub(crate) fn cursors(&self) -> Option<&CursorSealer> {
        self.inner.slot().cursors()
    }

    /// Returns whether the sessions are in this database, so that its statements can test one.
    pub(crate) fn is_beside(&self, database: DatabaseId) -> bool {
        let slot = self.inner.slot();
        slot.now().is_some() && slot.database() == Some(database)
    }

    /// Returns the predicate by which a statement tests the session, if the sessions are in that statement's
    /// database.
    pub(crate) fn statement_guard<V: Viewer>(
        &self,
        verified: &Verified<V>,
        database: DatabaseId,
    ) -> Option<SessionCheck> {
        let slot = self.inner.slot();
        let now = slot.now()?;
        let loaded = verified.loaded();
        let is_stored = loaded.token.is_none() && slot.database()? == database;
        is_stored.then(|| SessionCheck::new(loaded.id, loaded.secret_hash, now))
    }
}

impl RequestContext {
    /// Returns the generations that a write in this database locks, where the session is stateless and its
    /// revocations are there.
    pub(crate) fn token_guard<'a>(
        &self,
        loaded: &'a LoadedSession,
        database: DatabaseId,
    ) -> Option<&'a TokenGuard> {
        let token = loaded.token.as_deref()?;
        self.is_beside(database).then_some(token)
    }
}

impl Notes {
    fn at(given_now: Option<DateTime<Utc>>) -> OnceLock<Box<Self>> {
        let notes = Self {
            given_now,
            ..Self::default()
        };
        OnceLock::from(Box::new(notes))
    }
}

impl Inner {
    #[inline]
    const fn new(slot: RequestSessionCell, first: First, hints: Hints) -> Self {
        Self {
            address: None,
            hints,
            credential_read: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            intent: Intent::Any,
            unproved: AtomicBool::new(false),
            first,
            slot,
            notes: OnceLock::new(),
        }
    }

    fn notes(&self) -> &Notes {
        self.notes.get_or_init(Box::default)
    }

    fn slot(&self) -> &dyn ErasedRequestSession {
        self.slot.get()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext").finish_non_exhaustive()
    }
}

impl WeakContext {
    pub(crate) fn upgrade(&self) -> Option<RequestContext> {
        let inner = self.inner.upgrade()?;
        Some(RequestContext { inner })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every holder changes the value in one step, so a panic elsewhere left it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
