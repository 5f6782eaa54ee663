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

/// Inserts `row`, as long as `guard` holds.
pub(crate) fn insert<E: Entity>(
    dialect: Dialect,
    row: &E,
    guard: Option<&StatementGuard>,
) -> Result<Change> {
    let table = E::__table();
    let columns = table.columns();
    let values: Vec<Expr> = (0..columns.len())
        .map(|index| dialect.bind(&row.__cell(index).into_value()))
        .collect();
    let mut statement = Statement::insert();
    statement
        .into_table(Alias::new(table.name()))
        .columns(columns.iter().map(|column| Alias::new(column.name())));
    let failed = |_| Error::internal("an entity has more values than columns");
    match guard {
        None => statement.values(values).map_err(failed)?,
        Some(guard) => {
            let mut select = Statement::select();
            select.exprs(values).and_where(session_exists(guard));
            statement.select_from(select).map_err(failed)?
        }
    };
    Ok(Change::Insert(statement))
}

/// What limits a change to the row that may be changed.
pub(crate) struct Target<'a> {
    /// The value of the key.
    pub(crate) key: &'a Value,
    /// What the row must fulfil.
    pub(crate) rule: Option<&'a Residual>,
    /// The session that must still stand.
    pub(crate) guard: Option<&'a StatementGuard>,
}

impl Target<'_> {
    fn conditions<E: Entity>(self, dialect: Dialect) -> Result<Vec<Expr>> {
        let renderer = Renderer::new(dialect, E::__table());
        let mut conditions = vec![lookup(&renderer, renderer.table.key(), self.key)?];
        if let Some(rule) = self.rule {
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
