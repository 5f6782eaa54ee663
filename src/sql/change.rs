//! Guarded insert, update and delete: the rules and the session check are part of the statement.

use std::borrow::Cow;

use sea_query::{Alias, CaseStatement, Condition, Expr, LockType, Query as Statement, Values};

use super::SessionCheck;
use super::lengths::Spaced;
use super::lookup::lookup;
use super::render::Renderer;
use super::session_check::session_exists;
use super::statement_key::{Marks, StatementKey};
use crate::driver::{Db, Dialect, Ready};
use crate::entity::{ColumnSpec, Entity, Schema};
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind, Residual, Value};

/// A statement that changes rows.
pub(crate) struct Change {
    statement: Ready,
    /// The kind of a key that the database generates.
    key: Option<Kind>,
    table: &'static Schema,
    spaced: Vec<Spaced>,
}

/// The effect of a change.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The number of rows that it affected.
    pub(crate) rows: u64,
    /// The key of a new row, if the database generated it.
    pub(crate) key: Option<Value>,
}

/// The restriction of a change to the rows that may be changed.
pub(crate) struct Target<'a> {
    /// The value of the key; none if the rules select the rows.
    pub(crate) key: Option<&'a Value>,
    /// The rules that a row must fulfil.
    pub(crate) rules: &'a [Residual],
    /// The session that must still be valid.
    pub(crate) guard: Option<&'a SessionCheck>,
}

/// Everything that the statement of a change is rendered from.
pub(super) struct Written<'a> {
    table: &'static Schema,
    verb: Verb,
    values: Cow<'a, [(usize, Value)]>,
    key: Option<Cow<'a, Value>>,
    rules: Cow<'a, [Residual]>,
    guard: Option<Cow<'a, SessionCheck>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// The flag is set if the database generates the key and the caller wants it.
    Insert(bool),
    Update,
    Delete,
}

impl Db {
    pub(crate) async fn change(&self, change: &Change) -> Result<Changed> {
        self.require_room(change.table, &change.spaced).await?;
        if let Some(kind) = change.key
            && self.dialect().returns_rows()
        {
            let row = self.fetch_optional(&change.statement).await?;
            let key = row.as_ref().map(|row| row.cell(0, kind)).transpose()?;
            return Ok(Changed {
                rows: u64::from(key.is_some()),
                key: key.map(Cell::into_value),
            });
        }
        let touched = self.execute(&change.statement).await?;
        let counted = change.key.filter(|kind| *kind == Kind::Int);
        Ok(Changed {
            rows: touched.count,
            key: counted.and(touched.last_key).map(Value::Int),
        })
    }

    /// Builds the insert of a row of these values, provided that the guard holds and related rows fulfil
    /// the rules.
    pub(crate) fn insert<E: Entity>(
        &self,
        values: &[(usize, Value)],
        rules: &[Residual],
        guard: Option<&SessionCheck>,
        makes_key: bool,
    ) -> Result<Change> {
        let table = E::__table();
        if values.is_empty() {
            return Err(Error::misuse("a new row sets nothing: `set` a column"));
        }
        let key = table.column(table.key()).filter(|_| makes_key);
        let target = Target {
            key: None,
            rules,
            guard,
        };
        Ok(Change {
            statement: self.written(&Written::new(
                self,
                table,
                Verb::Insert(makes_key),
                values,
                &target,
            ))?,
            key: key.map(ColumnSpec::kind),
            table,
            spaced: spaced(self.dialect(), values),
        })
    }

    /// Builds the update that assigns `changes`, pairs of column and value, to the target.
    pub(crate) fn update<E: Entity>(
        &self,
        changes: &[(usize, Value)],
        target: &Target<'_>,
    ) -> Result<Change> {
        let written = Written::new(self, E::__table(), Verb::Update, changes, target);
        Ok(Change {
            statement: self.written(&written)?,
            key: None,
            table: E::__table(),
            spaced: spaced(self.dialect(), changes),
        })
    }

    /// Builds the deletion of the target.
    pub(crate) fn delete<E: Entity>(&self, target: &Target<'_>) -> Result<Change> {
        let written = Written::new(self, E::__table(), Verb::Delete, &[], target);
        Ok(Change {
            statement: self.written(&written)?,
            key: None,
            table: E::__table(),
            spaced: Vec::new(),
        })
    }

    /// Builds the insert of rows that have a value for each column.
    pub(crate) fn insert_rows<E: Entity>(&self, rows: &[E]) -> Result<Change> {
        let table = E::__table();
        let columns = 0..table.columns().len();
        let cells = rows
            .iter()
            .flat_map(|row| columns.clone().map(|column| (column, row.__cell(column))));
        Ok(Change {
            statement: self.rows(rows)?,
            key: None,
            table,
            spaced: cells
                .filter_map(|(column, cell)| Spaced::of(self.dialect(), column, cell))
                .collect(),
        })
    }
}

fn spaced(dialect: Dialect, values: &[(usize, Value)]) -> Vec<Spaced> {
    let values = values.iter();
    let spaced = values.filter_map(|(column, value)| Spaced::of(dialect, *column, value.as_cell()));
    spaced.collect()
}

pub(super) fn insert_rows<E: Entity>(dialect: Dialect, rows: &[E]) -> Result<(String, Values)> {
    let table = E::__table();
    let columns = table.columns().iter();
    let mut statement = Statement::insert();
    statement
        .into_table(Alias::new(table.name()))
        .columns(columns.map(|column| Alias::new(column.name())));
    for row in rows {
        let columns = table.columns().iter().enumerate();
        let values =
            columns.map(|(column, spec)| dialect.bind_set(spec.kind(), row.__cell(column)));
        statement.values(values).map_err(too_many)?;
    }
    Ok(dialect.text(&statement))
}

fn too_many(_: sea_query::error::Error) -> Error {
    Error::internal("an entity has more values than columns")
}

impl<'a> Written<'a> {
    fn new(
        db: &Db,
        table: &'static Schema,
        verb: Verb,
        values: &'a [(usize, Value)],
        target: &Target<'a>,
    ) -> Self {
        Self {
            table,
            verb,
            values: Cow::Borrowed(values),
            key: target.key.map(Cow::Borrowed),
            rules: Cow::Borrowed(target.rules),
            guard: db.guarded(target.guard),
        }
    }

    /// Returns the structure of the statement, its key in the plan cache: everything that its text depends
    /// on.
    pub(super) fn structure(&self, dialect: Dialect) -> StatementKey<'_> {
        let mut structure = StatementKey::default();
        structure.dialect(dialect);
        structure.tag(match self.verb {
            // No query uses these tags.
            Verb::Insert(false) => 10,
            Verb::Insert(true) => 11,
            Verb::Update => 12,
            Verb::Delete => 13,
        });
        structure.schema(self.table);
        structure.each(&self.values, |structure, (column, value)| {
            structure.index(*column);
            structure.value(value);
        });
        structure.each(self.key.as_slice(), |structure, key| structure.value(key));
        structure.each(&self.rules, StatementKey::residual);
        structure.each(self.guard.as_slice(), |structure, guard| {
            structure.tag(u8::from(guard.holds()));
            for value in guard.values() {
                structure.value(value);
            }
        });
        structure
    }

    /// Returns the same statement with marks in place of its values.
    pub(super) fn marked(&self, marks: &mut Marks) -> Written<'static> {
        let mut values = self.values.to_vec();
        for (_, value) in &mut values {
            marks.value(value);
        }
        let mut key = self.key.as_deref().cloned();
        if let Some(key) = &mut key {
            marks.value(key);
        }
        let mut rules = self.rules.to_vec();
        for rule in &mut rules {
            marks.residual(rule);
        }
        let mut guard = self.guard.as_deref().cloned();
        for value in guard.iter_mut().flat_map(SessionCheck::values_mut) {
            marks.value(value);
        }
        Written {
            table: self.table,
            verb: self.verb,
            values: Cow::Owned(values),
            key: key.map(Cow::Owned),
            rules: Cow::Owned(rules),
            guard: guard.map(Cow::Owned),
        }
    }

    pub(super) fn render(&self, dialect: Dialect) -> Result<(String, Values)> {
        let renderer = match self.verb {
            Verb::Insert(_) | Verb::Update => Renderer::changing(dialect, self.table),
            Verb::Delete => Renderer::deleting(dialect, self.table),
        };
        let mut conditions = Vec::with_capacity(self.rules.len() + 2);
        if let Some(key) = &self.key {
            conditions.push(lookup(&renderer, self.table.key(), key)?);
        }
        for rule in self.rules.iter() {
            conditions.push(renderer.condition(rule)?);
        }
        let guard = self.guard.as_deref();
        conditions.extend(guard.map(|guard| session_exists(dialect, guard)));
        match self.verb {
            Verb::Insert(returns_key) => self.render_insert(&renderer, conditions, returns_key),
            Verb::Update => {
                let mut statement = Statement::update();
                statement.table(renderer.source());
                for (column, value) in self.values.iter() {
                    let spec = renderer.spec(*column)?;
                    let value = dialect.bind_set(spec.kind(), value.as_cell());
                    statement.value(Alias::new(spec.name()), value);
                }
                for condition in conditions {
                    statement.and_where(condition);
                }
                Ok(dialect.text(&statement))
            }
            Verb::Delete => {
                let mut statement = Statement::delete();
                statement.from_table(renderer.source());
                for condition in conditions {
                    statement.and_where(condition);
                }
                Ok(dialect.text(&statement))
            }
        }
    }

    fn render_insert(
        &self,
        renderer: &Renderer,
        conditions: Vec<Expr>,
        returns_key: bool,
    ) -> Result<(String, Values)> {
        let dialect = renderer.dialect;
        let mut columns = Vec::with_capacity(self.values.len());
        let mut values = Vec::with_capacity(self.values.len());
        for (column, value) in self.values.iter() {
            let spec = renderer.spec(*column)?;
            columns.push(Alias::new(spec.name()));
            values.push(dialect.bind_set(spec.kind(), value.as_cell()));
        }
        let mut statement = Statement::insert();
        statement
            .into_table(Alias::new(self.table.name()))
            .columns(columns);
        if conditions.is_empty() {
            statement.values(values).map_err(too_many)?;
        } else {
            let mut select = Statement::select();
            select.exprs(values);
            for condition in conditions {
                select.and_where(condition);
            }
            dialect.without_table(&mut select);
            statement.select_from(select).map_err(too_many)?;
        }
        if returns_key && dialect.returns_rows() {
            let key = renderer.spec(self.table.key())?;
            statement.returning_col(Alias::new(key.name()));
        }
        Ok(dialect.text(&statement))
    }
}

/// Builds the query for the keys of the rows that match `found`, each with whether it fulfils `rules` too,
/// which none does without rules. It locks the rows until the transaction ends.
pub(crate) fn candidates<E: Entity>(
    dialect: Dialect,
    found: &[Residual],
    rules: Option<&[Residual]>,
) -> Result<Ready> {
    Ready::searching(dialect, |dialect| {
        let renderer = Renderer::new(dialect, E::__table());
        let permitted = match rules {
            None => Expr::cust("FALSE"),
            Some([]) => Expr::cust("TRUE"),
            Some(rules) => {
                let mut all = Condition::all();
                for rule in rules {
                    all = all.add(renderer.evaluated(rule)?);
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
            .from(renderer.source())
            .lock(LockType::Update);
        for condition in found {
            statement.and_where(renderer.condition(condition)?);
        }
        Ok(statement)
    })
}
