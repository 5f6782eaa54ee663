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
use crate::policy::{Decision, Residual, Rule, Value};
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
        let authority = self.authority(&E::__table().rows().create).await?;
        let allowed = match &authority.decision {
            Decision::Allow => true,
            Decision::Deny => false,
            Decision::Depends(residual) if residual.is_related() => {
                return Err(Error::misuse(format!(
                    "`create_if` of `{}` reads related rows, which a row that is not there yet cannot be asked for",
                    E::__table().entity()
                )));
            }
            Decision::Depends(residual) => authority.holds(residual, &row),
            Decision::Fail(failure) => {
                return Err(rule_failed(E::__table().entity(), "create_if", *failure));
            }
        };
        if !allowed {
            audit::write_denied(E::__table().entity(), "create");
            return Err(Error::forbidden());
        }
        let db = self.reader.db;
        let change = insert(db.dialect(), &row, authority.guard())?;
        if authority.run(db, &change).await? == 0 {
            authority.require_session().await?;
            return Err(Error::internal("an insert wrote no row"));
        }
        Ok(())
    }

    /// Starts an update of the row with this key, where its entity's `update_if` allows it.
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
    async fn authority<'e, E>(&self, operation: &'e Operation<E>) -> Result<Authority<'e, E>>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        let access = self.reader.access;
        let Some(request) = access.request()? else {
            return Ok(Authority {
                decision: Decision::Allow,
                operation,
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
            operation,
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
        authority: &Authority<'_, E>,
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
    /// [`Error::is_not_found`] when there is no such row or the rule does not allow it,
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
        let dialect = self.writer.reader.db.dialect();
        self.writer
            .change::<E>(&authority, &self.key, "update", self.denied, |target| {
                update::<E>(dialect, &changes, target)
            })
            .await
    }
}

impl<P, E> fmt::Debug for Update<'_, P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").finish_non_exhaustive()
    }
}

/// What allows a write: the rules as they came out, and the session it rests on.
struct Authority<'e, E: Entity> {
    decision: Decision,
    operation: &'e Operation<E>,
    /// None for the program itself.
    session: Option<Session<E>>,
}

struct Session<E: Entity> {
    request: RequestContext,
    viewer: Verified<E::Viewer>,
    guard: Option<StatementGuard>,
}

impl<E: Entity> Authority<'_, E> {
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

    /// Whether the new row fulfils what is left of the rules.
    fn holds(&self, residual: &Residual, row: &E) -> bool {
        let rules: &[Rule<E::Viewer, E>] = self.operation.rules();
        self.session.as_ref().is_some_and(|session| {
            residual.holds(
                row,
                rules,
                Some(session.viewer.viewer()),
                session.request.rule_context(),
            )
        })
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
