//! Creation of rows, from entities and from validated inputs.

use std::fmt;

use super::attempt::{Attempt, Fields, Sent, Which};
use super::authority::{Authority, columns, of_written};
use super::grant::Writes;
use super::inputs::{conditions, given, preset};
use super::references::{instead_of_conflict, references, unreadable};
use super::together::Together;
use super::untrusted::Valid;
use super::writer::{Writer, read_back};
use crate::driver::Db;
use crate::dto::Dto;
use crate::entity::{Column, Entity, RowAction, Storable};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::policy::{Reduced, Residual, Value};

/// The source of a new row: an entity that the program made, or the input of a client.
pub trait NewRow {
    /// The entity of the row.
    type Entity: Entity;

    #[doc(hidden)]
    fn __content(self) -> Content<Self::Entity>;
}

/// The values of a new row.
#[doc(hidden)]
pub struct Content<E: Entity> {
    set: Vec<(&'static str, Value)>,
    pub(super) sent: Option<Sent<E>>,
}

/// A row that was inserted.
pub(super) struct Inserted<E: Entity> {
    key: Value,
    values: Vec<(usize, Value)>,
    authority: Authority<E>,
}

impl<E: Entity> NewRow for E {
    type Entity = E;

    fn __content(self) -> Content<E> {
        let columns = E::__table().columns().iter().enumerate();
        Content {
            set: columns
                .map(|(index, column)| (column.field(), self.__cell(index).into_value()))
                .collect(),
            sent: None,
        }
    }
}

impl<T: Input> NewRow for Valid<T> {
    type Entity = T::Entity;

    fn __content(self) -> Content<T::Entity> {
        let shape = T::__shape();
        let mut fields = Vec::new();
        let mut set = Vec::new();
        for (field, value) in given(shape, &self.values()) {
            fields.push(field);
            set.push((field.field(), value));
        }
        Content {
            set,
            sent: Some((shape, fields)),
        }
    }
}

/// A pending insert of one row; see [`Writer::create`].
#[must_use = "a row is not created until it is executed"]
pub struct Create<'a, P, E: Entity> {
    pub(super) writer: Writer<'a, P>,
    pub(super) content: Content<E>,
}

impl<'a, P, E> Create<'a, P, E>
where
    E: Entity,
    P: Writes<E::Viewer>,
{
    pub(super) const fn new(writer: Writer<'a, P>, content: Content<E>) -> Self {
        Self { writer, content }
    }

    /// Sets a column that the client does not set, such as a hash of a value it sent.
    pub fn set<T: Storable, U>(mut self, column: Column<E, T, U>, value: impl Into<T>) -> Self {
        let value = value.into().cell().into_value();
        self.content.set.push((column.field(), value));
        self
    }

    /// Inserts the row, and returns its key. A column without a value gets the database's default.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] if the entity's `create_if`, or the rule of a field that is set, does
    /// not allow it; [`Error::is_unprocessable`] if a field that the client sent refers to no row that
    /// its viewer may read; [`Error::is_misuse`] if a rule reads a column that nothing sets, or if a
    /// column is set twice; otherwise as [`Writer::insert`].
    pub async fn execute(self) -> Result<E::Key> {
        let inserted = self.run(self.writer.db()).await?;
        E::Key::from_cell(inserted.key.as_cell())
            .ok_or_else(|| Error::internal("a new row has a key of another kind"))
    }

    /// Inserts the row and reads it back, both in one transaction. If the viewer may not read the new
    /// row, it is not written.
    ///
    /// # Errors
    ///
    /// As [`Create::execute`], and [`Error::is_forbidden`] if the row may not be read back.
    pub async fn returning<D: Dto<Entity = E>>(self) -> Result<D> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = self.run_and_show(together.db()).await;
        together.end(outcome).await
    }

    /// Inserts the row and reads it back, both in one transaction. If the viewer may not read the new
    /// row, it is written all the same, and `None` is returned.
    ///
    /// # Errors
    ///
    /// As [`Create::execute`].
    pub async fn returning_if_visible<D: Dto<Entity = E>>(self) -> Result<Option<D>> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = self.run_and_read(together.db()).await;
        together.end(outcome).await
    }

    async fn run_and_read<D: Dto<Entity = E>>(&self, db: &Db) -> Result<Option<D>> {
        let inserted = self.run(db).await?;
        read_back(db, &inserted.authority, &inserted.key).await
    }

    async fn run_and_show<D: Dto<Entity = E>>(&self, db: &Db) -> Result<D> {
        let inserted = self.run(db).await?;
        if let Some(shown) = read_back(db, &inserted.authority, &inserted.key).await? {
            return Ok(shown);
        }
        let attempt = self.attempt(Some(&inserted.key), &inserted.values);
        inserted.authority.unreadable(db, &attempt).await;
        Err(Error::forbidden())
    }

    fn attempt<'v>(
        &'v self,
        key: Option<&'v Value>,
        values: &'v [(usize, Value)],
    ) -> Attempt<'v, E> {
        Attempt {
            which: key.map_or(Which::New, Which::One),
            fields: Fields::Of(values),
            sent: self.content.sent.as_slice(),
        }
    }

    /// Refuses a row whose key differs from that of the update.
    pub(super) fn require_key(&self, authority: &Authority<E>, key: &Value) -> Result<()> {
        let wanted = (E::__table().key(), key.clone());
        if self.values(authority)?.contains(&wanted) {
            return Ok(());
        }
        Err(Error::misuse(
            "`or_create` is given a row with another key than the update, or with none: `set` or preset the key",
        ))
    }

    /// Inserts the row.
    pub(super) async fn run(&self, db: &Db) -> Result<Inserted<E>> {
        let table = E::__table();
        let authority = Authority::<E>::of(db, self.writer.access(), RowAction::Create).await?;
        let values = self.values(&authority)?;
        let known = values.iter().find(|(column, _)| *column == table.key());
        let known = known.map(|(_, key)| key);
        let attempt = self.attempt(known, &values);
        let Some(mut rules) = self.rules(&authority, &values)? else {
            authority.denied(db, &attempt).await?;
            return Err(Error::forbidden());
        };
        let is_ruled = !rules.is_empty();
        let references = references(&authority, self.content.sent.as_slice(), &values)?;
        rules.extend(references.iter().map(|it| it.condition.clone()));
        let change = db.insert::<E>(&values, &rules, authority.guard(), known.is_none())?;
        let changed = match authority.run(db, &change, &attempt).await {
            Ok(changed) => changed,
            Err(error) => return Err(instead_of_conflict(db, &references, error).await),
        };
        if changed.rows > 0 {
            let key = known.cloned().or(changed.key).ok_or_else(|| {
                Error::misuse("the database generated no integer key for a new row: preset the key")
            })?;
            return Ok(Inserted {
                key,
                values,
                authority,
            });
        }
        authority.denied(db, &attempt).await?;
        let errors = unreadable(db, &references).await?;
        Err(if !errors.is_empty() {
            Error::unprocessable(errors)
        } else if is_ruled {
            Error::forbidden()
        } else if references.is_empty() {
            Error::internal("an insert wrote no row")
        } else {
            // The row that it refers to was not there for the statement, and is now.
            Error::contended()
        })
    }

    /// Returns the columns to set, and their values.
    pub(super) fn values(&self, authority: &Authority<E>) -> Result<Vec<(usize, Value)>> {
        let mut named = self.content.set.clone();
        if let Some((shape, _)) = &self.content.sent {
            named.extend(preset(authority, shape.presets())?);
        }
        columns::<E>(named)
    }

    /// Returns the residuals that related rows must fulfil, or `None` if the row may not be created.
    /// Everything else about a new row is known.
    fn rules(
        &self,
        authority: &Authority<E>,
        values: &[(usize, Value)],
    ) -> Result<Option<Vec<Residual>>> {
        let table = E::__table();
        let decision = authority.decision.clone();
        let mut rules = match of_written::<E>(decision, "create_if", values)? {
            Reduced::Always => Vec::new(),
            Reduced::Never => return Ok(None),
            Reduced::Left(residual) => vec![residual],
        };
        if let Some((shape, fields)) = &self.content.sent {
            match conditions(authority, shape, fields, values)? {
                None => return Ok(None),
                Some(found) => rules.extend(found),
            }
        }
        match rules.iter().find_map(|rule| rule.unwritten(table)) {
            None => Ok(Some(rules)),
            Some(column) => Err(Error::misuse(format!(
                "a rule for new rows of `{}` reads `{}`, which nothing sets: preset it",
                table.entity(),
                column.field()
            ))),
        }
    }
}

impl<P, E: Entity> fmt::Debug for Create<'_, P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create").finish_non_exhaustive()
    }
}

impl<E: Entity> fmt::Debug for Content<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}
