//! Where a statement runs: on a connection of the pool, or on that of a transaction.

use std::ops::{Deref, DerefMut};

use futures_core::Stream;
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use sea_query::{QueryStatementWriter, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};
use tokio::sync::OwnedMappedMutexGuard;

use super::db::{DatabaseId, Db, Engine};
use super::dialect::Dialect;
use super::failure::classify;
use super::hand_over;
use super::row::Row;
use super::unit::{Begun, Statement, Transacting};
use crate::error::{Error, Result};

/// The rows that a statement touched.
pub(crate) struct Touched {
    pub(crate) count: u64,
    /// The integer that the engine counted up for a new row, where it says so without being asked.
    pub(crate) last_key: Option<i64>,
}

/// A connection for one statement.
pub(super) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(Lease<sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Lease<sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    Mysql(Lease<sqlx::MySql>),
}

/// A connection of one engine.
pub(super) struct Lease<DB: Transacting> {
    // Dropped before what looks after the transaction then.
    held: Held<DB>,
    statement: Option<Statement>,
    /// Nobody waits for what the database still says when the statement is given up.
    close_if_given_up: bool,
}

/// A connection of the pool of a database, between two statements.
struct Left<DB: Transacting> {
    database: DatabaseId,
    lease: Lease<DB>,
}

enum Held<DB: Transacting> {
    Pool(PoolConnection<DB>),
    Transaction(OfTransaction<DB>),
}

/// The connection of a transaction, which no other statement has meanwhile.
pub(super) type OfTransaction<DB> = OwnedMappedMutexGuard<Option<Begun<DB>>, PoolConnection<DB>>;

impl<DB: Transacting> Lease<DB> {
    /// The connection that an earlier statement of the request has left, or one of the pool.
    async fn of_pool(db: &Db, pool: &sqlx::Pool<DB>) -> Result<Self> {
        let mut lease = match hand_over::take(|left: &Left<DB>| left.database == db.id()) {
            Some(left) => left.lease,
            None => Self {
                held: Held::Pool(pool.acquire().await.map_err(classify)?),
                statement: None,
                close_if_given_up: false,
            },
        };
        lease.close_if_given_up = db.is_timed();
        Ok(lease)
    }

    pub(super) const fn of_transaction(
        connection: OfTransaction<DB>,
        statement: Statement,
    ) -> Self {
        Self {
            held: Held::Transaction(connection),
            statement: Some(statement),
            close_if_given_up: false,
        }
    }

    /// The statement has ended well.
    fn settle(&mut self) {
        self.close_if_given_up = false;
        if let Some(statement) = &mut self.statement {
            statement.settle();
        }
    }

    /// The statement has ended well, and nobody wants more of it. Rows that were not read, because one of
    /// them was refused, the driver passes over before its next statement.
    fn end(mut self, db: &Db) {
        self.settle();
        if self.statement.is_none() {
            hand_over::leave(Left {
                database: db.id(),
                lease: self,
            });
        }
    }

    /// The database refused the statement, or did not answer.
    fn fail(&mut self, error: sqlx::Error) -> Error {
        self.close_if_given_up = false;
        if let Some(statement) = &mut self.statement {
            statement.refuse();
        }
        classify(error)
    }
}

impl<DB: Transacting> Drop for Lease<DB> {
    fn drop(&mut self) {
        // While the connection is still held, so that no other statement has it meanwhile.
        if let Some(statement) = &self.statement {
            statement.conclude();
        }
        if let Held::Pool(connection) = &mut self.held
            && self.close_if_given_up
        {
            connection.close_on_drop();
        }
    }
}

impl<DB: Transacting> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        match &self.held {
            Held::Pool(connection) => connection,
            Held::Transaction(connection) => connection,
        }
    }
}

impl<DB: Transacting> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.held {
            Held::Pool(connection) => connection,
            Held::Transaction(connection) => connection,
        }
    }
}

impl Connection {
    /// Runs a statement that begins or ends a savepoint, in plain text: not every engine prepares
    /// one.
    pub(super) async fn control(&mut self, sql: String) -> Result<()> {
        crate::audit::statement(&sql);
        let query = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(lease) => {
                let outcome = query.execute(&mut **lease).await;
                outcome.map_err(|error| lease.fail(error))?;
                lease.settle();
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(lease) => {
                let outcome = query.execute(&mut **lease).await;
                outcome.map_err(|error| lease.fail(error))?;
                lease.settle();
            }
            #[cfg(feature = "mysql")]
            Self::Mysql(lease) => {
                let outcome = query.execute(&mut **lease).await;
                outcome.map_err(|error| lease.fail(error))?;
                lease.settle();
            }
        }
        Ok(())
    }
}

impl Db {
    /// Boxed where it begins: what waits for a connection is 18 KiB large, and would be moved with every
    /// future of the application that waits for a statement.
    fn connection(&self) -> BoxFuture<'_, Result<Connection>> {
        Box::pin(async move {
            if let Some(unit) = self.unit() {
                return unit.connection().await;
            }
            Ok(match self.engine() {
                #[cfg(feature = "sqlite")]
                Engine::Sqlite(pool) => Connection::Sqlite(Lease::of_pool(self, pool).await?),
                #[cfg(feature = "postgres")]
                Engine::Postgres(pool) => Connection::Postgres(Lease::of_pool(self, pool).await?),
                #[cfg(feature = "mysql")]
                Engine::Mysql(pool) => Connection::Mysql(Lease::of_pool(self, pool).await?),
            })
        })
    }

    /// Runs a statement and tells which rows it touched.
    pub(crate) async fn execute(&self, statement: impl Execute) -> Result<Touched> {
        let (sql, values) = self.build(statement);
        match self.connection().await? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(mut lease) => {
                let query = sqlx::query_with(sql, values);
                let outcome = query.execute(&mut *lease).await;
                let outcome = outcome.map_err(|error| lease.fail(error))?;
                lease.end(self);
                Ok(Touched {
                    count: outcome.rows_affected(),
                    last_key: None,
                })
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(mut lease) => {
                let query = sqlx::query_with(sql, values);
                let outcome = query.execute(&mut *lease).await;
                let outcome = outcome.map_err(|error| lease.fail(error))?;
                lease.end(self);
                Ok(Touched {
                    count: outcome.rows_affected(),
                    last_key: None,
                })
            }
            #[cfg(feature = "mysql")]
            Connection::Mysql(mut lease) => {
                let query = sqlx::query_with(sql, values);
                let outcome = query.execute(&mut *lease).await;
                let outcome = outcome.map_err(|error| lease.fail(error))?;
                lease.end(self);
                Ok(Touched {
                    count: outcome.rows_affected(),
                    last_key: i64::try_from(outcome.last_insert_id()).ok(),
                })
            }
        }
    }

    pub(crate) async fn fetch_optional(&self, statement: impl Execute) -> Result<Option<Row>> {
        let (sql, values) = self.build(statement);
        match self.connection().await? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(mut lease) => {
                let query = sqlx::query_with(sql, values);
                let row = query.fetch_optional(&mut *lease).await;
                let row = row.map_err(|error| lease.fail(error))?;
                lease.end(self);
                Ok(row.map(Row::Sqlite))
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(mut lease) => {
                let query = sqlx::query_with(sql, values);
                let row = query.fetch_optional(&mut *lease).await;
                let row = row.map_err(|error| lease.fail(error))?;
                lease.end(self);
                Ok(row.map(Row::Postgres))
            }
            #[cfg(feature = "mysql")]
            Connection::Mysql(mut lease) => {
                let query = sqlx::query_with(sql, values);
                let row = query.fetch_optional(&mut *lease).await;
                let row = row.map_err(|error| lease.fail(error))?;
                lease.end(self);
                Ok(row.map(Row::Mysql))
            }
        }
    }

    /// Runs a query and hands each row to `each`, as it arrives.
    pub(crate) async fn fetch_each(
        &self,
        statement: impl Execute,
        each: impl FnMut(Row) -> Result<()> + Send,
    ) -> Result<()> {
        let (sql, values) = self.build(statement);
        match self.connection().await? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(mut lease) => {
                let rows = sqlx::query_with(sql, values).fetch(&mut *lease);
                let outcome = each_of(rows, Row::Sqlite, each).await;
                let outcome = outcome.map_err(|error| lease.fail(error))?;
                lease.end(self);
                outcome
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(mut lease) => {
                let rows = sqlx::query_with(sql, values).fetch(&mut *lease);
                let outcome = each_of(rows, Row::Postgres, each).await;
                let outcome = outcome.map_err(|error| lease.fail(error))?;
                lease.end(self);
                outcome
            }
            #[cfg(feature = "mysql")]
            Connection::Mysql(mut lease) => {
                let rows = sqlx::query_with(sql, values).fetch(&mut *lease);
                let outcome = each_of(rows, Row::Mysql, each).await;
                let outcome = outcome.map_err(|error| lease.fail(error))?;
                lease.end(self);
                outcome
            }
        }
    }

    /// Runs a query and keeps its rows.
    pub(crate) async fn fetch_all(&self, statement: impl Execute) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let each = |row| {
            rows.push(row);
            Ok(())
        };
        self.fetch_each(statement, each).await?;
        Ok(rows)
    }

    /// Runs a query and yields its rows as a stream that owns all it needs.
    pub(crate) fn fetch_stream(
        &self,
        statement: impl Execute,
    ) -> impl Stream<Item = Result<Row>> + Send + 'static {
        let (sql, values) = self.build(statement);
        let db = self.clone();
        async_stream::try_stream! {
            match db.connection().await? {
                #[cfg(feature = "sqlite")]
                Connection::Sqlite(mut lease) => {
                    let mut rows = sqlx::query_with(sql, values).fetch(&mut *lease);
                    let failed = loop {
                        match rows.try_next().await {
                            Ok(Some(row)) => yield Row::Sqlite(row),
                            Ok(None) => break None,
                            Err(error) => break Some(error),
                        }
                    };
                    drop(rows);
                    if let Some(error) = failed {
                        Err(lease.fail(error))?;
                    }
                    lease.end(&db);
                }
                #[cfg(feature = "postgres")]
                Connection::Postgres(mut lease) => {
                    let mut rows = sqlx::query_with(sql, values).fetch(&mut *lease);
                    let failed = loop {
                        match rows.try_next().await {
                            Ok(Some(row)) => yield Row::Postgres(row),
                            Ok(None) => break None,
                            Err(error) => break Some(error),
                        }
                    };
                    drop(rows);
                    if let Some(error) = failed {
                        Err(lease.fail(error))?;
                    }
                    lease.end(&db);
                }
                #[cfg(feature = "mysql")]
                Connection::Mysql(mut lease) => {
                    let mut rows = sqlx::query_with(sql, values).fetch(&mut *lease);
                    let failed = loop {
                        match rows.try_next().await {
                            Ok(Some(row)) => yield Row::Mysql(row),
                            Ok(None) => break None,
                            Err(error) => break Some(error),
                        }
                    };
                    drop(rows);
                    if let Some(error) = failed {
                        Err(lease.fail(error))?;
                    }
                    lease.end(&db);
                }
            }
        }
    }

    /// The text of a statement in this engine's dialect, and its bound values. The text is an
    /// event; the values never are.
    fn build(&self, statement: impl Execute) -> (SqlStr, SqlxValues) {
        let (sql, values) = statement.into_parts(self.dialect());
        crate::audit::statement(sql.as_str());
        (sql, SqlxValues(values))
    }
}

/// What a connection can run.
pub(crate) trait Execute {
    /// The text in this dialect, and the values that are bound to its placeholders.
    fn into_parts(self, dialect: Dialect) -> (SqlStr, Values);
}

impl<S: QueryStatementWriter> Execute for &S {
    fn into_parts(self, dialect: Dialect) -> (SqlStr, Values) {
        let (sql, values) = dialect.text(self);
        (AssertSqlSafe(sql).into_sql_str(), values)
    }
}

/// Hands each row to `each`, until it refuses one or the database fails.
async fn each_of<R>(
    mut rows: impl Stream<Item = sqlx::Result<R>> + Unpin,
    row: fn(R) -> Row,
    mut each: impl FnMut(Row) -> Result<()>,
) -> sqlx::Result<Result<()>> {
    while let Some(found) = rows.try_next().await? {
        if let Err(refused) = each(row(found)) {
            return Ok(Err(refused));
        }
    }
    Ok(Ok(()))
}
