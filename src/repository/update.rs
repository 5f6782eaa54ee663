//! An update of one row.

use std::fmt;

use super::authority::{Authority, columns, of_row, of_written};
use super::create::Create;
use super::existence::denied_or_missing;
use super::grant::Writes;
use super::inputs::{conditions, given, preset};
use super::select::Denied;
use super::together::Together;
use super::writer::{Writer, read_back};
use crate::dto::Dto;
use crate::entity::{Assignable, Column, Entity, RowAction, Storable};
use crate::error::{Error, Result};
use crate::input::{InputField, InputShape, Patch, Valid};
use crate::policy::{Op, Reduced, Residual, Term, Value};
use crate::sql::{Db, Target, exists};

/// An update in the making; see [`Writer::update`].
#[must_use = "an update does nothing until it is executed"]
pub struct Update<'a, P, E: Entity> {
    writer: Writer<'a, P>,
    key: Value,
    pub(super) changes: Changes<E>,
    version: Option<(&'static str, i64)>,
    denied: Denied,
}

/// What is set, by the program and by what a client sent.
pub(super) struct Changes<E: Entity> {
    set: Vec<(&'static str, Value)>,
    patches: Vec<(&'static InputShape<E>, Vec<&'static InputField<E>>)>,
}

/// An update whose rules have come out.
pub(super) struct Planned {
    pub(super) changes: Vec<(usize, Value)>,
    pub(super) rules: Vec<Residual>,
}

/// What an update comes to before any row.
pub(super) enum Plan {
    Run(Planned),
    /// No row may be updated.
    NoRow,
    /// No row may become that, so that the answer tells of none.
    Never,
}

impl<E: Entity> Changes<E> {
    pub(super) const fn new() -> Self {
        Self {
            set: Vec::new(),
            patches: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, field: &'static str, value: Value) {
        self.set.push((field, value));
    }

    pub(super) fn patch<T: Patch<Entity = E>>(&mut self, patch: &Valid<T>) {
        let shape = T::__shape();
        let mut fields = Vec::new();
        for (field, value) in given(shape, &patch.values()) {
            fields.push(field);
            self.set.push((field.field(), value));
        }
        self.patches.push((shape, fields));
    }

    /// Works the rules of the update out.
    pub(super) fn plan(
        &self,
        authority: &Authority<E>,
        version: Option<(&'static str, i64)>,
    ) -> Result<Plan> {
        let mut named = self.set.clone();
        if named.is_empty() && self.patches.is_empty() {
            return Err(Error::misuse("the update sets nothing: call `set` first"));
        }
        for (shape, fields) in &self.patches {
            // What a patch that says nothing leaves as it is was not changed by anybody.
            if !fields.is_empty() {
                named.extend(preset(authority, shape.presets())?);
            }
        }
        if let Some((field, expected)) = version {
            let next = expected
                .checked_add(1)
                .ok_or_else(|| Error::misuse("a version cannot be counted further"))?;
            named.push((field, Value::Int(next)));
        }
        let changes = columns::<E>(named)?;
        let mut rules = match of_row::<E>(authority.decision.clone(), "update_if")? {
            Reduced::Never => return Ok(Plan::NoRow),
            Reduced::Always => Vec::new(),
            Reduced::Left(residual) => vec![residual],
        };
        let made = authority.decide(E::__table().rows().updated());
        match of_written::<E>(made, "updated_if", &changes)? {
            Reduced::Never => return Ok(Plan::Never),
            Reduced::Always => {}
            Reduced::Left(residual) => rules.push(residual),
        }
        for (shape, fields) in &self.patches {
            match conditions(authority, shape, fields, &changes)? {
                None => return Ok(Plan::Never),
                Some(found) => rules.extend(found),
            }
        }
        // Where a change touches nothing that a rule reads, two rules can be the same.
        let mut kept: Vec<Residual> = Vec::new();
        for rule in rules {
            if !kept.contains(&rule) {
                kept.push(rule);
            }
        }
        Ok(Plan::Run(Planned {
            changes,
            rules: kept,
        }))
    }
}

impl<'a, P, E> Update<'a, P, E>
where
    E: Entity,
    P: Writes<E::Viewer>,
{
    pub(super) const fn new(writer: Writer<'a, P>, key: Value) -> Self {
        Self {
            writer,
            key,
            changes: Changes::new(),
            version: None,
            denied: Denied::NotFound,
        }
    }

    /// Gives the column this value.
    pub fn set<T: Storable, U: Assignable>(
        mut self,
        column: Column<E, T, U>,
        value: impl Into<T>,
    ) -> Self {
        let value = value.into().cell().into_value();
        self.changes.set(column.field(), value);
        self
    }

    /// Makes the column null.
    pub fn clear<T: Storable, U: Assignable>(mut self, column: Column<E, Option<T>, U>) -> Self {
        self.changes.set(column.field(), Value::Null);
        self
    }

    /// Changes what a client sent to be changed. Each field of it must be writable on this row,
    /// and be readable there unless it is blind. A patch that says nothing changes nothing, and
    /// is answered as if it did.
    pub fn patch<T: Patch<Entity = E>>(mut self, patch: Valid<T>) -> Self {
        self.changes.patch(&patch);
        self
    }

    /// Updates only a row whose version is still this one, and makes it the next. A row that may
    /// be updated and has another is answered with [`Error::is_stale`].
    pub fn if_version<U: Assignable>(mut self, column: Column<E, i64, U>, expected: i64) -> Self {
        self.version = Some((column.field(), expected));
        self
    }

    /// Answers 403 in place of 404 where the row exists and may not be updated. It tells that
    /// the row exists, so choose it only where that is no secret.
    pub const fn forbidden_if_denied(mut self) -> Self {
        self.denied = Denied::Forbidden;
        self
    }

    /// Runs the update.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] when there is no such row or the rules do not allow it,
    /// [`Error::is_forbidden`] when this viewer may make no row of the entity what is set,
    /// [`Error::is_stale`] when the row has another version, [`Error::is_misuse`] when nothing
    /// was set or one column twice, otherwise as [`Writer::insert`].
    pub async fn execute(self) -> Result<()> {
        self.run(self.writer.db()).await
    }

    /// Runs the update and reads the row back, both in one transaction. Where the viewer may not
    /// read what it has become, nothing is written.
    ///
    /// # Errors
    ///
    /// As [`Update::execute`], and [`Error::is_forbidden`] when the row may not be read back.
    pub async fn returning<D: Dto<Entity = E>>(self) -> Result<D> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = match self.run_and_read(together.db()).await {
            Ok(None) => Err(Error::forbidden()),
            Ok(Some(shown)) => Ok(shown),
            Err(error) => Err(error),
        };
        together.end(outcome).await
    }

    /// The same, but a row that the viewer may not read back is written all the same, and `None`
    /// is returned.
    ///
    /// # Errors
    ///
    /// As [`Update::execute`].
    pub async fn returning_if_visible<D: Dto<Entity = E>>(self) -> Result<Option<D>> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = self.run_and_read(together.db()).await;
        together.end(outcome).await
    }

    /// Runs the update, and creates the row where there is none that it may update: *upsert*. A
    /// row with this key that exists and may not be updated is a conflict.
    ///
    /// It is an update and, where that finds nothing, an insert: each with its own rules inside
    /// its own statement, and the same on every engine. Returns whether the row is new.
    ///
    /// # Errors
    ///
    /// As [`Update::execute`] and [`Create::execute`]. [`Error::is_conflict`] when a row stands
    /// there that may not be updated; [`Error::is_misuse`] when `create` makes a row with another
    /// key.
    pub async fn or_create(self, create: Create<'a, P, E>) -> Result<bool> {
        create.require_key(&self.key)?;
        let db = self.writer.db();
        match self.run(db).await {
            Err(error) if error.is_not_found() => {}
            other => return other.map(|()| false),
        }
        let together = match db.unit() {
            // A statement that is refused must not end the transaction that it stands in.
            Some(_) => Some(Together::begin(db).await?),
            None => None,
        };
        let created = create.run(db).await.map(|_| true);
        let created = match together {
            None => created,
            Some(together) => together.end(created).await,
        };
        match created {
            // Somebody else may have created it meanwhile.
            Err(conflict) if conflict.is_conflict() => match self.run(db).await {
                Err(error) if error.is_not_found() => Err(conflict),
                other => other.map(|()| false),
            },
            other => other,
        }
    }

    async fn run_and_read<D: Dto<Entity = E>>(&self, db: &Db) -> Result<Option<D>> {
        self.run(db).await?;
        read_back(db, self.writer.access(), &self.key).await
    }

    async fn run(&self, db: &Db) -> Result<()> {
        let table = E::__table();
        let authority = Authority::<E>::of(db, self.writer.access(), RowAction::Update).await?;
        let mut planned = match self.changes.plan(&authority, self.version)? {
            Plan::Run(planned) => planned,
            Plan::NoRow => return self.denied(db, &authority).await,
            Plan::Never => {
                authority.denied().await?;
                return Err(Error::forbidden());
            }
        };
        if planned.changes.is_empty() {
            // The rules are asked all the same, by a change to what is there already.
            planned.changes.push((table.key(), self.key.clone()));
        }
        let rules = planned.rules.len();
        if let Some((field, expected)) = self.version {
            planned.rules.push(is_version::<E>(field, expected)?);
        }
        let target = Target {
            key: Some(&self.key),
            rules: &planned.rules,
            guard: authority.guard(),
        };
        let change = db.update::<E>(&planned.changes, &target)?;
        if authority.run(db, &change).await?.rows > 0 {
            return Ok(());
        }
        if self.version.is_some() {
            authority.require_session().await?;
            planned.rules.truncate(rules);
            let rest = Residual::All(planned.rules);
            let lookups = [(table.key(), self.key.clone())];
            let statement = exists::<E>(db.dialect(), &lookups, Some(&rest))?;
            if db.fetch_optional(&statement).await?.is_some() {
                return Err(Error::stale());
            }
        }
        self.denied(db, &authority).await
    }

    /// Nothing was touched: no row, or none that may be updated.
    async fn denied(&self, db: &Db, authority: &Authority<E>) -> Result<()> {
        authority.denied().await?;
        match self.denied {
            Denied::NotFound => Err(Error::not_found()),
            Denied::Forbidden => {
                let lookups = [(E::__table().key(), self.key.clone())];
                Err(denied_or_missing::<E, P>(db, self.writer.access(), &lookups).await?)
            }
        }
    }
}

fn is_version<E: Entity>(field: &str, expected: i64) -> Result<Residual> {
    let (column, _) = E::__table()
        .position(field)
        .ok_or_else(|| Error::internal("a version is no column of its table"))?;
    Ok(Residual::Compare {
        op: Op::Eq,
        column,
        with: Term::Value(Value::Int(expected)),
    })
}

impl<P, E: Entity> fmt::Debug for Update<'_, P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").finish_non_exhaustive()
    }
}
