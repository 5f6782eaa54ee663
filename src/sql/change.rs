//! Guarded insert, update and delete by key: the rule and the session stand in the statement.

use sea_query::{
    Alias, DeleteStatement, Expr, InsertStatement, Query as Statement, UpdateStatement,
};

use super::db::Db;
use super::session_store::session_exists;

use super::StatementGuard;
use super::dialect::Dialect;
use super::render::Renderer;
use super::select::lookup;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Residual, Value};

/// A statement that changes rows.
pub(crate) enum Change {
    Insert(InsertStatement),
    Update(UpdateStatement),
    Delete(DeleteStatement),
}

impl Db {
    /// Runs a change and tells how many rows it touched.
    pub(crate) async fn change(&self, change: &Change) -> Result<u64> {
        match change {
            Change::Insert(statement) => self.execute(statement).await,
            Change::Update(statement) => self.execute(statement).await,
            Change::Delete(statement) => self.execute(statement).await,
        }
    }
}

/// Inserts a row of these values, one for each column, as long as `guard` holds and related rows
/// fulfil `rule`.
pub(crate) fn insert<E: Entity>(
    dialect: Dialect,
    values: &[(usize, Value)],
    rule: Option<&Residual>,
    guard: Option<&StatementGuard>,
) -> Result<Change> {
    let table = E::__table();
    let columns = table.columns();
    let values: Vec<Expr> = values
        .iter()
        .map(|(_, value)| dialect.bind(value))
        .collect();
    let mut statement = Statement::insert();
    statement
        .into_table(Alias::new(table.name()))
        .columns(columns.iter().map(|column| Alias::new(column.name())));
    let failed = |_| Error::internal("an entity has more values than columns");
    let mut conditions: Vec<Expr> = guard.map(session_exists).into_iter().collect();
    if let Some(rule) = rule {
        conditions.push(Renderer::new(dialect, table).condition(rule)?);
    }
    if conditions.is_empty() {
        statement.values(values).map_err(failed)?;
    } else {
        let mut select = Statement::select();
        select.exprs(values);
        for condition in conditions {
            select.and_where(condition);
        }
        dialect.without_table(&mut select);
        statement.select_from(select).map_err(failed)?;
    }
    Ok(Change::Insert(statement))
}

/// What limits a change to the row that may be changed.
pub(crate) struct Target<'a> {
    /// The value of the key.
    pub(crate) key: &'a Value,
    /// What the row must fulfil.
    pub(crate) rule: Option<&'a Residual>,
    /// What it must fulfil besides, so that it may be what it is made.
    pub(crate) made: Option<&'a Residual>,
    /// The session that must still stand.
    pub(crate) guard: Option<&'a StatementGuard>,
}

impl Target<'_> {
    fn conditions<E: Entity>(self, dialect: Dialect) -> Result<Vec<Expr>> {
        let renderer = Renderer::new(dialect, E::__table());
        let mut conditions = vec![lookup(&renderer, renderer.table.key(), self.key)?];
        // Where the change touches nothing that the rule reads the two are the same.
        let made = self.made.filter(|made| self.rule != Some(*made));
        for rule in self.rule.into_iter().chain(made) {
            conditions.push(renderer.condition(rule)?);
        }
        conditions.extend(self.guard.map(session_exists));
        Ok(conditions)
    }
}

/// Assigns `changes`, pairs of column and value, to the target.
pub(crate) fn update<E: Entity>(
    dialect: Dialect,
    changes: &[(usize, Value)],
    target: Target<'_>,
) -> Result<Change> {
    let table = E::__table();
    let mut statement = Statement::update();
    statement.table(Alias::new(table.name()));
    for (column, value) in changes {
        let spec = table.column(*column).ok_or_else(|| {
            Error::internal("a change names a column that its table does not have")
        })?;
        statement.value(Alias::new(spec.name()), dialect.bind(value));
    }
    for condition in target.conditions::<E>(dialect)? {
        statement.and_where(condition);
    }
    Ok(Change::Update(statement))
}

/// Deletes the target.
pub(crate) fn delete<E: Entity>(dialect: Dialect, target: Target<'_>) -> Result<Change> {
    let mut statement = Statement::delete();
    statement.from_table(Alias::new(E::__table().name()));
    for condition in target.conditions::<E>(dialect)? {
        statement.and_where(condition);
    }
    Ok(Change::Delete(statement))
}
