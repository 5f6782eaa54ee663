//! A transaction: one connection that several statements use in turn.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};

use sqlx::SqlSafeStr as _;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::connection::{Connection, Lease};
use super::connections::{Connections, Pooled, Use};
use super::db::{Db, Engine};
use super::engine::Driver;
use super::failure::classify;
use super::notes::Notes;
use super::on_commit::{Extent, OnCommit, run_to_end};
use crate::error::{Error, Result};

/// A connection in a transaction. Dropped without an end, it is rolled back.
///
/// The driver's own transaction returns its connection to the pool in whatever state it is.
pub(super) struct Begun<DB: Driver> {
    connection: Option<Pooled<DB>>,
    given_up: GivenUp,
    on_commit: Arc<OnCommit>,
}

/// Set if something was abandoned half-way, so that the state of the connection's protocol is unknown.
type GivenUp = Arc<AtomicBool>;

impl<DB: Driver> Begun<DB> {
    async fn begin(
        of: &Arc<Connections<DB>>,
        sql: &'static str,
        given_up: &GivenUp,
        on_commit: &Arc<OnCommit>,
    ) -> Result<Slot<DB>> {
        let mut begun = Self {
            // Boxed, as for a single statement.
            connection: Some(Box::pin(of.acquire(Use::Write)).await.map_err(classify)?),
            given_up: Arc::clone(given_up),
            on_commit: Arc::clone(on_commit),
        };
        begun.run(sql).await?;
        Ok(Arc::new(Mutex::new(Some(begun))))
    }

    /// Runs a statement that begins or ends the transaction. A connection on which that fails is not used
    /// again.
    async fn run(&mut self, sql: &'static str) -> Result<()> {
        let known = self.given_up.swap(true, Ordering::AcqRel);
        if let Some(connection) = &mut self.connection {
            crate::events::statement(sql);
            DB::run(connection, sql.into_sql_str())
                .await
                .map_err(classify)?;
        }
        self.given_up.store(known, Ordering::Release);
        Ok(())
    }

    async fn end(mut self, ending: TransactionEnd) -> Result<()> {
        self.run(match ending {
            TransactionEnd::Commit => "COMMIT",
            TransactionEnd::Rollback => "ROLLBACK",
        })
        .await?;
        // Nothing is left to roll back, and the work that is due may need the connection.
        if let Some(connection) = self.connection.take() {
            connection.end();
        }
        let due = self.on_commit.settle(ending == TransactionEnd::Commit);
        run_to_end(due).await;
        Ok(())
    }
}

impl<DB: Driver> Drop for Begun<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let on_commit = Arc::clone(&self.on_commit);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The server rolls back the transaction of a closed connection.
            connection.close_if_dropped(true);
            return drop(on_commit.settle(false));
        };
        if self.given_up.load(Ordering::Acquire) {
            connection.close_if_dropped(true);
            drop(connection);
            let due = on_commit.settle(false);
            runtime.spawn(run_to_end(due));
            return;
        }
        runtime.spawn(async move {
            if DB::run(&mut connection, "ROLLBACK".into_sql_str())
                .await
                .is_err()
            {
                connection.close_if_dropped(true);
            }
            drop(connection);
            run_to_end(on_commit.settle(false)).await;
        });
    }
}

type Slot<DB> = Arc<Mutex<Option<Begun<DB>>>>;

/// A transaction that any number of handles share.
#[derive(Clone)]
pub(crate) struct Unit(Arc<Shared>);

struct Shared {
    begun: Slots,
    /// Set if it was committed or rolled back, or dropped by its owner.
    ended: AtomicBool,
    /// Set if a statement has failed, or was abandoned half-way, since the last open savepoint.
    failed: AtomicBool,
    given_up: GivenUp,
    /// The number of open savepoints.
    savepoints: AtomicU32,
    on_commit: Arc<OnCommit>,
    extent: Extent,
    notes: std::sync::Mutex<Notes>,
    /// Set if a statement has run in it, so that its snapshot may be older than the next one.
    used: AtomicBool,
}

enum Slots {
    #[cfg(feature = "sqlite")]
    Sqlite(Slot<sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Slot<sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    Mysql(Slot<sqlx::MySql>),
}

/// The end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionEnd {
    Commit,
    Rollback,
}

const ENDED: &str = "the transaction has ended: begin another one";
const FAILED: &str = "an earlier statement of this transaction failed, so it accepts no more statements: return the error, and put statements that may fail into a savepoint";

impl Unit {
    pub(crate) fn is_of_application(&self) -> bool {
        self.0.extent == Extent::Application
    }

    /// Passes the note of type `T` on this transaction to `f`.
    pub(crate) fn note<T, R>(&self, f: impl FnOnce(&mut T) -> R) -> R
    where
        T: Any + Default + Send,
    {
        let notes = self.0.notes.lock();
        // A panic of `f` leaves one note as far as it came, and the others intact.
        notes.unwrap_or_else(PoisonError::into_inner).with(f)
    }

    pub(crate) fn is_used(&self) -> bool {
        self.0.used.load(Ordering::Acquire)
    }
}

/// Compares identity: the same transaction, not a similar one.
impl PartialEq for Unit {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Unit {}

impl Db {
    /// Begins a transaction; [`Db::within`] makes handles for its statements.
    pub(crate) async fn begin_unit(&self, extent: Extent) -> Result<Unit> {
        if self.unit().is_some() {
            return Err(Error::misuse(
                "a transaction is begun inside another one: use a savepoint of that one",
            ));
        }
        let given_up = GivenUp::default();
        let on_commit = Arc::new(OnCommit::new(extent));
        let begun = match self.explained()? {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(of) => {
                // A deferred transaction that reads before it writes would be refused if another one has
                // written.
                let begun = Begun::begin(of, "BEGIN IMMEDIATE", &given_up, &on_commit);
                Slots::Sqlite(begun.await?)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(of) => {
                Slots::Postgres(Begun::begin(of, "BEGIN", &given_up, &on_commit).await?)
            }
            #[cfg(feature = "mysql")]
            Engine::Mysql(of) => {
                let begun = Begun::begin(of, "START TRANSACTION", &given_up, &on_commit);
                Slots::Mysql(begun.await?)
            }
        };
        Ok(Unit(Arc::new(Shared {
            begun,
            ended: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            given_up,
            savepoints: AtomicU32::new(0),
            on_commit,
            extent,
            notes: std::sync::Mutex::default(),
            used: AtomicBool::new(false),
        })))
    }
}

impl Unit {
    pub(crate) fn on_commit(&self) -> &OnCommit {
        &self.0.on_commit
    }

    /// Runs a statement that is about the transaction itself, as plain text.
    #[cfg(feature = "postgres")]
    pub(crate) async fn control(&self, sql: &str) -> Result<()> {
        self.connection().await?.control(sql.to_owned()).await
    }

    /// Returns its connection, as soon as no other statement has it.
    pub(super) async fn connection(&self) -> Result<Connection> {
        self.lease(false).await
    }

    async fn lease(&self, though_failed: bool) -> Result<Connection> {
        Ok(match &self.0.begun {
            #[cfg(feature = "sqlite")]
            Slots::Sqlite(slot) => Connection::Sqlite(self.lease_of(slot, though_failed).await?),
            #[cfg(feature = "postgres")]
            Slots::Postgres(slot) => {
                Connection::Postgres(self.lease_of(slot, though_failed).await?)
            }
            #[cfg(feature = "mysql")]
            Slots::Mysql(slot) => Connection::Mysql(self.lease_of(slot, though_failed).await?),
        })
    }

    async fn lease_of<DB: Driver>(
        &self,
        slot: &Slot<DB>,
        though_failed: bool,
    ) -> Result<Lease<DB>> {
        let guard = Arc::clone(slot).lock_owned().await;
        if self.0.ended.load(Ordering::Acquire) {
            return Err(Error::misuse(ENDED));
        }
        if self.has_failed() && !though_failed {
            return Err(Error::misuse(FAILED));
        }
        self.0.used.store(true, Ordering::Release);
        let connection =
            OwnedMutexGuard::try_map(guard, |begun| begun.as_mut()?.connection.as_mut())
                .map_err(|_| Error::misuse(ENDED))?;
        let statement = Statement {
            unit: self.clone(),
            outcome: Outcome::UnderWay,
        };
        Ok(Lease::of_transaction(connection, statement))
    }

    /// Ends the transaction. One in which a statement failed is never committed.
    pub(crate) async fn end(&self, ending: TransactionEnd) -> Result<()> {
        match &self.0.begun {
            #[cfg(feature = "sqlite")]
            Slots::Sqlite(slot) => self.end_of(slot, ending).await,
            #[cfg(feature = "postgres")]
            Slots::Postgres(slot) => self.end_of(slot, ending).await,
            #[cfg(feature = "mysql")]
            Slots::Mysql(slot) => self.end_of(slot, ending).await,
        }
    }

    async fn end_of<DB: Driver>(&self, slot: &Slot<DB>, ending: TransactionEnd) -> Result<()> {
        let begun = slot.lock().await.take();
        self.0.ended.store(true, Ordering::Release);
        let begun = begun.ok_or_else(|| Error::misuse(ENDED))?;
        match ending {
            TransactionEnd::Commit if self.has_failed() => {
                drop(begun);
                Err(Error::misuse(FAILED))
            }
            TransactionEnd::Commit | TransactionEnd::Rollback => begun.end(ending).await,
        }
    }

    /// Abandons the transaction: it is rolled back as soon as no statement runs in it.
    pub(crate) fn abandon(&self) {
        self.0.ended.store(true, Ordering::Release);
        self.reap();
    }

    fn reap(&self) {
        if !self.0.ended.load(Ordering::Acquire) {
            return;
        }
        // A statement that is running comes here itself when it is done.
        match &self.0.begun {
            #[cfg(feature = "sqlite")]
            Slots::Sqlite(slot) => drop(slot.try_lock().map(|mut begun| begun.take())),
            #[cfg(feature = "postgres")]
            Slots::Postgres(slot) => drop(slot.try_lock().map(|mut begun| begun.take())),
            #[cfg(feature = "mysql")]
            Slots::Mysql(slot) => drop(slot.try_lock().map(|mut begun| begun.take())),
        }
    }

    fn fail(&self) {
        self.0.failed.store(true, Ordering::Release);
    }

    fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }
}

/// Several steps of a transaction that count as one: it has failed unless all of them are done.
pub(crate) struct Steps {
    unit: Unit,
    done: bool,
}

impl Steps {
    pub(crate) const fn begin(unit: Unit) -> Self {
        Self { unit, done: false }
    }

    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if !self.done {
            self.unit.fail();
        }
    }
}

/// One statement of a transaction. Until it has settled its effect is unknown, so one that is abandoned
/// half-way leaves the transaction failed.
pub(super) struct Statement {
    unit: Unit,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    UnderWay,
    Settled,
    Refused,
}

impl Statement {
    pub(super) fn settle(&mut self) {
        self.outcome = Outcome::Settled;
    }

    pub(super) fn refuse(&mut self) {
        self.outcome = Outcome::Refused;
    }
}

impl Statement {
    /// Reports the outcome to the transaction.
    pub(super) fn conclude(&self) {
        match self.outcome {
            Outcome::Settled => {}
            Outcome::Refused => self.unit.fail(),
            Outcome::UnderWay => {
                self.unit.0.given_up.store(true, Ordering::Release);
                self.unit.fail();
            }
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        self.unit.reap();
    }
}

/// A savepoint from its beginning to its end. One that is abandoned half-way leaves the transaction failed.
pub(crate) struct Savepoint {
    unit: Unit,
    /// The number of savepoints outside of it.
    outer: u32,
    ended: bool,
}

impl Savepoint {
    pub(crate) async fn begin(unit: &Unit) -> Result<Self> {
        let mut connection = unit.lease(false).await?;
        let outer = unit.0.savepoints.fetch_add(1, Ordering::AcqRel);
        let savepoint = Self {
            unit: unit.clone(),
            outer,
            ended: false,
        };
        connection
            .control(format!("SAVEPOINT {}", savepoint.name()))
            .await?;
        Ok(savepoint)
    }

    fn name(&self) -> String {
        format!("clearance_{}", self.outer)
    }

    /// Releases the savepoint: the changes since its beginning stay, as part of the transaction.
    pub(crate) async fn release(mut self) -> Result<()> {
        if self.unit.has_failed() {
            self.undo().await?;
            return Err(Error::misuse(FAILED));
        }
        self.in_turn()?;
        let mut connection = self.unit.lease(false).await?;
        connection
            .control(format!("RELEASE SAVEPOINT {}", self.name()))
            .await?;
        self.ended = true;
        Ok(())
    }

    /// Rolls back the changes since its beginning. The transaction continues.
    pub(crate) async fn roll_back(mut self) -> Result<()> {
        self.undo().await
    }

    async fn undo(&mut self) -> Result<()> {
        self.in_turn()?;
        let mut connection = self.unit.lease(true).await?;
        connection
            .control(format!("ROLLBACK TO SAVEPOINT {}", self.name()))
            .await?;
        connection
            .control(format!("RELEASE SAVEPOINT {}", self.name()))
            .await?;
        drop(connection);
        self.ended = true;
        self.unit.0.failed.store(false, Ordering::Release);
        Ok(())
    }

    /// Checks that the last savepoint to begin is the first to end.
    fn in_turn(&self) -> Result<()> {
        if self.unit.0.savepoints.load(Ordering::Acquire) == self.outer + 1 {
            return Ok(());
        }
        Err(Error::misuse(
            "savepoints of one transaction were open concurrently: end the inner one first",
        ))
    }
}

impl Drop for Savepoint {
    fn drop(&mut self) {
        self.unit.0.savepoints.fetch_sub(1, Ordering::AcqRel);
        if !self.ended {
            self.unit.fail();
        }
    }
}
