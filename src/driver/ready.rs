//! Texts of statements that were rendered before or written by hand, with their bound values.

use std::sync::Arc;

use sea_query::{SelectStatement, Values};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::built::{Execute, StatementParts};
#[cfg(feature = "testing")]
use super::db::Db;
use super::dialect::Dialect;
use crate::error::Result;

/// The text of a statement and its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ready {
    sql: Arc<str>,
    values: Values,
    /// An alternative, if the engine refuses this one for a text that one of its columns cannot hold.
    exactly: Option<Box<Self>>,
}

impl Ready {
    pub(crate) fn of((sql, values): (String, Values)) -> Self {
        Self::new(sql.into(), values)
    }

    /// Creates a statement from a text, rendered before or written by hand, and its bound values.
    pub(crate) const fn new(sql: Arc<str>, values: Values) -> Self {
        Self {
            sql,
            values,
            exactly: None,
        }
    }

    /// Builds the select that `write` renders in a dialect.
    pub(crate) fn searching(
        dialect: Dialect,
        write: impl Fn(Dialect) -> Result<SelectStatement>,
    ) -> Result<Self> {
        let write = |dialect| write(dialect).map(|select| Self::of(dialect.text(&select)));
        write(dialect)?.with_exactly(dialect, write)
    }

    /// Adds the alternative that `write` renders, in case the engine refuses this statement.
    pub(crate) fn with_exactly(
        mut self,
        dialect: Dialect,
        write: impl FnOnce(Dialect) -> Result<Self>,
    ) -> Result<Self> {
        let is_beyond_some = |value: &sea_query::Value| matches!(value, sea_query::Value::String(Some(text)) if !text.is_ascii());
        if let Some(exactly) = dialect.exactly()
            && self.values.0.iter().any(is_beyond_some)
        {
            self.exactly = Some(Box::new(write(exactly)?));
        }
        Ok(self)
    }

    #[cfg(feature = "testing")]
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.sql
    }
}

#[cfg(feature = "testing")]
impl Db {
    /// Returns the engine's plan of a statement (EXPLAIN), in its own words.
    pub(crate) async fn explain(&self, statement: &Ready) -> Result<String> {
        use crate::policy::{Cell, Kind};

        let (prefix, column) = match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => ("EXPLAIN QUERY PLAN ", 3),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => ("EXPLAIN ", 0),
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => ("EXPLAIN FORMAT=JSON ", 0),
        };
        let sql = format!("{prefix}{}", statement.sql);
        let explain = Ready::of((sql, statement.values.clone()));
        let mut lines = Vec::new();
        self.fetch_each(explain, |row| {
            if let Cell::Text(line) = row.cell(column, Kind::Text)? {
                lines.push(line.to_owned());
            }
            Ok(())
        })
        .await?;
        Ok(lines.join("\n"))
    }
}

impl Execute for Ready {
    fn into_parts(self, _: Dialect) -> StatementParts {
        let sql = |sql| AssertSqlSafe::<Arc<str>>(sql).into_sql_str();
        StatementParts {
            sql: sql(self.sql),
            values: self.values,
            exactly: self
                .exactly
                .map(|exactly| (sql(exactly.sql), exactly.values)),
        }
    }
}

impl Execute for &Ready {
    fn into_parts(self, dialect: Dialect) -> StatementParts {
        self.clone().into_parts(dialect)
    }
}
