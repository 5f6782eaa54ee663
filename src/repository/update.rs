//! Updates of one row, with optimistic locking by a version column, and upserts.

use std::fmt;

use super::attempt::{Attempt, Fields, Sent, Which};
use super::authority::{Authority, columns, of_row, of_written};
use super::create::Create;
use super::existence::denied_or_missing;
use super::grant::Writes;
use super::inputs::{conditions, given, preset};
use super::references::{Reference, instead_of_conflict, references, unreadable};
use super::select::DeniedAs;
use super::together::Together;
use super::untrusted::Valid;
use super::writer::{Writer, read_back};
use crate::driver::Db;
use crate::dto::Dto;
use crate::entity::{Assignable, Column, Entity, RowAction, Storable};
use crate::error::{Error, FieldError, Result};
use crate::input::Patch;
use crate::policy::{Op, Reduced, Residual, Term, Value};
use crate::sql::{Target, exists};

/// A pending update of one row; see [`Writer::update`].
#[must_use = "an update does nothing until it is executed"]
pub struct Update<'a, P, E: Entity> {
    pub(super) writer: Writer<'a, P>,
    pub(super) key: Value,
    pub(super) changes: Assignments<E>,
    pub(super) version: Option<(&'static str, i64)>,
    denied: DeniedAs,
}

/// The assignments of an update: those of the program, and those of the client's patches.
pub(super) struct Assignments<E: Entity> {
    set: Vec<(&'static str, Value)>,
    pub(super) patches: Vec<Sent<E>>,
}

/// An update whose rules have been evaluated.
pub(super) struct Planned<E: Entity> {
    pub(super) changes: Vec<(usize, Value)>,
    pub(super) allowed: Allowed,
    /// The rows that the client's fields refer to. Their conditions are among the rules.
    pub(super) references: Vec<Reference<E>>,
}

/// The rows that may be updated so.
pub(super) enum Allowed {
    Where(Vec<Residual>),
    /// No row may be updated.
    NoRow,
    /// No row may take these values, so that the answer reveals nothing of any row.
    Never,
}

/// An update that was attempted.
struct Tried<E: Entity> {
    authority: Authority<E>,
    changes: Vec<(usize, Value)>,
    end: End,
    /// The errors of the fields that refer to no row which the viewer may read.
    unreadable: Vec<FieldError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// There is no such row, or none that may be updated.
    NoRow,
    /// No row may take these values.
    Never,
}

impl<E: Entity> Assignments<E> {
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

    /// Evaluates the rules of the update.
    pub(super) fn plan(
        &self,
        authority: &Authority<E>,
        version: Option<(&'static str, i64)>,
    ) -> Result<Planned<E>> {
        if self.set.is_empty() && self.patches.is_empty() {
            return Err(Error::misuse("the update sets nothing: call `set` first"));
        }
        let changes = self.values(authority, version)?;
        let mut allowed = self.allowed(authority, &changes)?;
        let mut found = Vec::new();
        if let Allowed::Where(rules) = &mut allowed {
            found = references(authority, &self.patches, &changes)?;
            rules.extend(found.iter().map(|it| it.condition.clone()));
        }
        Ok(Planned {
            changes,
            allowed,
            references: found,
        })
    }

    fn allowed(&self, authority: &Authority<E>, changes: &[(usize, Value)]) -> Result<Allowed> {
        let mut rules = match of_row::<E>(authority.decision.clone(), "update_if")? {
            Reduced::Never => return Ok(Allowed::NoRow),
            Reduced::Always => Vec::new(),
            Reduced::Left(residual) => vec![residual],
        };
        let made = authority.decide(E::__table().rows().updated());
        match of_written::<E>(made, "updated_if", changes)? {
            Reduced::Never => return Ok(Allowed::Never),
            Reduced::Always => {}
            Reduced::Left(residual) => rules.push(residual),
        }
        for (shape, fields) in &self.patches {
            match conditions(authority, shape, fields, changes)? {
                None => return Ok(Allowed::Never),
                Some(found) => rules.extend(found),
            }
        }
        // If a change touches nothing that a rule reads, two rules can be the same.
        let mut kept: Vec<Residual> = Vec::new();
        for rule in rules {
            if !kept.contains(&rule) {
                kept.push(rule);
            }
        }
        Ok(Allowed::Where(kept))
    }

    /// Returns the columns to set, and their values.
    pub(super) fn values(
        &self,
        authority: &Authority<E>,
        version: Option<(&'static str, i64)>,
    ) -> Result<Vec<(usize, Value)>> {
        let mut named = self.set.clone();
        for (shape, fields) in &self.patches {
            // A patch without any field changes nothing, so its presets (who changed it, when) are not
            // set either.
            if !fields.is_empty() {
                named.extend(preset(authority, shape.presets())?);
            }
        }
        if let (Some((field, expected)), false) = (version, named.is_empty()) {
            let next = expected
                .checked_add(1)
                .ok_or_else(|| Error::misuse("a version cannot be incremented further"))?;
            named.push((field, Value::Int(next)));
        }
        columns::<E>(named)
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
            changes: Assignments::new(),
            version: None,
            denied: DeniedAs::NotFound,
        }
    }

    /// Sets the column to this value.
    pub fn set<T: Storable, U: Assignable>(
        mut self,
        column: Column<E, T, U>,
        value: impl Into<T>,
    ) -> Self {
        let value = value.into().cell().into_value();
        self.changes.set(column.field(), value);
        self
    }

    /// Sets the column to null.
    pub fn clear<T: Storable, U: Assignable>(mut self, column: Column<E, Option<T>, U>) -> Self {
        self.changes.set(column.field(), Value::Null);
        self
    }

    /// Applies a client's changes. Each field sent must be writable on this row, and readable there
    /// unless it is blind; if that does not hold on this very row, the error is that of a row that may
    /// not be updated, and [`Update::explain`] names the rule. A patch without any field changes
    /// nothing, and gets the same answer as if it did.
    pub fn patch<T: Patch<Entity = E>>(mut self, patch: Valid<T>) -> Self {
        self.changes.patch(&patch);
        self
    }

    /// Updates only a row with this version (optimistic locking), and increments the version, unless
    /// nothing else changes. A row that may be updated and has another version fails with
    /// [`Error::is_stale`].
    ///
    /// The DTO shows the version, and the client sends it back: in an `If-Match` header, or in the
    /// body, as a field of the patch that is `#[unstored]`.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::input::Assign;
    /// # use clearance::{Access, Db, Dto, Entity, Patch, Result, Untrusted, Viewer, Write};
    /// # #[derive(Clone, Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "notes", viewer = Member, read_if(row.owner == viewer.id))]
    /// # #[entity(update_if(row.owner == viewer.id))]
    /// # struct Note { #[entity(key)] id: i64, owner: i64, title: String, version: i64 }
    /// # #[derive(Dto)]
    /// # #[dto(entity = Note, default = visible)]
    /// # struct NoteView { id: i64, title: String, version: i64 }
    /// #[derive(Patch)]
    /// #[patch(entity = Note, reads = NoteView)]
    /// struct EditNote {
    ///     #[writable]
    ///     title: Assign<String>,
    ///     #[unstored]
    ///     version: i64,
    /// }
    ///
    /// async fn edit(
    ///     db: &Db,
    ///     access: &Access<Write<Member>>,
    ///     id: i64,
    ///     body: Untrusted<EditNote>,
    /// ) -> Result<NoteView> {
    ///     let patch = body.open(access)?;
    ///     let version = patch.version;
    ///     let update = db.writer(access).update::<Note>(id).patch(patch);
    ///     update.if_version(Note::VERSION, version).returning().await
    /// }
    /// # fn main() {}
    /// ```
    pub fn if_version<U: Assignable>(mut self, column: Column<E, i64, U>, expected: i64) -> Self {
        self.version = Some((column.field(), expected));
        self
    }

    /// Fails with 403 in place of 404 if the row exists and may not be updated. It reveals that the row
    /// exists, so choose it only if that is no secret.
    pub const fn forbidden_if_denied(mut self) -> Self {
        self.denied = DeniedAs::Forbidden;
        self
    }

    /// Runs the update.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is no such row or the rules do not allow it,
    /// [`Error::is_forbidden`] if this viewer may make these changes to no row of the entity,
    /// [`Error::is_unprocessable`] if a field that the client sent refers to no row that its viewer may
    /// read, [`Error::is_stale`] if the row has another version, [`Error::is_misuse`] if nothing was
    /// set or one column twice, otherwise as [`Writer::insert`].
    pub async fn execute(self) -> Result<()> {
        self.run(self.writer.db()).await.map(|_| ())
    }

    /// Runs the update and reads the row back, both in one transaction. If the viewer may not read the
    /// updated row, nothing is written.
    ///
    /// # Errors
    ///
    /// As [`Update::execute`], and [`Error::is_forbidden`] if the row may not be read back.
    pub async fn returning<D: Dto<Entity = E>>(self) -> Result<D> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = self.run_and_show(together.db()).await;
        together.end(outcome).await
    }

    /// Runs the update and reads the row back, both in one transaction. If the viewer may not read the
    /// updated row, it is written all the same, and `None` is returned.
    ///
    /// # Errors
    ///
    /// As [`Update::execute`].
    pub async fn returning_if_visible<D: Dto<Entity = E>>(self) -> Result<Option<D>> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = self.run_and_read(together.db()).await;
        together.end(outcome).await
    }

    /// Runs the update, and creates the row if there is none that it may update: *upsert*. A row with
    /// this key that exists and may not be updated is a conflict.
    ///
    /// It is an update and, if that finds nothing, an insert: each with its own rules inside its own
    /// statement, and the same on every engine (decision 28). Returns whether the row is new. The new
    /// row must have this key: from the entity, by [`Create::set`], or by a preset.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Access, Db, Entity, Result, Viewer, Write};
    /// # #[derive(Clone, Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "settings", viewer = Member, read_if(row.user_id == viewer.id))]
    /// # #[entity(create_if(row.user_id == viewer.id), update_if(row.user_id == viewer.id))]
    /// # struct Setting { #[entity(key)] user_id: i64, theme: String }
    /// async fn choose(db: &Db, access: &Access<Write<Member>>, theme: &str) -> Result<bool> {
    ///     let (writer, user_id) = (db.writer(access), access.viewer().id);
    ///     let new = Setting { user_id, theme: theme.to_owned() };
    ///     let update = writer.update::<Setting>(user_id).set(Setting::THEME, theme);
    ///     update.or_create(writer.create(new)).await
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Update::execute`] and [`Create::execute`]. [`Error::is_conflict`] if there is a row that
    /// may not be updated; [`Error::is_misuse`] if `create` makes a row with another key.
    pub async fn or_create(self, create: Create<'a, P, E>) -> Result<bool> {
        let db = self.writer.db();
        let authority = self.authority(db).await?;
        create.require_key(&authority, &self.key)?;
        let tried = self.tried(db, authority).await?;
        if tried.end == End::Done {
            return Ok(false);
        }
        let answer = self.answer(db, &tried).await?;
        if !answer.is_not_found() {
            self.refused(db, &tried).await;
            return Err(answer);
        }
        let together = match db.unit() {
            // A refused statement must not abort the surrounding transaction.
            Some(_) => Some(Together::begin(db).await?),
            None => None,
        };
        let created = create.run(db).await.map(|_| true);
        let created = match together {
            None => created,
            Some(together) => together.end(created).await,
        };
        match created {
            // Another transaction may have created it meanwhile.
            Err(conflict) if conflict.is_conflict() => match self.run(db).await {
                Err(error) if error.is_not_found() => Err(conflict),
                other => other.map(|_| false),
            },
            other => other,
        }
    }

    async fn run_and_read<D: Dto<Entity = E>>(&self, db: &Db) -> Result<Option<D>> {
        let tried = self.run(db).await?;
        read_back(db, &tried.authority, &self.key).await
    }

    async fn run_and_show<D: Dto<Entity = E>>(&self, db: &Db) -> Result<D> {
        let tried = self.run(db).await?;
        if let Some(shown) = read_back(db, &tried.authority, &self.key).await? {
            return Ok(shown);
        }
        let attempt = self.attempt(&tried.changes);
        tried.authority.unreadable(db, &attempt).await;
        Err(Error::forbidden())
    }

    async fn run(&self, db: &Db) -> Result<Tried<E>> {
        let tried = self.tried(db, self.authority(db).await?).await?;
        if tried.end == End::Done {
            return Ok(tried);
        }
        self.refused(db, &tried).await;
        Err(self.answer(db, &tried).await?)
    }

    async fn authority(&self, db: &Db) -> Result<Authority<E>> {
        Authority::of(db, self.writer.access(), RowAction::Update).await
    }

    /// Attempts the update, without reporting yet that nothing was touched.
    async fn tried(&self, db: &Db, authority: Authority<E>) -> Result<Tried<E>> {
        let planned = self.changes.plan(&authority, self.version)?;
        let Planned {
            changes,
            allowed,
            references,
        } = planned;
        let end = match allowed {
            Allowed::Where(rules) => match self.update(db, &authority, &changes, rules).await {
                Ok(end) => end,
                Err(error) => return Err(instead_of_conflict(db, &references, error).await),
            },
            Allowed::NoRow => End::NoRow,
            Allowed::Never => End::Never,
        };
        let mut errors = Vec::new();
        if end != End::Done {
            authority.require_session().await?;
            errors = unreadable(db, &references).await?;
        }
        Ok(Tried {
            authority,
            changes,
            end,
            unreadable: errors,
        })
    }

    /// Updates the row if it fulfils these rules.
    async fn update(
        &self,
        db: &Db,
        authority: &Authority<E>,
        changes: &[(usize, Value)],
        mut rules: Vec<Residual>,
    ) -> Result<End> {
        let table = E::__table();
        let key = [(table.key(), self.key.clone())];
        let stated = rules.len();
        if let Some((field, expected)) = self.version {
            rules.push(is_version::<E>(field, expected)?);
        }
        let target = Target {
            key: Some(&self.key),
            rules: &rules,
            guard: authority.guard(),
        };
        // Without changes the key is set to itself, so that the rules are checked all the same.
        let set = if changes.is_empty() { &key } else { changes };
        let change = db.update::<E>(set, &target)?;
        let attempt = self.attempt(changes);
        if authority.run(db, &change, &attempt).await?.rows > 0 {
            return Ok(End::Done);
        }
        if self.version.is_some() {
            authority.require_session().await?;
            rules.truncate(stated);
            let rest = Residual::All(rules);
            let statement = exists::<E>(db.dialect(), &key, Some(&rest))?;
            if db.fetch_optional(&statement).await?.is_some() {
                return Err(Error::stale());
            }
        }
        Ok(End::NoRow)
    }

    fn attempt<'t>(&'t self, changes: &'t [(usize, Value)]) -> Attempt<'t, E> {
        Attempt {
            which: Which::One(&self.key),
            fields: Fields::Of(changes),
            sent: &self.changes.patches,
        }
    }

    async fn refused(&self, db: &Db, tried: &Tried<E>) {
        let attempt = self.attempt(&tried.changes);
        tried.authority.refused(db, &attempt).await;
    }

    /// Returns the error of an update that touched nothing: no row, or none that may be updated so.
    async fn answer(&self, db: &Db, tried: &Tried<E>) -> Result<Error> {
        if !tried.unreadable.is_empty() {
            return Ok(Error::unprocessable(tried.unreadable.clone()));
        }
        match (tried.end, self.denied) {
            (End::Never, _) => Ok(Error::forbidden()),
            (End::Done | End::NoRow, DeniedAs::NotFound) => Ok(Error::not_found()),
            (End::Done | End::NoRow, DeniedAs::Forbidden) => {
                let lookups = [(E::__table().key(), self.key.clone())];
                denied_or_missing::<E>(&tried.authority.asking(db), &lookups).await
            }
        }
    }
}

fn is_version<E: Entity>(field: &str, expected: i64) -> Result<Residual> {
    let (column, _) = E::__table()
        .position(field)
        .ok_or_else(|| Error::internal("a version names a column that its table does not have"))?;
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
