//! Guarded insert, update and delete by key: the rule and the session stand in the statement.

use sea_query::{
    Alias, CaseStatement, Condition, DeleteStatement, Expr, InsertStatement, LockType,
    Query as Statement, SelectStatement, UpdateStatement,
};

use super::db::Db;
use super::session_store::session_exists;

use super::StatementGuard;
use super::dialect::Dialect;
use super::render::Renderer;
use super::select::lookup;
use crate::entity::{ColumnSpec, Entity, Schema};
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind, Residual, Value};

/// A statement that changes rows.
pub(crate) enum Change {
    Insert {
        statement: InsertStatement,
        /// The kind of a key that the database makes.
        key: Option<Kind>,
    },
    Update(UpdateStatement),
    Delete(DeleteStatement),
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Changed {
    /// How many rows it touched.
    pub(crate) rows: u64,
    /// The key of a new row, where the database made it.
    pub(crate) key: Option<Value>,
}

impl Db {
    pub(crate) async fn change(&self, change: &Change) -> Result<Changed> {
        let rows = match change {
            Change::Insert {
                statement,
                key: Some(kind),
            } => return self.insert_with_key(statement, *kind).await,
            Change::Insert { statement, .. } => self.execute(statement).await?,
            Change::Update(statement) => self.execute(statement).await?,
            Change::Delete(statement) => self.execute(statement).await?,
        };
        Ok(Changed {
            rows: rows.count,
            key: None,
        })
    }

    async fn insert_with_key(&self, statement: &InsertStatement, kind: Kind) -> Result<Changed> {
        if self.dialect().returns_rows() {
            let row = self.fetch_optional(statement).await?;
            let key = row.as_ref().map(|row| row.cell(0, kind)).transpose()?;
            return Ok(Changed {
                rows: u64::from(key.is_some()),
                key: key.map(Cell::into_value),
            });
        }
        let rows = self.execute(statement).await?;
        Ok(Changed {
            rows: rows.count,
            key: rows.last_key.filter(|_| kind == Kind::Int).map(Value::Int),
        })
    }
}

/// Inserts a row of these values, as long as `guard` holds and related rows fulfil the rules.
pub(crate) fn insert<E: Entity>(
    dialect: Dialect,
    values: &[(usize, Value)],
    rules: &[Residual],
    guard: Option<&StatementGuard>,
    makes_key: bool,
) -> Result<Change> {
    let table = E::__table();
    let mut columns = Vec::with_capacity(values.len());
    for (column, _) in values {
        columns.push(Alias::new(name(table, *column)?));
    }
    let values: Vec<Expr> = values
        .iter()
        .map(|(_, value)| dialect.bind(value))
        .collect();
    let mut statement = Statement::insert();
    statement
        .into_table(Alias::new(table.name()))
        .columns(columns);
    let failed = |_| Error::internal("an entity has more values than columns");
    let renderer = Renderer::new(dialect, table);
    let session = guard.map(|guard| session_exists(dialect, guard));
    let mut conditions: Vec<Expr> = session.into_iter().collect();
    for rule in rules {
        conditions.push(renderer.condition(rule)?);
    }
    if values.is_empty() {
        return Err(Error::misuse("a new row sets nothing: `set` a column"));
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
    let key = makes_key.then(|| renderer.spec(table.key())).transpose()?;
    if let Some(key) = key
        && dialect.returns_rows()
    {
        statement.returning_col(Alias::new(key.name()));
    }
    Ok(Change::Insert {
        statement,
        key: key.map(ColumnSpec::kind),
    })
}

/// Inserts rows that have a value for each column.
pub(crate) fn insert_rows<E: Entity>(dialect: Dialect, rows: &[Vec<Value>]) -> Result<Change> {
    let table = E::__table();
    let columns = table.columns().iter();
    let mut statement = Statement::insert();
    statement
        .into_table(Alias::new(table.name()))
        .columns(columns.map(|column| Alias::new(column.name())));
    for row in rows {
        let values = row.iter().map(|value| dialect.bind(value));
        statement
            .values(values)
            .map_err(|_| Error::internal("an entity has more values than columns"))?;
    }
    Ok(Change::Insert {
        statement,
        key: None,
    })
}

/// The keys of the rows that fulfil what finds them, each with whether it fulfils `rules` too, or
/// none does where there are none. They are locked until the transaction ends.
pub(crate) fn candidates<E: Entity>(
    dialect: Dialect,
    found: &[Residual],
    rules: Option<&[Residual]>,
) -> Result<SelectStatement> {
    let renderer = Renderer::new(dialect, E::__table());
    let permitted = match rules {
        None => Expr::cust("FALSE"),
        Some([]) => Expr::cust("TRUE"),
        Some(rules) => {
            let mut all = Condition::all();
            for rule in rules {
                all = all.add(renderer.condition(rule)?);
            }
            CaseStatement::new()
                .case(all, Expr::cust("TRUE"))
                .finally(Expr::cust("FALSE"))
                .into()
        }
    };
    let mut statement = Statement::select();
    statement
        .expr(renderer.column(renderer.table.key())?)
        .expr(permitted)
        .from(Alias::new(renderer.table.name()))
        .lock(LockType::Update);
    for condition in found {
        statement.and_where(renderer.condition(condition)?);
    }
    Ok(statement)
}

fn name(table: &Schema, column: usize) -> Result<&'static str> {
    table
        .column(column)
        .map(ColumnSpec::name)
        .ok_or_else(|| Error::internal("a change names a column that its table does not have"))
}

/// What limits a change to the rows that may be changed.
pub(crate) struct Target<'a> {
    /// The value of the key; none where the rules say which rows.
    pub(crate) key: Option<&'a Value>,
    /// What a row must fulfil.
    pub(crate) rules: &'a [Residual],
    /// The session that must still stand.
    pub(crate) guard: Option<&'a StatementGuard>,
}

impl Target<'_> {
    fn conditions<E: Entity>(&self, dialect: Dialect) -> Result<Vec<Expr>> {
        let renderer = Renderer::new(dialect, E::__table());
        let mut conditions = Vec::with_capacity(self.rules.len() + 2);
        if let Some(key) = self.key {
            conditions.push(lookup(&renderer, renderer.table.key(), key)?);
        }
        for rule in self.rules {
            conditions.push(renderer.condition(rule)?);
        }
        conditions.extend(self.guard.map(|guard| session_exists(dialect, guard)));
        Ok(conditions)
    }
}

/// Assigns `changes`, pairs of column and value, to the target.
pub(crate) fn update<E: Entity>(
    dialect: Dialect,
    changes: &[(usize, Value)],
    target: &Target<'_>,
) -> Result<Change> {
    let table = E::__table();
    let mut statement = Statement::update();
    statement.table(Alias::new(table.name()));
    for (column, value) in changes {
        statement.value(Alias::new(name(table, *column)?), dialect.bind(value));
    }
    for condition in target.conditions::<E>(dialect)? {
        statement.and_where(condition);
    }
    Ok(Change::Update(statement))
}

/// Deletes the target.
pub(crate) fn delete<E: Entity>(dialect: Dialect, target: &Target<'_>) -> Result<Change> {
    let mut statement = Statement::delete();
    statement.from_table(Alias::new(E::__table().name()));
    for condition in target.conditions::<E>(dialect)? {
        statement.and_where(condition);
    }
    Ok(Change::Delete(statement))
}
