//! Writing through an access: the rule and the session are checked by the statement that writes.

use std::fmt;
use std::ops::Deref;

use super::access::Access;
use super::decided::rule_failed;
use super::existence::denied_or_missing;
use super::grant::{Asker, Writes};
use super::memo::Writing;
use super::reader::Reader;
use super::select::Denied;
use crate::audit;
use crate::entity::{Assignable, Column, Entity, Operation, Storable};
use crate::error::{Error, Result};
use crate::policy::{Decision, Reduced, Value, once_written};
use crate::request::RequestContext;
use crate::session::Verified;
use crate::sql::{Change, Db, StatementGuard, Target, delete, insert, update};

/// Writes for the one an [`Access`] speaks of, and reads as a [`Reader`]. Made by [`Db::writer`].
#[derive(Debug)]
pub struct Writer<'a, P> {
    reader: Reader<'a, P>,
}

impl Db {
    /// Writes on behalf of the one that `access` speaks of: an `Access<Write<..>>` or an
    /// `Access<System>`.
    #[must_use]
    pub const fn writer<'a, P>(&'a self, access: &'a Access<P>) -> Writer<'a, P> {
        Writer {
            reader: self.reader(access),
        }
    }
}

impl<'a, P> Deref for Writer<'a, P> {
    type Target = Reader<'a, P>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl<'a, P> Writer<'a, P> {
    /// Inserts a row, where its entity's `create_if` allows this row to this viewer.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] when the rule does not allow it, [`Error::is_unauthenticated`]
    /// when the session has ended meanwhile, [`Error::is_conflict`] when a constraint of the
    /// database stands against it, [`Error::is_unavailable`] when the database does not answer.
    pub async fn insert<E>(&self, row: E) -> Result<()>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        let table = E::__table();
        let columns = 0..table.columns().len();
        let values: Vec<(usize, Value)> = columns
            .map(|column| (column, row.__cell(column).into_value()))
            .collect();
        let authority = self.authority(&table.rows().create).await?;
        // The row is known, so that only what it says of related rows is left to the database.
        let related = match written::<E>(&authority.decision, "create_if", &values)? {
            Reduced::Always => None,
            Reduced::Left(related) => Some(related),
            Reduced::Never => {
                audit::write_denied(table.entity(), "create");
                return Err(Error::forbidden());
            }
        };
        let db = self.reader.db;
        let change = insert::<E>(db.dialect(), &values, related.as_ref(), authority.guard())?;
        if authority.run(db, &change).await? > 0 {
            return Ok(());
        }
        authority.require_session().await?;
        if related.is_none() {
            return Err(Error::internal("an insert wrote no row"));
        }
        audit::write_denied(table.entity(), "create");
        Err(Error::forbidden())
    }

    /// Starts an update of the row with this key, where its entity's `update_if` allows it and its
    /// `updated_if` allows what the row will be.
    pub fn update<E: Entity>(&self, key: impl Into<E::Key>) -> Update<'a, P, E>
    where
        P: Writes<E::Viewer>,
    {
        Update {
            writer: Writer {
                reader: self.reader,
            },
            key: key.into().cell().into_value(),
            changes: Vec::new(),
            denied: Denied::NotFound,
            entity: std::marker::PhantomData,
        }
    }

    /// Deletes the row with this key, where its entity's `delete_if` allows it.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] when there is no such row or the rule does not allow it,
    /// otherwise as [`Writer::insert`].
    pub async fn delete<E>(&self, key: impl Into<E::Key>) -> Result<()>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        let key = key.into().cell().into_value();
        let authority = self.authority(&E::__table().rows().delete).await?;
        let db = self.reader.db;
        self.change::<E>(&authority, &key, "delete", Denied::NotFound, |target| {
            delete::<E>(db.dialect(), target)
        })
        .await
    }

    /// Who writes, and what the rules of `operation` come to for them.
    async fn authority<E>(&self, operation: &Operation<E>) -> Result<Authority<E>>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        let access = self.reader.access;
        let Some(request) = access.request()? else {
            return Ok(Authority {
                decision: Decision::Allow,
                session: None,
            });
        };
        let Asker::Viewer(verified) = access.asker::<E::Viewer>() else {
            return Err(Error::internal("a write without a viewer inside a request"));
        };
        let guard = request.statement_guard(verified, self.reader.db.id());
        let viewer = match guard {
            // The statement itself looks whether the session still stands.
            Some(_) => verified.clone(),
            None => request.verify_current::<E::Viewer>().await?.into_verified(),
        };
        Ok(Authority {
            decision: operation.decide(Some(viewer.viewer()), request.rule_context()),
            session: Some(Session {
                request,
                viewer,
                guard,
            }),
        })
    }

    /// Runs a change of one row, and finds out what it means when no row was touched.
    async fn change<E: Entity>(
        &self,
        authority: &Authority<E>,
        key: &Value,
        action: &'static str,
        denied: Denied,
        change: impl FnOnce(Target<'_>) -> Result<Change>,
    ) -> Result<()>
    where
        P: Writes<E::Viewer>,
    {
        let db = self.reader.db;
        let rule = match &authority.decision {
            Decision::Allow => Some(None),
            Decision::Deny => None,
            Decision::Depends(residual) if residual.is_opaque() => {
                return Err(Error::internal(
                    "a row rule that runs in Rust only cannot be checked by the database",
                ));
            }
            Decision::Depends(residual) => Some(Some(residual)),
            Decision::Fail(failure) => {
                return Err(rule_failed(E::__table().entity(), action, *failure));
            }
        };
        if let Some(rule) = rule {
            let change = change(Target {
                key,
                rule,
                made: None,
                guard: authority.guard(),
            })?;
            if authority.run(db, &change).await? > 0 {
                return Ok(());
            }
        }
        authority.require_session().await?;
        audit::write_denied(E::__table().entity(), action);
        match denied {
            Denied::NotFound => Err(Error::not_found()),
            Denied::Forbidden => {
                let lookups = [(E::__table().key(), key.clone())];
                Err(denied_or_missing::<E, P>(db, self.reader.access, &lookups).await?)
            }
        }
    }
}

/// An update in the making; see [`Writer::update`].
#[must_use = "an update does nothing until it is executed"]
pub struct Update<'a, P, E> {
    writer: Writer<'a, P>,
    key: Value,
    changes: Vec<(&'static str, Value)>,
    denied: Denied,
    entity: std::marker::PhantomData<fn() -> E>,
}

impl<P, E> Update<'_, P, E>
where
    E: Entity,
    P: Writes<E::Viewer>,
{
    /// Gives the column this value.
    pub fn set<T: Storable, U: Assignable>(
        mut self,
        column: Column<E, T, U>,
        value: impl Into<T>,
    ) -> Self {
        let value = value.into().cell().into_value();
        self.changes.push((column.field(), value));
        self
    }

    /// Makes the column null.
    pub fn clear<T: Storable, U: Assignable>(mut self, column: Column<E, Option<T>, U>) -> Self {
        self.changes.push((column.field(), Value::Null));
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
    /// [`Error::is_misuse`] when nothing was set or one column twice, otherwise as
    /// [`Writer::insert`].
    pub async fn execute(self) -> Result<()> {
        let table = E::__table();
        let mut changes: Vec<(usize, Value)> = Vec::with_capacity(self.changes.len());
        for (field, value) in self.changes {
            let (column, _) = table
                .position(field)
                .ok_or_else(|| Error::internal("a change names no column of its table"))?;
            if changes.iter().any(|(known, _)| *known == column) {
                return Err(Error::misuse(format!("the update sets `{field}` twice")));
            }
            changes.push((column, value));
        }
        if changes.is_empty() {
            return Err(Error::misuse("the update sets nothing: call `set` first"));
        }
        let authority = self.writer.authority(&table.rows().update).await?;
        let made = match authority.decision {
            Decision::Deny => Reduced::Always,
            _ => {
                let made = authority.decide(table.rows().updated());
                written::<E>(&made, "updated_if", &changes)?
            }
        };
        let made = match made {
            Reduced::Always => None,
            Reduced::Left(made) => Some(made),
            // No row may become that, so that the answer tells of none.
            Reduced::Never => {
                authority.require_session().await?;
                audit::write_denied(table.entity(), "update");
                return Err(Error::forbidden());
            }
        };
        let dialect = self.writer.reader.db.dialect();
        self.writer
            .change::<E>(&authority, &self.key, "update", self.denied, |target| {
                let made = made.as_ref();
                update::<E>(dialect, &changes, Target { made, ..target })
            })
            .await
    }
}

impl<P, E> fmt::Debug for Update<'_, P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").finish_non_exhaustive()
    }
}

/// What must hold of a row, so that it fulfils a rule once it has these values.
fn written<E: Entity>(
    decision: &Decision,
    rule: &'static str,
    values: &[(usize, Value)],
) -> Result<Reduced> {
    let table = E::__table();
    match decision {
        Decision::Allow => Ok(Reduced::Always),
        Decision::Deny => Ok(Reduced::Never),
        Decision::Depends(residual) => once_written(residual, values, table)
            .map_err(|failure| rule_failed(table.entity(), rule, failure)),
        Decision::Fail(failure) => Err(rule_failed(table.entity(), rule, *failure)),
    }
}

/// What allows a write: the rules as they came out, and the session it rests on.
struct Authority<E: Entity> {
    decision: Decision,
    /// None for the program itself.
    session: Option<Session<E>>,
}

struct Session<E: Entity> {
    request: RequestContext,
    viewer: Verified<E::Viewer>,
    guard: Option<StatementGuard>,
}

impl<E: Entity> Authority<E> {
    /// The session that the statement itself must find standing.
    fn guard(&self) -> Option<&StatementGuard> {
        self.session.as_ref()?.guard.as_ref()
    }

    /// Runs the change, and tells how many rows it touched.
    async fn run(&self, db: &Db, change: &Change) -> Result<u64> {
        let session = self.session.as_ref();
        let writing = session.map(|session| Writing::begin(&session.request));
        let touched = db.change(change).await;
        // A statement whose caller gave up, or whose database gave no answer, may still happen.
        let known = !touched.as_ref().is_err_and(Error::is_unavailable);
        if let Some(writing) = writing.filter(|_| known) {
            writing.end();
        }
        touched
    }

    /// What the rules of another operation come to.
    fn decide(&self, operation: &Operation<E>) -> Decision {
        match &self.session {
            None => Decision::Allow,
            Some(session) => {
                let viewer = session.viewer.viewer();
                operation.decide(Some(viewer), session.request.rule_context())
            }
        }
    }

    /// Tells a session that has ended from a row that was not there, after a statement that
    /// checked both touched nothing.
    async fn require_session(&self) -> Result<()> {
        if let Some(session) = &self.session
            && session.guard.is_some()
        {
            session.request.verify_current::<E::Viewer>().await?;
        }
        Ok(())
    }
}
