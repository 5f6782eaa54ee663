//! Reuse of pooled connections: one that has finished a statement serves the next one, without a return to
//! the pool in between (decision 62).

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// The time for which an idle connection is kept.
const IDLE: Duration = Duration::from_millis(1);
/// The time for which a connection passes from statement to statement before it returns to the pool, which
/// pings it, closes it if it is old, and serves others that wait there.
const TURN: Duration = Duration::from_millis(20);
/// The time for which a write waits for the writes before it. A transaction may stay open for longer, and
/// then the engine's own lock decides.
const WRITERS: Duration = Duration::from_secs(1);

/// The connections of a pool, some of which are kept for the next statement.
///
/// sqlx pings a connection when it is acquired and again when it is released, so a statement on a pooled
/// connection costs three round trips. On SQLite each is two switches of threads.
pub(super) struct Connections<DB: Database> {
    pool: Pool<DB>,
    /// One permit for each connection that the pool may have. Waiters wait here and not at the pool, which
    /// would not see that a connection is kept.
    turns: Arc<Semaphore>,
    /// The queue of writers, if the engine has none (decision 80).
    writers: Option<Arc<Semaphore>>,
    waiting: AtomicUsize,
    kept: Mutex<Kept<DB>>,
}

struct Kept<DB: Database> {
    connections: Vec<Idle<DB>>,
    is_swept: bool,
    /// The runtime of the task that kept a connection last.
    runtime: Option<Handle>,
}

/// An idle connection.
struct Idle<DB: Database> {
    held: Held<DB>,
    since: Instant,
}

struct Held<DB: Database> {
    connection: PoolConnection<DB>,
    /// The time at which the pool handed it out.
    taken: Instant,
    close_if_dropped: bool,
    /// Set if its session settings are unknown.
    is_used_up: bool,
}

/// A connection of a pool. Dropped without an [`end`](Self::end), it returns there.
pub(super) struct Pooled<DB: Database> {
    held: Held<DB>,
    of: Arc<Connections<DB>>,
    writes: Option<OwnedSemaphorePermit>,
    turn: OwnedSemaphorePermit,
}

/// How a connection will be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

impl<DB: Database> Connections<DB> {
    /// Takes over a pool; `one_writer` says that the engine lets one connection write at a time, and that those
    /// that wait poll for their turn.
    pub(super) fn new(pool: Pool<DB>, one_writer: bool) -> Arc<Self> {
        let most = pool.options().get_max_connections();
        let turns = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            pool,
            turns: Arc::new(Semaphore::new(turns.min(Semaphore::MAX_PERMITS))),
            writers: one_writer.then(|| Arc::new(Semaphore::new(1))),
            waiting: AtomicUsize::new(0),
            kept: Mutex::new(Kept {
                connections: Vec::new(),
                is_swept: false,
                runtime: None,
            }),
        })
    }

    pub(super) const fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Returns a connection that was kept, or one of the pool.
    pub(super) async fn acquire(self: &Arc<Self>, usage: Use) -> sqlx::Result<Pooled<DB>> {
        // Before the connection: writers that wait leave connections to readers.
        let writes = match (usage, &self.writers) {
            (Use::Write, Some(writers)) => match Arc::clone(writers).try_acquire_owned() {
                Ok(writes) => Some(writes),
                Err(_) => Box::pin(writing(writers)).await,
            },
            (Use::Read, _) | (Use::Write, None) => None,
        };
        let turn = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => Box::pin(self.turn()).await?,
        };
        let held = match self.kept_one() {
            Some(held) => held,
            None => Held {
                // Boxed, because most statements do not need it, and it would be part of the future of
                // each.
                connection: Box::pin(self.pool.acquire()).await?,
                taken: Instant::now(),
                close_if_dropped: false,
                is_used_up: false,
            },
        };
        Ok(Pooled {
            held,
            of: Arc::clone(self),
            writes,
            turn,
        })
    }

    async fn turn(&self) -> sqlx::Result<OwnedSemaphorePermit> {
        struct Waits<'a>(&'a AtomicUsize);

        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }

        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        let limit = self.pool.options().get_acquire_timeout();
        let turn = timeout(limit, Arc::clone(&self.turns).acquire_owned());
        match self.pool.close_event().do_until(turn).await? {
            Ok(turn) => turn.map_err(|_closed| sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Closes the pool, and the connections that are kept.
    pub(super) async fn close(&self) {
        let kept = std::mem::take(&mut self.kept().connections);
        drop(kept);
        self.pool.close().await;
    }

    fn kept(&self) -> MutexGuard<'_, Kept<DB>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept_one(&self) -> Option<Held<DB>> {
        if self.pool.is_closed() {
            return None;
        }
        // The most recent one, whose caches are the warmest.
        let idle = self.kept().connections.pop()?;
        // One is this old only if nothing swept it: the runtime that kept it has ended.
        (idle.since.elapsed() < TURN).then_some(idle.held)
    }

    fn keep(self: &Arc<Self>, held: Held<DB>) {
        let since = Instant::now();
        if !self.may_keep(since.duration_since(held.taken)) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut kept = self.kept();
        kept.connections.push(Idle { held, since });
        if !std::mem::replace(&mut kept.is_swept, true) {
            runtime.spawn(sweep(Sweeper(Arc::downgrade(self))));
        }
        kept.runtime = Some(runtime);
    }

    /// Returns whether a connection that was taken this long ago may be kept.
    ///
    /// INVARIANT (others): the application's own statements wait at the pool, which does not report them.
    /// So a connection is kept only while the pool has another one or could open one, or for a statement of
    /// this library that waits for its turn, and in either case not for longer than [`TURN`].
    fn may_keep(&self, held: Duration) -> bool {
        let has_more = || {
            self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections()
        };
        held < TURN
            && !self.pool.is_closed()
            && (self.waiting.load(Ordering::Relaxed) > 0 || has_more())
    }

    /// Returns idle connections to the pool; returns whether there may be more.
    fn give_back(&self) -> bool {
        let mut kept = self.kept();
        let (old, young) = std::mem::take(&mut kept.connections)
            .into_iter()
            .partition::<Vec<_>, _>(|idle| idle.since.elapsed() >= IDLE);
        kept.is_swept = !young.is_empty();
        kept.connections = young;
        let goes_on = kept.is_swept;
        drop(kept);
        drop(old);
        goes_on
    }
}

/// Waits for the turn to write; `None` if it does not come in time.
async fn writing(writers: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let turn = timeout(WRITERS, Arc::clone(writers).acquire_owned());
    turn.await.ok()?.ok()
}

struct Sweeper<DB: Database>(Weak<Connections<DB>>);

impl<DB: Database> Drop for Sweeper<DB> {
    fn drop(&mut self) {
        // Its runtime may have ended before it was done, and then another one sweeps. If one has begun
        // meanwhile, the next kept connection starts a third: two of them sweep for a moment.
        if let Some(connections) = self.0.upgrade() {
            connections.kept().is_swept = false;
        }
    }
}

async fn sweep<DB: Database>(sweeper: Sweeper<DB>) {
    loop {
        sleep(IDLE).await;
        let goes_on = sweeper
            .0
            .upgrade()
            .is_some_and(|connections| connections.give_back());
        if !goes_on {
            return;
        }
    }
}

impl<DB: Database> Drop for Kept<DB> {
    fn drop(&mut self) {
        // The return to the pool is a task, which needs a runtime.
        let _entered = self.runtime.as_ref().map(Handle::enter);
        self.connections.clear();
    }
}

impl<DB: Database> Drop for Held<DB> {
    fn drop(&mut self) {
        if self.close_if_dropped || self.is_used_up {
            self.connection.close_on_drop();
        }
    }
}

impl<DB: Database> Pooled<DB> {
    /// Ends the lease after a statement that has ended well, and keeps the connection for the next one.
    pub(super) fn end(self) {
        if !self.held.is_used_up {
            self.of.keep(self.held);
        }
        drop(self.writes);
        // Released last, so that the next waiter finds the connection.
        drop(self.turn);
    }

    /// Marks the connection to be closed after its statement, or after its transaction.
    pub(super) const fn use_up(&mut self) {
        self.held.is_used_up = true;
    }

    /// Sets whether the connection is closed if it is dropped without an end, when the state of its
    /// protocol is unknown.
    pub(super) const fn close_if_dropped(&mut self, close: bool) {
        self.held.close_if_dropped = close;
    }
}

impl<DB: Database> Deref for Pooled<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.held.connection
    }
}

impl<DB: Database> DerefMut for Pooled<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.held.connection
    }
}
