//! Where decisions on writes are recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::event::AuditEvent;
use crate::error::{Error, Result};
use crate::request::outside_of_requests;
use crate::sql::Db;

/// What an [`AuditSink`] may fail with: any error, whose text is not logged, because it may hold
/// anything.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes the [`AuditEvent`]s of a database that is [audited](Db::audited).
///
/// A write that was allowed is recorded in its own transaction, before that is committed: `db`
/// belongs to it, so that a record in the same database and the change are there together or not
/// at all. A sink that keeps its records elsewhere may have one of a change that was taken back
/// afterwards, and never misses one.
///
/// A write that was refused is recorded outside of the caller's transaction, when that has ended,
/// so that the record stays whatever becomes of it.
///
/// It runs outside of any request: to write through `db`, take an
/// [`Access::system`](crate::Access::system). What it writes there is not recorded in turn.
///
/// # Example
///
/// A sink of one's own, over an entity:
///
/// ```
/// use clearance::{
///     Access, AuditEvent, AuditSink, Db, Entity, SinkError, Viewer, async_trait,
/// };
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
///             what: format!("{} {}", event.action().word(), event.entity()),
///         };
///         Ok(db.writer(&access).insert(entry).await?)
///     }
/// }
/// ```
#[async_trait]
pub trait AuditSink: Send + Sync + 'static {
    /// Keeps the event.
    ///
    /// # Errors
    ///
    /// When it is not kept. A write that was allowed is then taken back, and its caller gets
    /// [`Error::is_unavailable`]; where `db` failed, its error if that is one, and else a plain 500,
    /// so that a conflict in the sink's table is not told as one of the caller. A refusal stays one.
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError>;
}

#[async_trait]
impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        (**self).record(db, event).await
    }
}

impl Db {
    /// The same database, whose writes are recorded by `sink`: those that were allowed together
    /// with the change, in one transaction, and those that were refused. Transactions begun on it
    /// are recorded as well. A sink that this handle had before is no longer asked.
    ///
    /// A refusal that cannot be recorded because the database cannot be had, for instance while its author
    /// holds every connection, is recorded as soon as it can: 1,024 of them wait in memory, for some
    /// ten minutes. While so many wait every write is refused ([`Error::is_unavailable`]).
    ///
    /// Each write costs one more statement, and a transaction where there is none. In a transaction
    /// of the application's a record that fails is a statement that fails: nothing more can be done
    /// in it. Reads are not recorded.
    ///
    /// # Example
    ///
    /// ```
    /// use clearance::{Db, SqlAuditSink};
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
        self.with_sink(Some(Sink::new(sink)))
    }
}

/// The most refusals that wait for the database, before no more is tried.
const BACKLOG: usize = 1_024;

/// The attempts to record a refusal that waits, at most [`PAUSE`] apart: some ten minutes.
const ATTEMPTS: u32 = 120;
const PAUSE: Duration = Duration::from_secs(5);

/// The sink of a database.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Inner>);

struct Inner {
    sink: Box<dyn AuditSink>,
    places: Arc<Semaphore>,
    /// One of those that wait is tried at a time, so that all of them take one connection.
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

    /// Refuses to try what could not be recorded if it were refused.
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

/// Whether anybody wants to know of a decision on a write, so that its event is worth making.
pub(crate) fn listens(db: &Db) -> bool {
    db.sink().is_some() || tracing::enabled!(target: "clearance::audit", tracing::Level::INFO)
}

/// Records a decision in the transaction that `db` belongs to.
pub(crate) async fn record(db: &Db, event: &AuditEvent) -> Result<()> {
    attempt(db, event).await.map_err(|failed| {
        super::unrecorded(event, &failed.error);
        failed.error
    })
}

/// A record that was not made.
struct Failed {
    error: Error,
    /// The database could not be had, which may be otherwise soon.
    is_outage: bool,
}

async fn attempt(db: &Db, event: &AuditEvent) -> std::result::Result<(), Failed> {
    let Some(Sink(inner)) = db.sink() else {
        return Ok(());
    };
    let recorded = outside_of_requests(inner.sink.record(&db.with_sink(None), event)).await;
    recorded.map_err(|error| Failed {
        is_outage: error
            .downcast_ref::<Error>()
            .is_some_and(Error::is_unavailable),
        error: of_sink(&error),
    })
}

/// An error of the sink is not the caller's: whatever it says of forbidden or missing rows speaks
/// of the sink's own.
fn of_sink(error: &SinkError) -> Error {
    match error.downcast_ref::<Error>() {
        Some(error) if error.is_unavailable() => error.copy(),
        Some(_) => Error::internal("the audit record could not be written"),
        None => Error::unavailable("the audit sink"),
    }
}

/// Tells of a write that was allowed and, unless the library's own transaction around it is
/// still open, has happened.
pub(crate) fn decided(db: &Db, event: AuditEvent) {
    match db.unit() {
        Some(unit) => unit.aftermath().decided(event),
        None => super::write(&event),
    }
}

/// Tells of a write that was refused, and records it where no rollback reaches the record.
pub(crate) async fn refused(db: &Db, event: AuditEvent) {
    super::write(&event);
    let Some(unrecorded) = Unrecorded::new(db, event) else {
        return;
    };
    let unrecorded = match db.unit() {
        Some(unit) => unit.aftermath().refused(unrecorded),
        None => Some(unrecorded),
    };
    if let Some(unrecorded) = unrecorded {
        Unrecorded::record_all(vec![unrecorded]).await;
    }
}

/// A refusal that is to be recorded. One that never is leaves an error.
pub(crate) struct Unrecorded {
    /// Outside of any transaction.
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

    /// Records them, also where the caller does not wait for it.
    pub(crate) async fn record_all(refusals: Vec<Self>) {
        if refusals.is_empty() {
            return;
        }
        let recording = async {
            for refusal in refusals {
                refusal.record().await;
            }
        };
        match tokio::runtime::Handle::try_current() {
            // Whoever tries what is refused may hang up as soon as they have tried.
            Ok(runtime) => drop(runtime.spawn(recording).await),
            Err(_) => recording.await,
        }
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
            // A failure is an event by itself, and the refusal stays one.
            (_, _) => {
                super::unrecorded(event, &failed.error);
                self.event = None;
            }
        }
    }

    /// Tries until the database can be had. Whoever holds all of its connections is often the one whose
    /// refusals are to be recorded (decision 73).
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
                    super::unrecorded(event, &failed.error);
                    self.event = None;
                }
            }
        }
    }
}

impl Drop for Unrecorded {
    fn drop(&mut self) {
        if let Some(event) = &self.event {
            super::unrecorded(event, &Error::unavailable("the audit sink"));
        }
    }
}
