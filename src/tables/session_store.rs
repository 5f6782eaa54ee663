//! The SQL session store: sessions in a table of the application's database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_query::{
    CaseStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query, QueryStatementWriter,
    SelectStatement, Values,
};

use super::living::{CUT_OFF, CUT_OFFS, lives, living, living_of};
use super::session_end::{Ended, anybody, delete_some, mark_some, sweep_some};
use super::session_limit::{self, Creation};
use super::session_line::{self, REPLACED};
use super::session_touch;
use super::stateless_end::Ending;
use crate::driver::{Attempts, Db, Execute, Ready, Row};
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};
use crate::session::{
    Created, DataKept, Generations, Replaced, SecretHash, SessionId, SessionLimit, SessionRecord,
    SessionStore, Standing, StoreError, StoredData,
};
use crate::sql::session_generations::{self as counters, EVERYONE};
use crate::sql::session_hold::DENIALS;
use crate::sql::session_row::{
    COLUMNS, EXPIRES_AT, ID, IDLE_EXPIRES_AT, SUBJECT, TABLE, failed, malformed, micros, record,
    values,
};
use crate::viewer::Subject;

/// The column of a session's data. It is not part of the record: it can be large, and is read on demand.
const DATA: &str = "data";
const DATA_VERSION: &str = "data_version";

const TIMEOUT: Duration = Duration::from_secs(5);

/// A [`SessionStore`] in the table `clearance_sessions`, which [`Db::migrate`] creates.
///
/// If the application's own data is in the same database, a write checks the session within its own
/// statement.
///
/// A database that does not answer within five seconds, or the [`timeout`](Self::timeout) that is set,
/// counts as an outage (503); the wait for a connection of the pool is included. Otherwise a server that is
/// silent, but not gone, would hold every request. Only sweeps, and ending the sessions of everyone, may
/// take longer, because they touch many rows.
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
    /// The text of [`living`], which every verification runs.
    load: Arc<str>,
}

impl Db {
    /// Returns a session store in this database.
    #[must_use]
    pub fn session_store(&self) -> SqlSessionStore {
        let load = living(SessionId::from_bytes([0; 16]), DateTime::UNIX_EPOCH);
        let (load, _) = self.dialect().text(&load);
        SqlSessionStore {
            db: self.timed(TIMEOUT),
            load: load.into(),
        }
    }
}

impl SqlSessionStore {
    /// Sets another time limit for each answer of the store.
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
        self.db.set_limit(timeout);
        self
    }
}

impl fmt::Debug for SqlSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSessionStore").finish_non_exhaustive()
    }
}

/// Converts the error of a statement that stores a session. The key is the only constraint that a whole
/// record can violate.
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

/// Builds the larger one of a column's value and the given one.
fn later(column: (&'static str, &'static str), given: i64) -> Expr {
    let there = Expr::col(column);
    CaseStatement::new()
        .case(there.clone().gt(given), there)
        .finally(given)
        .into()
}

impl SqlSessionStore {
    /// Runs a statement without a time limit.
    async fn run_long(&self, statement: &impl QueryStatementWriter) -> Result<u64> {
        let mut attempts = Attempts::begin();
        loop {
            let done = self.db.execute(statement).await;
            if !attempts.go_on(&done).await {
                return done.map(|rows| rows.count);
            }
        }
    }

    async fn run(&self, statement: &impl QueryStatementWriter) -> Result<u64> {
        self.db.in_time(self.run_long(statement)).await
    }

    async fn execute(&self, statement: &impl QueryStatementWriter) -> Result<u64, StoreError> {
        self.run(statement).await.map_err(|error| failed(&error))
    }

    /// Runs a statement until it affects no more rows; returns the number of all.
    async fn run_in_steps(&self, step: &impl QueryStatementWriter) -> Result<u64> {
        let mut all = 0;
        loop {
            let rows = self.run_long(step).await?;
            all += rows;
            if rows == 0 {
                return Ok(all);
            }
        }
    }

    /// Ends sessions without a time limit; returns their number.
    async fn end(&self, ended: Ended<'_>) -> Result<u64> {
        if let Some(mark) = ended.mark(self.db.dialect()) {
            self.run_long(&mark).await?;
        }
        self.run_long(&ended.delete()).await
    }

    /// Ends the sessions of everyone; returns their number.
    async fn end_everyone(&self) -> Result<u64> {
        let dialect = self.db.dialect();
        let mut all = 0;
        loop {
            if let Some(mark) = mark_some(dialect) {
                let _ = self.run_in_steps(&mark).await?;
            }
            all += self.run_in_steps(&delete_some(dialect)).await?;
            // INVARIANT (nobody left): others may remove the rows that a step found, so that it removes
            // none although more are left.
            if self.db.fetch_optional(&anybody()).await?.is_none() {
                return Ok(all);
            }
        }
    }

    /// Ends stateless sessions once no unfinished write holds them; returns whether that is new.
    async fn end_tokens(&self, ending: Ending<'_>) -> Result<bool, StoreError> {
        let ended = self.db.in_time(Box::pin(ending.run(&self.db))).await;
        ended.map_err(|error| failed(&error))
    }

    /// Inserts the row of a subject that its writes lock, unless it has one. Without it writes are refused,
    /// but reads must not be, so a database that accepts no writes is no outage here.
    async fn begin_subject(&self, row: &Row, first: usize, subject: &Subject) {
        if counters::lacks_subject(row, first)
            && let Ok(begin) = counters::begin(subject.as_str(), 0)
        {
            let _ = self.execute(&begin).await;
        }
    }

    /// Inserts a record in one transaction with everything that it depends on.
    async fn create_together(
        &self,
        old: Option<&SessionRecord>,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        let insert = insert(record)?;
        let creation = Creation {
            old,
            record,
            insert: &insert,
            limit,
        };
        let created = Box::pin(session_limit::create(&self.db, &creation));
        self.db
            .in_time(created)
            .await
            .map_err(|error| failed(&error))
    }

    async fn row(&self, statement: impl Execute) -> Result<Option<Row>, StoreError> {
        let row = self.db.in_time(self.db.fetch_optional(statement)).await;
        row.map_err(|error| failed(&error))
    }
}

async fn select(db: &Db, select: &SelectStatement) -> Result<Vec<SessionRecord>> {
    let rows = db.fetch_all(select).await?;
    let records = rows.iter().map(|row| record(row).ok_or_else(malformed));
    records.collect()
}

#[async_trait]
impl SessionStore for SqlSessionStore {
    async fn create(
        &self,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        if limit.is_some() {
            return self.create_together(None, record, limit).await;
        }
        match self.run(&insert(record)?).await {
            Ok(_) => Ok(Created::Stored(Vec::new())),
            Err(error) => taken(&error, Created::IdTaken),
        }
    }

    async fn create_instead_of(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        limit: Option<SessionLimit>,
    ) -> Result<Created, StoreError> {
        self.create_together(Some(old), record, limit).await
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

    async fn successor(
        &self,
        id: SessionId,
        secret_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.row(&session_line::successor(id, secret_hash, now))
            .await?
            .map(|row| record(&row).ok_or(StoreError::malformed()))
            .transpose()
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        let touched = self
            .db
            .in_time(Box::pin(session_touch::touch(&self.db, record)));
        touched.await.map_err(|error| failed(&error))
    }

    async fn replace(
        &self,
        old: &SessionRecord,
        record: &SessionRecord,
        now: DateTime<Utc>,
    ) -> Result<Replaced, StoreError> {
        let replaced = Box::pin(session_line::replace(&self.db, old, record, now));
        match self.db.in_time(replaced).await {
            Ok(replaced) => Ok(replaced),
            Err(error) => taken(&error, Replaced::IdTaken),
        }
    }

    async fn data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredData>, StoreError> {
        let select = Query::select()
            .columns([DATA, DATA_VERSION])
            .from(TABLE)
            .and_where(Expr::col(ID).eq(id.to_string()))
            .cond_where(lives(micros(now)))
            .take();
        let Some(row) = self.row(&select).await? else {
            return Ok(None);
        };
        let data = match row.cell(0, Kind::Bytes) {
            Ok(Cell::Null) => None,
            Ok(Cell::Bytes(bytes)) => Some(bytes.to_vec()),
            _ => return Err(StoreError::malformed()),
        };
        let version = match row.cell(1, Kind::Int) {
            Ok(Cell::Int(version)) => version.cast_unsigned(),
            _ => return Err(StoreError::malformed()),
        };
        Ok(Some(StoredData { data, version }))
    }

    async fn set_data(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        data: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<DataKept, StoreError> {
        let version = version.map(u64::cast_signed);
        let update = Query::update()
            .table(TABLE)
            .value(DATA, data.map(<[u8]>::to_vec))
            .value(DATA_VERSION, Expr::col(DATA_VERSION).add(1))
            .and_where(Expr::col(ID).eq(id.to_string()))
            .and_where_option(version.map(|version| Expr::col(DATA_VERSION).eq(version)))
            .cond_where(lives(micros(now)))
            .take();
        if self.execute(&update).await? > 0 {
            return Ok(DataKept::Done);
        }
        let living = self.load(id, now).await?;
        Ok(match living {
            Some(_) => DataKept::Stale,
            None => DataKept::Gone,
        })
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        let ended = self.db.in_time(self.end(Ended::One(id, subject))).await;
        ended.map(|rows| rows > 0).map_err(|error| failed(&error))
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let ended = self.db.in_time(self.end(Ended::Of(subject, keep))).await;
        ended.map_err(|error| failed(&error))
    }

    async fn delete_everyone(&self) -> Result<u64, StoreError> {
        let ended = self.end_everyone().await;
        ended.map_err(|error| failed(&error))
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let living = living_of(subject, now);
        let records = self.db.in_time(select(&self.db, &living)).await;
        records.map_err(|error| failed(&error))
    }

    async fn deny(
        &self,
        id: SessionId,
        subject: &Subject,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.end_tokens(Ending::One(subject, id, until)).await
    }

    async fn generations(&self, subject: &Subject, first: u64) -> Result<Generations, StoreError> {
        let select = counters::select(subject.as_str());
        let mut has_begun = false;
        loop {
            let row = self.row(&select).await?;
            let row = row.ok_or(StoreError::malformed())?;
            match counters::read(&row, 0)? {
                Some(generations) => {
                    self.begin_subject(&row, 0, subject).await;
                    return Ok(generations);
                }
                // It exists now, unless somebody removes it meanwhile.
                None if has_begun => return Err(StoreError::malformed()),
                None => {
                    self.execute(&counters::begin(EVERYONE, first)?).await?;
                    has_begun = true;
                }
            }
        }
    }

    async fn raise_generation(
        &self,
        subject: Option<&Subject>,
        step: u64,
    ) -> Result<(), StoreError> {
        let ending = match subject {
            Some(subject) => Ending::Of(subject, step),
            None => Ending::Everyone(step),
        };
        self.end_tokens(ending).await.map(|_| ())
    }

    async fn raise_generation_from(
        &self,
        subject: &Subject,
        from: u64,
        step: u64,
    ) -> Result<bool, StoreError> {
        self.end_tokens(Ending::From(subject, from, step)).await
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
            .exprs(counters::both(subject.as_str()))
            .from(CUT_OFFS)
            .and_where(Expr::col(SUBJECT).is_in([subject.as_str(), EVERYONE]))
            .take();
        let row = self.row(&select).await?;
        let row = row.ok_or(StoreError::malformed())?;
        let generations = counters::read(&row, 2)?;
        if generations.is_some() {
            self.begin_subject(&row, 2, subject).await;
        }
        Ok(Standing {
            denied: row.flag(0).map_err(|_| StoreError::malformed())?,
            cut_off: match row.cell(1, Kind::Int) {
                Ok(Cell::Null) => None,
                // The row that sign-ins lock has an instant that no clock shows.
                Ok(Cell::Int(micros)) => DateTime::from_timestamp_micros(micros),
                _ => return Err(StoreError::malformed()),
            },
            generations,
        })
    }

    fn in_database(&self) -> Option<&Db> {
        Some(&self.db)
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let dialect = self.db.dialect();
        let swept = async |table, expires_at| {
            let step = sweep_some(dialect, table, expires_at, micros(now));
            self.run_in_steps(&step)
                .await
                .map_err(|error| failed(&error))
        };
        let _ = swept((DENIALS, ID), EXPIRES_AT).await?;
        let _ = swept((CUT_OFFS, SUBJECT), EXPIRES_AT).await?;
        let _ = swept((REPLACED, ID), EXPIRES_AT).await?;
        Ok(swept((TABLE, ID), IDLE_EXPIRES_AT).await? + swept((TABLE, ID), EXPIRES_AT).await?)
    }
}
