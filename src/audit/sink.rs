//! The sink for the audit record of writes, and retries while its database is unavailable.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::event::AuditEvent;
use crate::driver::{Db, run_to_end};
use crate::error::{Error, Result};
use crate::events;
use crate::scope::outside_of_requests;

/// The error of an [`AuditSink`]: any error. Its text is not logged, because it may hold anything.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// A sink for the [`AuditEvent`]s of a database that is [audited](Db::audited).
///
/// An allowed write is recorded in its own transaction, before the commit: `db` belongs to that
/// transaction, so that a record in the same database and the change are committed together or not at all.
/// A sink that keeps its records elsewhere may have one of a change that was rolled back afterwards, and
/// never misses one.
///
/// A refused write is recorded outside of the caller's transaction, after its end, so that the record
/// survives a rollback.
///
/// It runs outside of any request: to write through `db`, take an
/// [`Access::system`](crate::Access::system). Its own writes through `db` are not recorded.
///
/// # Example
///
/// A sink of one's own, over an entity:
///
/// ```
/// use clearance::audit::{AuditEvent, AuditSink, SinkError};
/// use clearance::{Access, Db, Entity, Viewer, async_trait};
///
/// # #[derive(Clone, Viewer)]
/// # struct Member { id: i64 }
/// #[derive(Entity)]
/// #[entity(table = "history", viewer = Member, read_if(row.author == viewer.id))]
/// struct Entry {
///     #[entity(key)]
///     id: uuid::Uuid,
///     author: i64,
///     what: String,
/// }
///
/// struct History;
///
/// #[async_trait]
/// impl AuditSink for History {
///     async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError> {
///         let Some(viewer) = event.viewer() else { return Ok(()) };
///         let access = Access::system("the history of writes")?;
///         let entry = Entry {
///             id: uuid::Uuid::from_u128(7),
///             author: viewer.parse()?,
///             what: format!("{} {}", event.action().as_str(), event.entity()),
///         };
///         Ok(db.writer(&access).insert(entry).await?)
///     }
/// }
/// ```
#[async_trait]
pub trait AuditSink: Send + Sync + 'static {
    /// Records the event.
    ///
    /// # Errors
    ///
    /// If the event is not recorded. An allowed write is then rolled back, and its caller gets
    /// [`Error::is_unavailable`]; if `db` failed, its error if that is one, and else a plain 500, so that a
    /// conflict in the sink's table is not reported as one of the caller's. A refusal stays a refusal.
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError>;
}

#[async_trait]
impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        (**self).record(db, event).await
    }
}

impl Db {
    /// Returns a handle to the same database whose writes `sink` records: allowed ones together with the
    /// change, in one transaction, and refused ones. Transactions begun on the handle are recorded as well.
    /// The sink replaces the one that this handle had before.
    ///
    /// A refusal that cannot be recorded because the database is unavailable, for instance while its author
    /// holds every connection, is retried: up to 1,024 of them wait in memory, each for some ten minutes.
    /// While so many wait, every write is refused ([`Error::is_unavailable`]).
    ///
    /// Each write costs one more statement, and a transaction if it runs in none. In a transaction of the
    /// application, a record that fails is a statement that fails: nothing more can be done in it. Reads
    /// are not recorded.
    ///
    /// # Example
    ///
    /// ```
    /// use clearance::audit::SqlAuditSink;
    /// use clearance::Db;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> clearance::Result<()> {
    /// let db = Db::connect("sqlite::memory:").await?;
    /// db.migrate().await?;
    /// // What repositories are made with.
    /// let db = db.audited(SqlAuditSink::new());
    /// # let _ = db;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn audited(&self, sink: impl AuditSink) -> Self {
        self.with_companion(Some(Arc::new(Sink::new(sink))))
    }

    /// Returns the sink that records its writes.
    pub(crate) fn sink(&self) -> Option<&Sink> {
        self.companion()
    }
}

/// The maximum number of refusals that wait for the database; at that number, every write is refused.
const BACKLOG: usize = 1_024;

/// The number of attempts to record a waiting refusal, at most [`PAUSE`] apart: some ten minutes.
const ATTEMPTS: u32 = 120;
const PAUSE: Duration = Duration::from_secs(5);

/// The sink of a database, and the backlog of refusals that wait for it.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Inner>);

struct Inner {
    sink: Box<dyn AuditSink>,
    places: Arc<Semaphore>,
    /// The lock under which waiting refusals are tried one at a time, so that all of them use one
    /// connection.
    turn: tokio::sync::Mutex<()>,
}

impl Sink {
    fn new(sink: impl AuditSink) -> Self {
        Self(Arc::new(Inner {
            sink: Box::new(sink),
            places: Arc::new(Semaphore::new(BACKLOG)),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// Fails while the backlog is full, because a refusal could not be recorded then.
    pub(crate) fn require_place(&self) -> Result<()> {
        if self.0.places.available_permits() > 0 {
            return Ok(());
        }
        Err(Error::unavailable("the audit sink"))
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

/// Returns whether a sink or a subscriber takes decisions on writes, so that an event is worth building.
pub(crate) fn listens(db: &Db) -> bool {
    db.sink().is_some() || events::takes_writes()
}

/// Records a decision in the transaction that `db` belongs to.
pub(crate) async fn record(db: &Db, event: &AuditEvent) -> Result<()> {
    attempt(db, event).await.map_err(|failed| {
        event.log_unrecorded(&failed.error);
        failed.error
    })
}

/// The failure of an attempt to record an event.
struct Failed {
    error: Error,
    /// Set if the database was unavailable, so that a retry may succeed.
    is_outage: bool,
}

async fn attempt(db: &Db, event: &AuditEvent) -> std::result::Result<(), Failed> {
    let Some(Sink(inner)) = db.sink() else {
        return Ok(());
    };
    let recorded = outside_of_requests(inner.sink.record(&db.with_companion(None), event)).await;
    recorded.map_err(|error| Failed {
        is_outage: error
            .downcast_ref::<Error>()
            .is_some_and(Error::is_unavailable),
        error: of_sink(&error),
    })
}

/// Converts an error of the sink, which is not the caller's: a forbidden or missing row in it is the
/// sink's.
fn of_sink(error: &SinkError) -> Error {
    match error.downcast_ref::<Error>() {
        Some(error) if error.is_unavailable() => error.copy(),
        Some(_) => Error::internal("the audit record could not be written"),
        None => Error::unavailable("the audit sink"),
    }
}

/// Logs an allowed write: at the commit if the transaction is the library's own, and at once if it is the
/// application's or there is none.
pub(crate) fn decided(db: &Db, event: AuditEvent) {
    match db.unit() {
        Some(unit) => unit.on_commit().committed(move || event.log()),
        None => event.log(),
    }
}

/// Logs a refused write, and records it where no rollback reaches the record.
pub(crate) async fn refused(db: &Db, event: AuditEvent) {
    event.log();
    let Some(unrecorded) = Unrecorded::new(db, event) else {
        return;
    };
    let recording = unrecorded.record();
    let recording = match db.unit() {
        Some(unit) => unit.on_commit().afterwards(recording),
        None => Some(recording),
    };
    if let Some(recording) = recording {
        run_to_end(vec![Box::pin(recording)]).await;
    }
}

/// A refusal that is still to be recorded. If it is dropped before that, it logs an error.
struct Unrecorded {
    /// A handle outside of any transaction.
    db: Db,
    event: Option<AuditEvent>,
}

impl Unrecorded {
    fn new(db: &Db, event: AuditEvent) -> Option<Self> {
        db.sink()?;
        Some(Self {
            db: db.without_unit(),
            event: Some(event),
        })
    }

    async fn record(mut self) {
        let Some(event) = &self.event else { return };
        let Err(failed) = attempt(&self.db, event).await else {
            self.event = None;
            return;
        };
        let sink = self.db.sink().filter(|_| failed.is_outage).cloned();
        let place = sink.and_then(|Sink(inner)| {
            let place = Arc::clone(&inner.places).try_acquire_owned().ok()?;
            Some((inner, place))
        });
        match (place, tokio::runtime::Handle::try_current()) {
            (Some((inner, place)), Ok(runtime)) => {
                drop(runtime.spawn(async move {
                    self.record_later(&inner).await;
                    drop(place);
                }));
            }
            // The failure is logged, and the refusal stays one.
            (_, _) => {
                event.log_unrecorded(&failed.error);
                self.event = None;
            }
        }
    }

    /// Retries while the database is unavailable, at most [`ATTEMPTS`] times. A client that holds all
    /// connections is often the one whose refusals are to be recorded (decision 73).
    async fn record_later(mut self, inner: &Inner) {
        let mut pause = PAUSE / 64;
        for _ in 0..ATTEMPTS {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
            let Some(event) = &self.event else { return };
            let _turn = inner.turn.lock().await;
            match attempt(&self.db, event).await {
                Ok(()) => self.event = None,
                Err(failed) if failed.is_outage => {}
                Err(failed) => {
                    event.log_unrecorded(&failed.error);
                    self.event = None;
                }
            }
        }
    }
}

impl Drop for Unrecorded {
    fn drop(&mut self) {
        if let Some(event) = &self.event {
            event.log_unrecorded(&Error::unavailable("the audit sink"));
        }
    }
}
