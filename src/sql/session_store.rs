//! Sessions in a table of the application's database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_query::{
    CaseStatement, Condition, Expr, ExprTrait as _, InsertStatement, OnConflict, Order, Query,
    QueryStatementWriter, SelectStatement, Values,
};

use super::attempts::Attempts;
use super::connection::Execute;
use super::db::{DatabaseId, Db};
#[cfg(feature = "accounts")]
use super::dialect::Dialect;
use super::row::Row;
use super::session_limit::limited;
use super::session_row::{
    COLUMNS, CREATED_AT, EXPIRES_AT, ID, IDLE_EXPIRES_AT, LAST_SEEN_AT, SECRET_HASH, SUBJECT,
    TABLE, micros, record, values,
};
use super::template::Ready;
use crate::audit;
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};
use crate::session::{
    Created, Replaced, SessionId, SessionLimit, SessionRecord, SessionStore, Standing, StoreError,
};
use crate::viewer::Subject;

/// Not among those of a record: it can be large, and is read when it is asked for.
const DATA: &str = "data";

const TIMEOUT: Duration = Duration::from_secs(5);

const DENIALS: &str = "clearance_session_denials";
pub(super) const CUT_OFFS: &str = "clearance_session_cut_offs";
pub(super) const CUT_OFF: &str = "cut_off";
/// The subject of the cut-off of everyone: no subject is empty.
const EVERYONE: &str = "";

/// Keeps sessions in the table `clearance_sessions`, which [`Db::migrate`] creates.
///
/// When the application's own data is in the same database, a write tests the session within its
/// own statement.
///
/// A database that does not answer within five seconds, or what [`timeout`](Self::timeout) says,
/// is an outage (503), the wait for a connection of the pool included. Without that a server that
/// is silent, but not gone, would hold every request. Only sweeps, and ending the sessions of
/// everyone, may take longer, because they touch many rows.
///
/// # Example
///
/// ```
/// use clearance::Db;
/// use clearance::session::SessionStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let db = Db::connect("sqlite::memory:").await?;
/// db.migrate().await?;
/// let store = db.session_store();
/// assert_eq!(store.sweep("2026-01-01T00:00:00Z".parse()?).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqlSessionStore {
    db: Db,
    timeout: Duration,
    /// The text of [`living`], which every verification runs.
    load: Arc<str>,
}

impl Db {
    /// A session store in this database.
    #[must_use]
    pub fn session_store(&self) -> SqlSessionStore {
        let load = living(SessionId::from_bytes([0; 16]), DateTime::UNIX_EPOCH);
        let (load, _) = self.dialect().text(&load);
        SqlSessionStore {
            db: self.timed(),
            timeout: TIMEOUT,
            load: load.into(),
        }
    }
}

impl SqlSessionStore {
    /// The store with another limit of time for each of its answers.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> clearance::Result<()> {
    /// # let db = clearance::Db::connect("sqlite::memory:").await?;
    /// let store = db.session_store().timeout(Duration::from_secs(1));
    /// # let _ = store;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn database(&self) -> DatabaseId {
        self.db.id()
    }
}

impl fmt::Debug for SqlSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSessionStore").finish_non_exhaustive()
    }
}

/// The session of `id` if it lives, its columns first, for a statement that may ask for more.
pub(super) fn living(id: SessionId, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .columns(COLUMNS.map(|column| (TABLE, column)))
        .from(TABLE)
        .and_where(Expr::col((TABLE, ID)).eq(id.to_string()))
        .cond_where(lives(micros(now)))
        .take()
}

/// The subject of a session, to be compared with a column of text.
#[cfg(feature = "accounts")]
pub(super) fn subject(dialect: Dialect) -> Expr {
    dialect.kept_as_bytes(Expr::col((TABLE, SUBJECT)))
}

fn lives(now: i64) -> Condition {
    Condition::all()
        .add(Expr::col(IDLE_EXPIRES_AT).gt(now))
        .add(Expr::col(EXPIRES_AT).gt(now))
}

/// An outage stays one; anything else that a database says of these statements means that the
/// table is not what it should be.
fn failed(error: &Error) -> StoreError {
    if error.is_unavailable() {
        StoreError::outage()
    } else {
        StoreError::malformed()
    }
}

/// A failed statement of a session that was to be stored. The key is the only constraint that a
/// whole record can stand against.
fn taken<T>(error: &Error, taken: T) -> Result<T, StoreError> {
    if error.is_conflict() {
        Ok(taken)
    } else {
        Err(failed(error))
    }
}

fn insert(record: &SessionRecord) -> Result<InsertStatement, StoreError> {
    let mut insert = Query::insert();
    insert
        .into_table(TABLE)
        .columns(COLUMNS)
        .values(values(record).map(Expr::from))
        .map_err(|_| StoreError::malformed())?;
    Ok(insert)
}

/// The larger one of what a column holds and of what it is given.
fn later(column: (&'static str, &'static str), given: i64) -> Expr {
    let there = Expr::col(column);
    CaseStatement::new()
        .case(there.clone().gt(given), there)
        .finally(given)
        .into()
}

impl SqlSessionStore {
    /// What the database answers, if it does so in time.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                audit::database_failure("timeout", "");
                Err(Error::unavailable("the database"))
            }
        }
    }

    /// Runs a statement for as long as it takes.
    async fn run_long(&self, statement: &impl QueryStatementWriter) -> Result<u64> {
        let mut attempts = Attempts::begin();
        loop {
            let done = self.db.execute(statement).await;
            if !attempts.go_on(&done) {
                return done.map(|rows| rows.count);
            }
        }
    }

    async fn run(&self, statement: &impl QueryStatementWriter) -> Result<u64> {
        self.in_time(self.run_long(statement)).await
    }

    async fn execute(&self, statement: &impl QueryStatementWriter) -> Result<u64, StoreError> {
        self.run(statement).await.map_err(|error| failed(&error))
    }

    async fn execute_long(&self, statement: &impl QueryStatementWriter) -> Result<u64, StoreError> {
        let done = self.run_long(statement).await;
        done.map_err(|error| failed(&error))
    }

    async fn row(&self, statement: impl Execute) -> Result<Option<Row>, StoreError> {
        let row = self.in_time(self.db.fetch_optional(statement)).await;
        row.map_err(|error| failed(&error))
    }
}

pub(super) async fn select(db: &Db, select: &SelectStatement) -> Result<Vec<SessionRecord>> {
    let rows = db.fetch_all(select).await?;
    let records = rows.iter().map(|row| record(row).ok_or_else(malformed));
    records.collect()
}

pub(super) fn malformed() -> Error {
    Error::internal("a stored session is malformed")
}

/// The living sessions of a subject, the last created first.
pub(super) fn living_of(subject: &Subject, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .columns(COLUMNS)
        .from(TABLE)
        .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
        .cond_where(lives(micros(now)))
        .order_by(CREATED_AT, Order::Desc)
        .order_by(ID, Order::Asc)
        .take()
}

#[async_trait]
impl SessionStore for SqlSessionStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        let insert = insert(record)?;
        let Some(limit) = limit else {
            return match self.run(&insert).await {
                Ok(_) => Ok(Created::Stored(Vec::new())),
                Err(error) => taken(&error, Created::IdTaken),
            };
        };
        let created = Box::pin(limited(&self.db, record, &insert, limit));
        let created = self.in_time(created);
        created.await.map_err(|error| failed(&error))
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let now = micros(now);
        let values = vec![id.to_string().into(), now.into(), now.into()];
        let load = Ready::new(Arc::clone(&self.load), Values(values));
        self.row(load)
            .await?
            .map(|row| record(&row).ok_or(StoreError::malformed()))
            .transpose()
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        let update = Query::update()
            .table(TABLE)
            .value(LAST_SEEN_AT, micros(record.last_seen_at))
            .value(IDLE_EXPIRES_AT, micros(record.idle_expires_at))
            .and_where(Expr::col(ID).eq(record.id.to_string()))
            .and_where(Expr::col(SECRET_HASH).eq(record.secret_hash.as_bytes().to_vec()))
            .cond_where(lives(micros(record.last_seen_at)))
            .take();
        self.execute(&update).await.map(|rows| rows > 0)
    }

    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .and_where(Expr::col(ID).eq(old.id.to_string()))
            .and_where(Expr::col(SECRET_HASH).eq(old.secret_hash.as_bytes().to_vec()))
            .cond_where(lives(micros(now)));
        for (column, value) in COLUMNS.into_iter().zip(values(record)) {
            update.value(column, value);
        }
        match self.run(&update).await {
            Ok(rows) if rows > 0 => Ok(Replaced::Done),
            Ok(_) => Ok(Replaced::Gone),
            Err(error) => taken(&error, Replaced::IdTaken),
        }
    }

    async fn data(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        let select = Query::select()
            .column(DATA)
            .from(TABLE)
            .and_where(Expr::col(ID).eq(id.to_string()))
            .cond_where(lives(micros(now)))
            .take();
        let row = self.row(&select).await?;
        match row.as_ref().map(|row| row.cell(0, Kind::Bytes)) {
            None | Some(Ok(Cell::Null)) => Ok(None),
            Some(Ok(Cell::Bytes(bytes))) => Ok(Some(bytes.to_vec())),
            Some(_) => Err(StoreError::malformed()),
        }
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let update = Query::update()
            .table(TABLE)
            .value(DATA, data.map(<[u8]>::to_vec))
            .and_where(Expr::col(ID).eq(id.to_string()))
            .cond_where(lives(micros(now)))
            .take();
        self.execute(&update).await.map(|rows| rows > 0)
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        let delete = Query::delete()
            .from_table(TABLE)
            .and_where(Expr::col(ID).eq(id.to_string()))
            .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
            .take();
        self.execute(&delete).await.map(|rows| rows > 0)
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let delete = Query::delete()
            .from_table(TABLE)
            .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
            .and_where_option(keep.map(|id| Expr::col(ID).ne(id.to_string())))
            .take();
        self.execute(&delete).await
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        let delete = Query::delete().from_table(TABLE).take();
        self.execute_long(&delete).await
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let living = living_of(subject, now);
        let records = self.in_time(select(&self.db, &living)).await;
        records.map_err(|error| failed(&error))
    }

    async fn deny(&self, id: SessionId, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut insert = Query::insert();
        insert
            .into_table(DENIALS)
            .columns([ID, EXPIRES_AT])
            .values([id.to_string().into(), micros(until).into()])
            .map_err(|_| StoreError::malformed())?;
        match self.run(&insert).await {
            Ok(_) => return Ok(true),
            Err(error) => taken(&error, ())?,
        }
        // Kept as long as whoever needs it longest.
        let update = Query::update()
            .table(DENIALS)
            .value(EXPIRES_AT, micros(until))
            .and_where(Expr::col(ID).eq(id.to_string()))
            .and_where(Expr::col(EXPIRES_AT).lt(micros(until)))
            .take();
        self.execute(&update).await.map(|_| false)
    }

    async fn cut_off(
        &self,
        subject: Option<&Subject>,
        cut_off: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let subject = subject.map_or(EVERYONE, Subject::as_str);
        let (cut_off, until) = (micros(cut_off), micros(until));
        let mut insert = Query::insert();
        insert
            .into_table(CUT_OFFS)
            .columns([SUBJECT, CUT_OFF, EXPIRES_AT])
            .values([subject.into(), cut_off.into(), until.into()])
            .map_err(|_| StoreError::malformed())?
            .on_conflict(
                OnConflict::column(SUBJECT)
                    .value(CUT_OFF, later((CUT_OFFS, CUT_OFF), cut_off))
                    .value(EXPIRES_AT, later((CUT_OFFS, EXPIRES_AT), until))
                    .to_owned(),
            );
        self.execute(&insert).await.map(|_| ())
    }

    async fn standing(&self, id: SessionId, subject: &Subject) -> Result<Standing, StoreError> {
        let denied = Query::select()
            .expr(Expr::cust("1"))
            .from(DENIALS)
            .and_where(Expr::col(ID).eq(id.to_string()))
            .take();
        let select = Query::select()
            .expr(Expr::exists(denied))
            .expr(Expr::col(CUT_OFF).max())
            .from(CUT_OFFS)
            .and_where(Expr::col(SUBJECT).is_in([subject.as_str(), EVERYONE]))
            .take();
        let row = self.row(&select).await?;
        let row = row.ok_or(StoreError::malformed())?;
        Ok(Standing {
            denied: row.flag(0).map_err(|_| StoreError::malformed())?,
            cut_off: match row.cell(1, Kind::Int) {
                Ok(Cell::Null) => None,
                // The row that sign-ins wait for has an instant that no clock shows.
                Ok(Cell::Int(micros)) => DateTime::from_timestamp_micros(micros),
                _ => return Err(StoreError::malformed()),
            },
        })
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let now = micros(now);
        for table in [DENIALS, CUT_OFFS] {
            let delete = Query::delete()
                .from_table(table)
                .and_where(Expr::col(EXPIRES_AT).lte(now))
                .take();
            self.execute_long(&delete).await?;
        }
        let delete = Query::delete()
            .from_table(TABLE)
            .cond_where(
                Condition::any()
                    .add(Expr::col(IDLE_EXPIRES_AT).lte(now))
                    .add(Expr::col(EXPIRES_AT).lte(now)),
            )
            .take();
        self.execute_long(&delete).await
    }
}
