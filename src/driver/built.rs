//! Statements that are ready to run: a text, its bound values, and alternatives for a server that refuses
//! it.

use sea_query::{QueryStatementWriter, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::attempts::Attempts;
use super::connections::Use;
use super::db::Db;
use super::dialect::Dialect;
use crate::bounded::beyond;
use crate::error::Result;

impl Db {
    /// Builds the text of a statement in this engine's dialect, and its bound values. The text is logged;
    /// the values never are.
    pub(super) fn build(&self, statement: impl Execute) -> Result<Built> {
        let StatementParts {
            sql,
            values,
            exactly,
        } = statement.into_parts(self.dialect());
        if values.0.len() > self.dialect().most_values() {
            return Err(beyond("a statement", "values"));
        }
        let usage = usage(sql.as_str());
        let large = match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => None,
            #[cfg(feature = "postgres")]
            Dialect::Postgres => None,
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => self.beyond_known(sql.as_str(), &values),
        };
        crate::events::statement(sql.as_str());
        let values = SqlxValues(values);
        let is_tried_again = self.unit().is_none() && self.dialect().forgets_statements();
        let spare = Spare {
            again: is_tried_again.then(|| (sql.clone(), values.clone())),
            exactly: exactly.map(|(sql, values)| (sql, SqlxValues(values))),
            attempts: None,
        };
        Ok(Built {
            sql,
            values,
            spare,
            large,
            usage,
        })
    }
}

/// A statement that is ready to run.
pub(super) struct Built {
    pub(super) sql: SqlStr,
    pub(super) values: SqlxValues,
    pub(super) spare: Spare,
    /// Its size in bytes, if the engine may not accept as many.
    pub(super) large: Option<u64>,
    pub(super) usage: Use,
}

/// Returns whether a statement writes, by its first word. One of the application's own that begins otherwise
/// writes without a turn in the queue, as if it came from another process.
fn usage(sql: &str) -> Use {
    let word = sql.split_ascii_whitespace().next().unwrap_or_default();
    let writes = ["INSERT", "UPDATE", "DELETE", "REPLACE"];
    match writes.iter().any(|write| word.eq_ignore_ascii_case(write)) {
        true => Use::Write,
        false => Use::Read,
    }
}

/// The alternatives to a statement that the server refuses before it executes anything.
pub(super) struct Spare {
    /// The same statement, if the server has dropped its prepared statement, or let another transaction
    /// through in its place (decision 69).
    ///
    /// INVARIANT (once): a write never happens twice. PostgreSQL reports this while it binds
    /// (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY>), MariaDB
    /// while it looks the statement up or opens its tables
    /// (<https://dev.mysql.com/doc/refman/8.4/en/statement-caching.html>). Besides, a refused statement
    /// outside of a transaction has had no effect, and within one there is no second try.
    pub(super) again: Option<(SqlStr, SqlxValues)>,
    /// A statement without the comparison that the server refused, also in a transaction: the engine
    /// detects that a text does not compare with a column when it resolves the statement.
    pub(super) exactly: Option<(SqlStr, SqlxValues)>,
    attempts: Option<Attempts>,
}

impl Spare {
    /// Waits, and returns the same statement for a retry if the engine let others through in its place
    /// (decision 69).
    pub(super) async fn after_another(&mut self) -> Option<(SqlStr, SqlxValues)> {
        let again = self.again.as_ref()?;
        let attempts = self.attempts.get_or_insert_with(Attempts::begin);
        attempts.wait().await.then(|| again.clone())
    }
}

/// A statement that a connection can run, in any form.
pub(crate) trait Execute {
    fn into_parts(self, dialect: Dialect) -> StatementParts;
}

/// A statement in the form in which it is run.
pub(crate) struct StatementParts {
    /// The text in the dialect of the engine.
    pub(crate) sql: SqlStr,
    /// The values that are bound to its placeholders.
    pub(crate) values: Values,
    /// An alternative, if the engine refuses the statement for a text that one of its columns cannot hold.
    pub(crate) exactly: Option<(SqlStr, Values)>,
}

impl<S: QueryStatementWriter> Execute for &S {
    fn into_parts(self, dialect: Dialect) -> StatementParts {
        let (sql, values) = dialect.text(self);
        StatementParts {
            sql: AssertSqlSafe(sql).into_sql_str(),
            values,
            exactly: None,
        }
    }
}
