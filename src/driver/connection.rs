//! Execution of statements, on a connection of the pool or on that of a transaction.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use futures_core::Stream;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _, SqlStr};
use tokio::sync::OwnedMappedMutexGuard;

use super::built::{Built, Execute, Spare};
use super::connections::{Connections, Pooled, Use};
use super::db::{Db, Engine};
use super::engine::{Driver, Touched};
use super::failure::{classify, is_beaten, is_full, is_mixed, is_stale};
use super::row::Row;
use super::unit::{Begun, Statement};
use crate::error::{Error, Result};

/// A connection for one statement.
pub(super) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(Lease<sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Lease<sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    Mysql(Lease<sqlx::MySql>),
}

/// A connection of one engine, from the pool or from a transaction.
pub(super) enum Lease<DB: Driver> {
    Pool(Pooled<DB>),
    Transaction(OneStatement<DB>),
}

/// The connection of a transaction, for one statement.
pub(super) struct OneStatement<DB: Driver> {
    // Dropped first, which releases the lock: the drop of `statement` takes it to roll back a transaction
    // that was abandoned.
    connection: OfTransaction<DB>,
    statement: Statement,
}

/// The connection of a transaction, locked against its other statements.
pub(super) type OfTransaction<DB> = OwnedMappedMutexGuard<Option<Begun<DB>>, Pooled<DB>>;

impl<DB: Driver> Lease<DB> {
    async fn of_pool(db: &Db, of: &Arc<Connections<DB>>, usage: Use) -> Result<Self> {
        let mut connection = of.acquire(usage).await.map_err(classify)?;
        // If the statement is abandoned the connection is closed, and nobody waits for the answer of the
        // database.
        connection.close_if_dropped(db.is_timed());
        Ok(Self::Pool(connection))
    }

    pub(super) const fn of_transaction(
        connection: OfTransaction<DB>,
        statement: Statement,
    ) -> Self {
        Self::Transaction(OneStatement {
            connection,
            statement,
        })
    }

    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        expect(dead_code, reason = "SQLite has nothing to set")
    )]
    fn use_up(&mut self) {
        match self {
            Self::Pool(connection) => connection.use_up(),
            Self::Transaction(one) => one.connection.use_up(),
        }
    }

    /// Records that the statement has ended well.
    fn settle(&mut self) {
        match self {
            Self::Pool(connection) => connection.close_if_dropped(false),
            Self::Transaction(one) => one.statement.settle(),
        }
    }

    /// Ends the lease after a statement that has ended well. If rows were left unread, because one of them
    /// was refused, the driver skips them before its next statement.
    fn end(mut self) {
        self.settle();
        if let Self::Pool(connection) = self {
            connection.end();
        }
    }

    /// Records that the database refused the statement or did not answer, and converts the error.
    pub(super) fn fail(&mut self, error: sqlx::Error) -> Error {
        self.refuse();
        classify(error)
    }

    /// Records that the statement has failed.
    pub(super) fn refuse(&mut self) {
        match self {
            Self::Pool(connection) => connection.close_if_dropped(false),
            Self::Transaction(one) => one.statement.refuse(),
        }
    }
}

impl<DB: Driver> Lease<DB> {
    /// Returns the statement to run on this connection in place of one that was refused. If the server has
    /// dropped the prepared statement, the driver's whole statement cache of this connection is cleared.
    ///
    /// Boxed, because it is rare and would otherwise be part of each future that waits for a statement.
    fn again<'a>(
        &'a mut self,
        error: &'a sqlx::Error,
        spare: &'a mut Spare,
    ) -> BoxFuture<'a, Option<(SqlStr, SqlxValues)>> {
        Box::pin(async move {
            if is_mixed(error) {
                let (sql, values) = spare.exactly.take()?;
                crate::events::statement(sql.as_str());
                return Some((sql, values));
            }
            if is_beaten(error) {
                return spare.after_another().await;
            }
            let is_stale = is_stale(error);
            if is_stale || is_full(error) {
                // If that fails the connection is gone, which the pool will notice.
                let _ = self.clear_cached_statements().await;
            }
            spare.again.take_if(|_| is_stale)
        })
    }
}

/// Execution of a statement on any engine. A further attempt is boxed: it is rare, and would otherwise be part of each
/// future of the application.
impl<DB: Driver> Lease<DB> {
    async fn control(&mut self, sql: SqlStr) -> Result<()> {
        let outcome = DB::run(self, sql).await;
        outcome.map_err(|error| self.fail(error))?;
        self.settle();
        Ok(())
    }

    async fn execute(mut self, built: Built) -> Result<Touched> {
        let mut spare = built.spare;
        let mut outcome = DB::execute(&mut self, built.sql, built.values).await;
        while let Err(error) = &outcome
            && let Some((sql, values)) = self.again(error, &mut spare).await
        {
            outcome = Box::pin(DB::execute(&mut self, sql, values)).await;
        }
        let touched = outcome.map_err(|error| self.fail(error))?;
        self.end();
        Ok(touched)
    }

    async fn fetch_optional(mut self, built: Built) -> Result<Option<Row>> {
        let mut spare = built.spare;
        let mut outcome = DB::fetch_optional(&mut self, built.sql, built.values).await;
        while let Err(error) = &outcome
            && let Some((sql, values)) = self.again(error, &mut spare).await
        {
            outcome = Box::pin(DB::fetch_optional(&mut self, sql, values)).await;
        }
        let row = outcome.map_err(|error| self.fail(error))?;
        self.end();
        Ok(row.map(DB::row))
    }

    async fn fetch_each(
        mut self,
        built: Built,
        mut each: impl FnMut(Row) -> Result<()> + Send,
    ) -> Result<()> {
        let mut spare = built.spare;
        let rows = DB::fetch(&mut self, built.sql, built.values);
        let mut outcome = each_of(rows, DB::row, &mut each).await;
        // Rows that were handed out are not handed out again.
        while let Err((error, 0)) = &outcome
            && let Some((sql, values)) = self.again(error, &mut spare).await
        {
            let rows = DB::fetch(&mut self, sql, values);
            outcome = Box::pin(each_of(rows, DB::row, &mut each)).await;
        }
        let outcome = outcome.map_err(|(error, _)| self.fail(error))?;
        self.end();
        outcome
    }

    fn fetch_stream(mut self, built: Built) -> impl Stream<Item = Result<Row>> + Send + 'static {
        async_stream::try_stream! {
            let mut spare = built.spare;
            let mut rows = DB::fetch(&mut self, built.sql, built.values);
            let mut next = rows.try_next().await;
            while let Err(error) = &next {
                drop(rows);
                let Some((sql, values)) = self.again(error, &mut spare).await else {
                    rows = futures_util::stream::empty().boxed();
                    break;
                };
                rows = DB::fetch(&mut self, sql, values);
                next = rows.try_next().await;
            }
            let failed = loop {
                match next {
                    Ok(Some(row)) => yield DB::row(row),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
                next = rows.try_next().await;
            };
            drop(rows);
            if let Some(error) = failed {
                Err(self.fail(error))?;
            }
            self.end();
        }
    }
}

impl<DB: Driver> Drop for OneStatement<DB> {
    fn drop(&mut self) {
        // The lock is still held, so that no other statement gets the connection in between.
        self.statement.conclude();
    }
}

impl<DB: Driver> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Pool(connection) => connection,
            Self::Transaction(one) => &one.connection,
        }
    }
}

impl<DB: Driver> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Pool(connection) => connection,
            Self::Transaction(one) => &mut one.connection,
        }
    }
}

impl Connection {
    /// Marks the connection to be closed afterwards, if a query can leave a setting to the next one.
    fn use_up(&mut self) {
        match self {
            // A query cannot set anything.
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Self::Postgres(lease) => lease.use_up(),
            #[cfg(feature = "mysql")]
            Self::Mysql(lease) => lease.use_up(),
        }
    }

    /// Runs a statement that begins or ends a savepoint, as plain text, because not every engine prepares
    /// one.
    pub(super) async fn control(&mut self, sql: String) -> Result<()> {
        crate::events::statement(&sql);
        let sql = AssertSqlSafe(sql).into_sql_str();
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(lease) => lease.control(sql).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(lease) => lease.control(sql).await,
            #[cfg(feature = "mysql")]
            Self::Mysql(lease) => lease.control(sql).await,
        }
    }
}

impl Db {
    /// Returns the connection for a statement. It is boxed here: the future that waits for a connection has
    /// 18 KiB, and would be moved with every future of the application that waits for a statement.
    fn connection(&self, large: Option<u64>, usage: Use) -> BoxFuture<'_, Result<Connection>> {
        Box::pin(async move {
            let mut connection = self.taken(usage).await?;
            if self.uses_up() {
                connection.use_up();
            }
            #[cfg(not(feature = "mysql"))]
            let _ = large;
            #[cfg(feature = "mysql")]
            let connection = match (connection, large) {
                (Connection::Mysql(mut lease), Some(bytes)) => {
                    Box::pin(self.require_packet(&mut lease, bytes)).await?;
                    Connection::Mysql(lease)
                }
                (connection, _) => connection,
            };
            Ok(connection)
        })
    }

    /// Returns the connection of the transaction, or one of the pool.
    async fn taken(&self, usage: Use) -> Result<Connection> {
        if let Some(unit) = self.unit() {
            return unit.connection().await;
        }
        Ok(match self.explained()? {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(of) => Connection::Sqlite(Lease::of_pool(self, of, usage).await?),
            #[cfg(feature = "postgres")]
            Engine::Postgres(of) => Connection::Postgres(Lease::of_pool(self, of, usage).await?),
            #[cfg(feature = "mysql")]
            Engine::Mysql(of) => Connection::Mysql(Lease::of_pool(self, of, usage).await?),
        })
    }

    /// Runs a statement and returns the rows that it affected.
    pub(crate) async fn execute(&self, statement: impl Execute) -> Result<Touched> {
        let built = self.build(statement)?;
        match self.connection(built.large, built.usage).await? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(lease) => lease.execute(built).await,
            #[cfg(feature = "postgres")]
            Connection::Postgres(lease) => lease.execute(built).await,
            #[cfg(feature = "mysql")]
            Connection::Mysql(lease) => lease.execute(built).await,
        }
    }

    pub(crate) async fn fetch_optional(&self, statement: impl Execute) -> Result<Option<Row>> {
        let built = self.build(statement)?;
        match self.connection(built.large, built.usage).await? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(lease) => lease.fetch_optional(built).await,
            #[cfg(feature = "postgres")]
            Connection::Postgres(lease) => lease.fetch_optional(built).await,
            #[cfg(feature = "mysql")]
            Connection::Mysql(lease) => lease.fetch_optional(built).await,
        }
    }

    /// Runs a query and passes each row to `each`, as it arrives.
    pub(crate) async fn fetch_each(
        &self,
        statement: impl Execute,
        each: impl FnMut(Row) -> Result<()> + Send,
    ) -> Result<()> {
        let built = self.build(statement)?;
        match self.connection(built.large, built.usage).await? {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(lease) => lease.fetch_each(built, each).await,
            #[cfg(feature = "postgres")]
            Connection::Postgres(lease) => lease.fetch_each(built, each).await,
            #[cfg(feature = "mysql")]
            Connection::Mysql(lease) => lease.fetch_each(built, each).await,
        }
    }

    /// Runs a query and collects its rows.
    pub(crate) async fn fetch_all(&self, statement: impl Execute) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let each = |row| {
            rows.push(row);
            Ok(())
        };
        self.fetch_each(statement, each).await?;
        Ok(rows)
    }

    /// Runs a query and returns its rows as a stream that owns everything it needs.
    pub(crate) fn fetch_stream(
        &self,
        statement: impl Execute,
    ) -> impl Stream<Item = Result<Row>> + Send + 'static {
        let built = self.build(statement);
        let db = self.clone();
        let rows = async move {
            let built = built?;
            Ok(match db.connection(built.large, built.usage).await? {
                #[cfg(feature = "sqlite")]
                Connection::Sqlite(lease) => lease.fetch_stream(built).boxed(),
                #[cfg(feature = "postgres")]
                Connection::Postgres(lease) => lease.fetch_stream(built).boxed(),
                #[cfg(feature = "mysql")]
                Connection::Mysql(lease) => lease.fetch_stream(built).boxed(),
            })
        };
        rows.try_flatten_stream()
    }
}

/// Passes each row to `each`, until it refuses one or the database fails; the error comes with the number
/// of rows before it, because a statement is retried before its first row only (decision 69).
async fn each_of<R>(
    mut rows: impl Stream<Item = sqlx::Result<R>> + Unpin,
    row: fn(R) -> Row,
    each: &mut (impl FnMut(Row) -> Result<()> + Send),
) -> std::result::Result<Result<()>, (sqlx::Error, u64)> {
    let mut count = 0;
    loop {
        match rows.try_next().await {
            Ok(Some(found)) => {
                count += 1;
                if let Err(refused) = each(row(found)) {
                    return Ok(Err(refused));
                }
            }
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Err((error, count)),
        }
    }
}
