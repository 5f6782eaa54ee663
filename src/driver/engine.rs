//! The drivers of the engines: how a statement runs on a connection of each.
//!
//! What is done around a statement is written once, over [`Driver`]. Only here do the types of the three drivers
//! have their names.

use futures_core::stream::BoxStream;
use sea_query_sqlx::SqlxValues;
use sqlx::SqlStr;
use sqlx::database::{Database, HasStatementCache};

use super::row::Row;

/// The rows that a statement affected.
pub(crate) struct Touched {
    pub(crate) count: u64,
    /// The integer key that the engine generated for a new row, if it reports one by itself.
    pub(crate) last_key: Option<i64>,
}

/// An engine whose connections run statements, and whose driver keeps what they prepared.
pub(super) trait Driver: Database + HasStatementCache {
    /// Runs plain text, which is not prepared.
    fn run(
        connection: &mut Self::Connection,
        sql: SqlStr,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> impl Future<Output = sqlx::Result<Touched>> + Send;

    fn fetch_optional(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> impl Future<Output = sqlx::Result<Option<Self::Row>>> + Send;

    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> BoxStream<'_, sqlx::Result<Self::Row>>;

    fn row(row: Self::Row) -> Row;
}

#[cfg(feature = "sqlite")]
impl Driver for sqlx::Sqlite {
    async fn run(connection: &mut Self::Connection, sql: SqlStr) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
    }

    async fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> sqlx::Result<Touched> {
        let done = sqlx::query_with(sql, values).execute(connection).await?;
        Ok(Touched {
            count: done.rows_affected(),
            last_key: None,
        })
    }

    async fn fetch_optional(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> sqlx::Result<Option<Self::Row>> {
        let query = sqlx::query_with(sql, values);
        query.fetch_optional(connection).await
    }

    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> BoxStream<'_, sqlx::Result<Self::Row>> {
        sqlx::query_with(sql, values).fetch(connection)
    }

    fn row(row: Self::Row) -> Row {
        Row::Sqlite(row)
    }
}

#[cfg(feature = "postgres")]
impl Driver for sqlx::Postgres {
    async fn run(connection: &mut Self::Connection, sql: SqlStr) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
    }

    async fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> sqlx::Result<Touched> {
        let done = sqlx::query_with(sql, values).execute(connection).await?;
        Ok(Touched {
            count: done.rows_affected(),
            last_key: None,
        })
    }

    async fn fetch_optional(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> sqlx::Result<Option<Self::Row>> {
        let query = sqlx::query_with(sql, values);
        query.fetch_optional(connection).await
    }

    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> BoxStream<'_, sqlx::Result<Self::Row>> {
        sqlx::query_with(sql, values).fetch(connection)
    }

    fn row(row: Self::Row) -> Row {
        Row::Postgres(row)
    }
}

#[cfg(feature = "mysql")]
impl Driver for sqlx::MySql {
    async fn run(connection: &mut Self::Connection, sql: SqlStr) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
    }

    async fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> sqlx::Result<Touched> {
        let done = sqlx::query_with(sql, values).execute(connection).await?;
        Ok(Touched {
            count: done.rows_affected(),
            last_key: i64::try_from(done.last_insert_id()).ok(),
        })
    }

    async fn fetch_optional(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> sqlx::Result<Option<Self::Row>> {
        let query = sqlx::query_with(sql, values);
        query.fetch_optional(connection).await
    }

    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: SqlxValues,
    ) -> BoxStream<'_, sqlx::Result<Self::Row>> {
        sqlx::query_with(sql, values).fetch(connection)
    }

    fn row(row: Self::Row) -> Row {
        Row::Mysql(row)
    }
}
