//! A whole session service with a clock, a store and a viewer source that tests steer.

#![allow(
    dead_code,
    reason = "two test binaries share it, and neither uses all of it"
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use clearance::session::{
    Created, DataKept, Generations, MemorySessionStore, Replaced, SecretHash, SessionLimit,
    SessionRecord, SessionStore, SessionsBuilder, Standing, StoreError, StoredData, Strategy,
};
use clearance::testing::ManualClock;
use clearance::token::KeyRing;
use clearance::{
    Db, Key, RequestContext, SessionId, Sessions, SourceError, Subject, Verified, Viewer,
    ViewerSource, async_trait,
};
use http::{HeaderMap, HeaderValue};
use tokio::sync::Semaphore;

/// A viewer with a field that must never be shown.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) alive: Arc<AtomicUsize>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Viewer for Member {
    fn subject(&self) -> Subject {
        Subject::new(&self.name)
    }
}

/// A place where an operation stops until the test lets it go on.
pub(crate) struct Gate {
    entered: Semaphore,
    go: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            entered: Semaphore::new(0),
            go: Semaphore::new(0),
        })
    }

    /// Returns when the operation has come to the gate.
    pub(crate) async fn reached(&self) {
        self.entered.acquire().await.unwrap().forget();
    }

    pub(crate) fn open(&self) {
        self.go.add_permits(1);
    }
}

/// Stops the next operation that passes, once armed.
#[derive(Default)]
pub(crate) struct Pause(Mutex<Option<(usize, Arc<Gate>)>>);

impl Pause {
    pub(crate) fn arm(&self) -> Arc<Gate> {
        self.arm_after(0)
    }

    /// Lets `skipped` operations pass before it stops one.
    pub(crate) fn arm_after(&self, skipped: usize) -> Arc<Gate> {
        let gate = Gate::new();
        *self.0.lock().unwrap() = Some((skipped, Arc::clone(&gate)));
        gate
    }

    /// The gate, if this is the operation to stop.
    fn closed(&self) -> Option<Arc<Gate>> {
        let mut armed = self.0.lock().unwrap();
        match &mut *armed {
            Some((skipped, _)) if *skipped > 0 => {
                *skipped -= 1;
                None
            }
            _ => armed.take().map(|(_, gate)| gate),
        }
    }

    async fn pass(&self) {
        if let Some(gate) = self.closed() {
            gate.entered.add_permits(1);
            gate.go.acquire().await.unwrap().forget();
        }
    }
}

pub(crate) type Noise = Arc<dyn Fn() + Send + Sync>;

/// A store that counts, stops, fails and collides as it is told.
pub(crate) struct TestStore {
    pub(crate) inner: Arc<dyn SessionStore>,
    pub(crate) loads: AtomicUsize,
    pub(crate) touches: AtomicUsize,
    pub(crate) calls: AtomicUsize,
    pub(crate) down: AtomicBool,
    pub(crate) touch_down: AtomicBool,
    pub(crate) loaded: Pause,
    pub(crate) before_touch: Pause,
    pub(crate) before_create: Pause,
    pub(crate) before_replace: Pause,
    pub(crate) before_set_data: Pause,
    pub(crate) deleted: Pause,
    pub(crate) denied: Pause,
    /// What happens whenever the store has read a session, before its answer arrives.
    pub(crate) noise: Mutex<Option<Noise>>,
    /// The id that the next creation gets instead of its own, as if randomness repeated itself.
    pub(crate) repeated_id: Mutex<Option<SessionId>>,
}

impl TestStore {
    pub(crate) fn over(inner: impl SessionStore) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(inner),
            loads: AtomicUsize::new(0),
            touches: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            touch_down: AtomicBool::new(false),
            loaded: Pause::default(),
            before_touch: Pause::default(),
            before_create: Pause::default(),
            before_replace: Pause::default(),
            before_set_data: Pause::default(),
            deleted: Pause::default(),
            denied: Pause::default(),
            noise: Mutex::new(None),
            repeated_id: Mutex::new(None),
        })
    }

    pub(crate) fn set_noise(&self, noise: impl Fn() + Send + Sync + 'static) {
        *self.noise.lock().unwrap() = Some(Arc::new(noise));
    }

    pub(crate) fn silence(&self) {
        *self.noise.lock().unwrap() = None;
    }

    fn make_noise(&self) {
        let noise = self.noise.lock().unwrap().clone();
        if let Some(noise) = noise {
            noise();
        }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn call(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::outage());
        }
        Ok(())
    }
}

pub(crate) fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

#[async_trait]
impl SessionStore for TestStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        self.call()?;
        let mut record = record.clone();
        if let Some(id) = self.repeated_id.lock().unwrap().take() {
            record.id = id;
        }
        self.inner.create(&record, limit).await
    }

    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        self.call()?;
        let mut record = record.clone();
        if let Some(id) = self.repeated_id.lock().unwrap().take() {
            record.id = id;
        }
        self.before_create.pass().await;
        self.inner.create_instead_of(old, &record, limit).await
    }

    async fn successor(
        &self,
        id: SessionId,
        secret_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.call()?;
        self.inner.successor(id, secret_hash, now).await
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.call()?;
        self.loads.fetch_add(1, Ordering::SeqCst);
        let found = self.inner.load(id, now).await;
        self.loaded.pass().await;
        self.make_noise();
        found
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        self.call()?;
        self.touches.fetch_add(1, Ordering::SeqCst);
        if self.touch_down.load(Ordering::SeqCst) {
            return Err(StoreError::outage());
        }
        self.before_touch.pass().await;
        self.inner.touch(record).await
    }

    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError> {
        self.call()?;
        let mut record = record.clone();
        if let Some(id) = self.repeated_id.lock().unwrap().take() {
            record.id = id;
        }
        self.before_replace.pass().await;
        self.inner.replace(old, &record, now).await
    }

    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError> {
        self.call()?;
        self.inner.data(id, now).await
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError> {
        self.call()?;
        self.before_set_data.pass().await;
        self.inner.set_data(id, now, data, version).await
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        self.call()?;
        let deleted = self.inner.delete(id, subject).await;
        self.deleted.pass().await;
        deleted
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        self.call()?;
        self.inner.delete_all(subject, keep).await
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        self.call()?;
        self.inner.delete_everyone().await
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.call()?;
        self.inner.list(subject, now).await
    }

    async fn deny(
        &self,
        id: SessionId,
        subject: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.call()?;
        let denied = self.inner.deny(id, subject, until).await;
        self.denied.pass().await;
        denied
    }

    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError> {
        self.call()?;
        self.inner.generations(subject, first).await
    }

    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        step: u64,
    ) -> Result<(), StoreError> {
        self.call()?;
        self.inner.raise_generation(subject, step).await
    }

    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        step: u64,
    ) -> Result<bool, StoreError> {
        self.call()?;
        self.inner.raise_generation_from(subject, from, step).await
    }

    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.call()?;
        self.inner.cut_off(subject, cut_off, until).await
    }

    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError> {
        self.call()?;
        self.loads.fetch_add(1, Ordering::SeqCst);
        let standing = self.inner.standing(id, subject).await;
        self.loaded.pass().await;
        self.make_noise();
        standing
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.call()?;
        self.inner.sweep(now).await
    }
}

/// The application's users.
#[derive(Default)]
pub(crate) struct Members {
    pub(crate) roles: Mutex<HashMap<String, &'static str>>,
    pub(crate) gone: Mutex<Vec<String>>,
    pub(crate) loads: AtomicUsize,
    pub(crate) alive: Arc<AtomicUsize>,
    pub(crate) down: AtomicBool,
    pub(crate) wrong: AtomicBool,
    pub(crate) panics: AtomicBool,
    pub(crate) loaded: Pause,
}

pub(crate) struct Source(pub(crate) Arc<Members>);

#[async_trait]
impl ViewerSource<Member> for Source {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        let members = &self.0;
        members.loads.fetch_add(1, Ordering::SeqCst);
        if members.down.load(Ordering::SeqCst) {
            return Err("password=hunter2 refused by users-db".into());
        }
        let role = members.roles.lock().unwrap().get(subject.as_str()).copied();
        let gone = members
            .gone
            .lock()
            .unwrap()
            .contains(&subject.as_str().to_owned());
        members.loaded.pass().await;
        assert!(
            !members.panics.swap(false, Ordering::SeqCst),
            "the source panics once"
        );
        if gone {
            return Ok(None);
        }
        members.alive.fetch_add(1, Ordering::SeqCst);
        let name = if members.wrong.load(Ordering::SeqCst) {
            "somebody else".to_owned()
        } else {
            subject.as_str().to_owned()
        };
        Ok(Some(Member {
            name,
            role: role.unwrap_or("viewer"),
            alive: Arc::clone(&members.alive),
        }))
    }
}

pub(crate) struct Rig {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<TestStore>,
    pub(crate) members: Arc<Members>,
    pub(crate) sessions: Sessions<Member>,
}

pub(crate) const STRATEGIES: [Strategy; 3] =
    [Strategy::Hybrid, Strategy::Database, Strategy::Stateless];

pub(crate) fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A key that differs with `number`.
pub(crate) fn key(number: u8) -> Key {
    let bytes: Vec<u8> = (0..32).map(|byte| byte ^ number).collect();
    Key::from_bytes(&bytes).unwrap()
}

pub(crate) const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);
pub(crate) const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
pub(crate) const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn without_cache() -> Self {
        Self::with(|builder| builder.cache_bound(std::time::Duration::ZERO))
    }

    pub(crate) fn with(
        settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Self {
        Self::over(MemorySessionStore::new(), settings)
    }

    pub(crate) fn over(
        store: impl SessionStore,
        settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Self {
        let clock = ManualClock::at(start());
        let store = TestStore::over(store);
        let members = Arc::new(Members::default());
        Self::node(clock, store, members, key(0), settings)
    }

    fn node(
        clock: ManualClock,
        store: Arc<TestStore>,
        members: Arc<Members>,
        key: impl Into<KeyRing>,
        settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Self {
        let sessions = settings(
            Sessions::builder(key, Arc::clone(&store), Source(Arc::clone(&members)))
                .app_url("https://app.example")
                .clock(clock.clone()),
        )
        .build()
        .unwrap();
        Self {
            clock,
            store,
            members,
            sessions,
        }
    }

    /// Another node: the same store, users and clock, and nothing else.
    pub(crate) fn beside(
        &self,
        key: impl Into<KeyRing>,
        settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Self {
        let (store, members) = (Arc::clone(&self.store), Arc::clone(&self.members));
        Self::node(self.clock.clone(), store, members, key, settings)
    }

    /// A node beside this one whose clock shows another time.
    pub(crate) fn apart(
        &self,
        by: TimeDelta,
        settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Self {
        let (store, members) = (Arc::clone(&self.store), Arc::clone(&self.members));
        Self::node(
            ManualClock::at(self.now() + by),
            store,
            members,
            key(0),
            settings,
        )
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        clearance::Clock::now(&self.clock)
    }

    pub(crate) fn of(strategy: Strategy) -> Self {
        Self::with(|builder| builder.strategy(strategy))
    }

    /// Signs `name` in on a new device and gives its `name=value` pair.
    pub(crate) async fn device(&self, name: &str) -> Device {
        let session = self.sessions.create(&Subject::new(name)).await.unwrap();
        Device {
            id: session.id(),
            cookie: pair(&session.into_set_cookies().remove(0)),
        }
    }

    pub(crate) fn request(&self, cookie: &str) -> RequestContext {
        RequestContext::new(&self.sessions, &cookie_header(cookie))
    }

    pub(crate) async fn verify(&self, cookie: &str) -> clearance::Result<Verified<Member>> {
        self.request(cookie).verify_session().await
    }

    /// The status of a new request with this cookie.
    pub(crate) async fn status(&self, cookie: &str) -> u16 {
        match self.verify(cookie).await {
            Ok(_) => 200,
            Err(error) => error.status(),
        }
    }
}

pub(crate) struct Device {
    pub(crate) id: SessionId,
    pub(crate) cookie: String,
}

impl Device {
    pub(crate) fn value(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }
}

pub(crate) fn cookie_header(cookie: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        "cookie",
        HeaderValue::from_bytes(cookie.as_bytes()).unwrap(),
    );
    headers
}

/// The `name=value` that a browser sends back.
pub(crate) fn pair(set_cookie: &HeaderValue) -> String {
    let text = set_cookie.to_str().unwrap();
    text.split(';').next().unwrap().to_owned()
}

/// A database file that is removed with the directory.
/// Keeps `value` with the session of a request, whatever was kept before.
pub(crate) async fn keep<T: serde::Serialize + serde::de::DeserializeOwned>(
    request: &RequestContext,
    value: T,
) -> clearance::Result<()> {
    let mut data = request.session_data().await?;
    *data = Some(value);
    request.set_session_data(&mut data).await
}

/// What is kept with the session of a request.
pub(crate) async fn kept<T: serde::de::DeserializeOwned>(
    request: &RequestContext,
) -> clearance::Result<Option<T>> {
    Ok(request.session_data().await?.into_inner())
}

pub(crate) async fn sqlite_file() -> (tempfile::TempDir, Db) {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::connect(&sqlite_url(&directory)).await.unwrap();
    db.migrate().await.unwrap();
    (directory, db)
}

pub(crate) fn sqlite_url(directory: &tempfile::TempDir) -> String {
    format!(
        "sqlite://{}?mode=rwc",
        directory.path().join("test.db").display()
    )
}

#[path = "../support/logs.rs"]
pub(crate) mod logs;
