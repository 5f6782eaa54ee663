//! One request: its credential, what was found out about it, and the scope in which code asks.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result};
use crate::policy::Context;
use crate::repository::memo::Changes;
use crate::session::{
    CookieHeaders, Current, CursorSealer, Epochs, ErasedSlot, First, Hints, Loaded, Origin,
    Sessions, Slot, Verified,
};
use crate::sql::{DatabaseId, StatementGuard};
use crate::viewer::Viewer;

mod sessions;

tokio::task_local! {
    /// `None` where work was taken out of the request's scope; see [`outside_of_requests`].
    static CURRENT: Option<RequestContext>;
}

const OUTSIDE: &str = "no request is in scope: add the session layer to the router, bind the task with `clearance::spawn` or `in_current_scope`, or use `context.scope`";

/// What the library keeps for the length of one request.
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
    circumstances: Context,
    hints: Hints,
    memo: Mutex<Memo>,
    changes: Changes,
    set_cookies: Mutex<Vec<HeaderValue>>,
    credential_read: AtomicBool,
    finished: AtomicBool,
    first: First,
    slot: Box<dyn ErasedSlot>,
    /// Made when it is first asked for.
    id: OnceLock<Box<str>>,
}

/// What else is remembered for the length of a request, by its type.
pub(crate) type Memo = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// A request that may be over.
#[derive(Clone)]
pub(crate) struct WeakContext {
    inner: Weak<Inner>,
}

impl RequestContext {
    /// The context of a request with these headers, from an unknown address.
    ///
    /// Nothing is read from the headers until it is asked for.
    #[must_use]
    pub fn new<V: Viewer>(sessions: &Sessions<V>, headers: &HeaderMap) -> Self {
        Self::begin(sessions, headers, None)
    }

    /// The same, from `address`, which rules see as `context.address`. It must be that of the
    /// connection or come from a proxy that the application trusts.
    #[must_use]
    pub fn from_address<V: Viewer>(
        sessions: &Sessions<V>,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Self {
        Self::begin(sessions, headers, Some(address))
    }

    pub(crate) fn begin<V: Viewer>(
        sessions: &Sessions<V>,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Self {
        let mut circumstances = Context::new(sessions.service.core.now());
        circumstances.address = address;
        let slot = Slot::new(Arc::clone(&sessions.service), CookieHeaders::of(headers));
        Self::build(slot, First::of::<V>(), circumstances, Hints::of(headers))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn with_slot(slot: impl ErasedSlot, first: First, circumstances: Context) -> Self {
        Self::build(slot, first, circumstances, Hints::default())
    }

    fn build(slot: impl ErasedSlot, first: First, circumstances: Context, hints: Hints) -> Self {
        Self {
            inner: Arc::new(Inner {
                circumstances,
                hints,
                memo: Mutex::new(HashMap::new()),
                changes: Changes::default(),
                set_cookies: Mutex::new(Vec::new()),
                credential_read: AtomicBool::new(false),
                finished: AtomicBool::new(false),
                first,
                slot: Box::new(slot),
                id: OnceLock::new(),
            }),
        }
    }

    /// The same request under an id that it has elsewhere, such as in an `x-request-id` header.
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
            let _earlier = self.inner.id.set(id.into());
        }
    }

    /// What names this request in every [`AuditEvent`](crate::AuditEvent) of it: the id that
    /// [`with_request_id`](Self::with_request_id) or the layer took, and else a random one.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.inner.id.get_or_init(|| {
            // It must tell requests apart and is no secret, so that no source of randomness that
            // could fail is asked.
            let random = RandomState::new();
            let [high, low] = [0_u8, 1].map(|half| random.hash_one(half));
            format!("{high:016x}{low:016x}").into()
        })
    }

    /// The context of the request that this code runs in.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when it runs in none: there is no identity to fall back on.
    pub fn current() -> Result<Self> {
        Self::try_current().ok_or_else(|| Error::misuse(OUTSIDE))
    }

    pub(crate) fn try_current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// Runs `future` in this request's scope. Whoever polls it, it sees this request and no other.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.bind(future)
    }

    pub(crate) fn bind<F: Future>(
        &self,
        future: F,
    ) -> tokio::task::futures::TaskLocalFuture<Option<Self>, F> {
        CURRENT.scope(Some(self.clone()), future)
    }

    /// Runs `work`, which is not async, in this request's scope.
    pub fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Some(self.clone()), work)
    }

    /// The viewer of this request, checked against the store, or against a cache no older than
    /// the bound.
    ///
    /// The first call finds out, and later ones give the same answer until the session is revoked
    /// or its viewer changed through this library. Calls at the same time share one load. An
    /// outage is not remembered.
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

    /// The viewer of this request, with the store and the viewer source asked in this very call.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::verify_session`].
    pub async fn verify_current<V: Viewer>(&self) -> Result<Current<V>> {
        // Whoever asks for this very call must not be answered from memory.
        self.inner.changes.note();
        let slot = self.slot::<V>()?;
        slot.current(&self.inner.first, || self.origin()).await
    }

    /// Writes what the request's session means for its response: the session cookie, if it was
    /// set or removed, and that no cache may keep a response that depends on it. Call it once,
    /// when the handler is done; the layers of this library do.
    pub fn finish(&self, headers: &mut HeaderMap) {
        self.write_headers(headers, false);
    }

    /// Tells whether the response must not be cached. `reads_later` says that the credential may
    /// be read after the headers are sent.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, reads_later: bool) {
        self.inner.finished.store(true, Ordering::Release);
        let mut cookies = std::mem::take(&mut *lock(&self.inner.set_cookies));
        let read = self.inner.credential_read.load(Ordering::Acquire);
        if cookies.is_empty() && read && !self.inner.hints.is_prefetch() {
            cookies = self.inner.slot.leftovers(&self.inner.first);
        }
        let depends = reads_later || read;
        if !cookies.is_empty() || depends {
            forbid_caching(headers);
        }
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie);
        }
    }

    /// The viewer, if this request found it already: no lock, no clock, one epoch.
    #[inline]
    fn ready<V: Viewer>(&self) -> Option<Verified<V>> {
        self.inner.first.ready()
    }

    fn slot<V: Viewer>(&self) -> Result<&Slot<V>> {
        self.mark_read();
        let slot: &dyn Any = &*self.inner.slot;
        slot.downcast_ref()
            .ok_or_else(|| self.inner.slot.other_viewer())
    }

    /// From where this request comes, as sessions note it.
    fn origin(&self) -> Origin {
        Origin {
            address: self.inner.circumstances.address,
            agent: self.inner.hints.agent(),
            request_id: Some(self.request_id().to_owned()),
        }
    }

    fn mark_read(&self) {
        self.inner.credential_read.store(true, Ordering::Release);
    }

    fn forget_memo(&self) {
        lock(&self.inner.memo).clear();
        self.inner.changes.note();
    }

    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext {
            inner: Arc::downgrade(&self.inner),
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The circumstances that rules read as `context`, fixed when the request began.
    #[must_use]
    pub fn rule_context(&self) -> &Context {
        &self.inner.circumstances
    }

    /// What else is remembered for this request. Signing in or out empties it.
    pub(crate) fn memo(&self) -> &Mutex<Memo> {
        &self.inner.memo
    }

    /// The changes that this request makes, as far as what it remembers depends on them.
    pub(crate) fn changes(&self) -> &Changes {
        &self.inner.changes
    }

    /// The viewer that this request found first, whether or not it still holds.
    pub(crate) fn found(&self) -> Option<&Loaded> {
        self.inner.first.loaded()
    }

    /// The present instant, by the clock of the sessions.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let now = self.inner.slot.now();
        now.unwrap_or(self.inner.circumstances.now)
    }

    /// By what a viewer of this request's sessions is found out to have changed, if it has any.
    pub(crate) fn epochs(&self) -> Option<&Arc<Epochs>> {
        self.inner.slot.epochs()
    }

    /// What seals the cursors of this request's pages, if it has sessions.
    pub(crate) fn cursors(&self) -> Option<&CursorSealer> {
        self.inner.slot.cursors()
    }

    /// What a statement tests to be sure of the session, if the sessions are in that statement's
    /// database.
    pub(crate) fn statement_guard<V: Viewer>(
        &self,
        verified: &Verified<V>,
        database: DatabaseId,
    ) -> Option<StatementGuard> {
        let slot = &self.inner.slot;
        let now = slot.now()?;
        let loaded = verified.loaded();
        let beside = slot.database()? == database;
        beside.then(|| StatementGuard::new(loaded.id, loaded.secret_hash, now))
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

/// The viewer of the request that this code runs in; see [`RequestContext::verify_session`].
///
/// # Errors
///
/// As [`RequestContext::verify_session`], and [`Error::is_misuse`] outside of a request.
pub async fn verify_session<V: Viewer>() -> Result<Verified<V>> {
    let ready = |current: &Option<RequestContext>| current.as_ref().and_then(RequestContext::ready);
    if let Ok(Some(verified)) = CURRENT.try_with(ready) {
        return Ok(verified);
    }
    verify_first().await
}

/// The part of [`verify_session`] that only a request's first call needs.
async fn verify_first<V: Viewer>() -> Result<Verified<V>> {
    let request = RequestContext::current()?;
    let slot = request.slot::<V>()?;
    slot.verify(&request.inner.first, || request.origin()).await
}

/// Spawns `future` on tokio, in the scope of this request. A task from `tokio::spawn` has no
/// request, so it is refused.
///
/// The task keeps the request's context alive for as long as it runs.
///
/// # Errors
///
/// [`Error::is_misuse`] outside of a request.
pub fn spawn<F>(future: F) -> Result<tokio::task::JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(tokio::spawn(in_current_scope(future)?))
}

/// Binds `future` to this request, for when another task polls it.
///
/// # Errors
///
/// [`Error::is_misuse`] outside of a request.
pub fn in_current_scope<F: Future>(future: F) -> Result<impl Future<Output = F::Output> + use<F>> {
    Ok(RequestContext::current()?.bind(future))
}

/// Runs `future` in no request's scope, whoever polls it.
///
/// For work whose outcome other requests share: it must not act as the one request that happens
/// to wait for it, nor ask that request for the very answer it waits for.
pub(crate) fn outside_of_requests<F: Future>(future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(None, future)
}

/// Overrides whatever the application said about caching. Headers that address one kind of cache
/// (RFC 9213) would win over `Cache-Control`, so they go.
fn forbid_caching(headers: &mut HeaderMap) {
    let targeted: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name.ends_with("-cache-control") || name == "surrogate-control" || name == "expires"
        })
        .cloned()
        .collect();
    for name in targeted {
        headers.remove(name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let varies = headers.get_all(VARY).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|field| field == b"*" || field.eq_ignore_ascii_case(COOKIE.as_str().as_bytes()))
    });
    if !varies {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every holder changes the value in one step, so a panic elsewhere left it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
