//! The authority of a write: the decisions of its rules, and the session it depends on.

use std::sync::Arc;

use super::access::Access;
use super::attempt::{Attempt, Which, read_rules};
use super::decided::rule_failed;
use super::grant::Writes;
use super::in_use::{InUse, Level};
use super::memo::WriteMark;
use super::planner::Planner;
use super::together::Together;
use crate::audit::{self, Actor, AuditEvent, Outcome};
use crate::driver::Db;
use crate::entity::{Entity, Operation, RowAction};
use crate::error::{Error, Refusal, Result};
use crate::policy::{Context, Decision, Reduced, Rule, Value, once_written};
use crate::request::RequestContext;
use crate::session::{Changing, ChangingTogether, TokenGuard, Verified};
use crate::sql::{Change, Changed, SessionCheck};
use crate::viewer::Subject;

pub(super) struct Authority<E: Entity> {
    action: RowAction,
    /// The decision of the operation's rules.
    pub(super) decision: Decision,
    /// The writer, at the instant of this attempt.
    using: InUse<E::Viewer>,
    /// The session that the statement itself must find valid.
    guard: Option<SessionCheck>,
    /// The generations that the write's transaction must hold, for a stateless session.
    token: Option<TokenGuard>,
    /// The reason of a system access.
    reason: Option<&'static str>,
}

impl<E: Entity> Authority<E> {
    /// Determines the writer, and evaluates the rules of `action` for them.
    pub(super) async fn of<P>(db: &Db, access: &Access<P>, action: RowAction) -> Result<Self>
    where
        P: Writes<E::Viewer>,
    {
        if let Some(sink) = db.sink() {
            sink.require_place()?;
        }
        // A statement checks the session itself if sessions are in the same database as the rows.
        let level = match access.request()? {
            Some(request) if !request.is_beside(db.id()) => Level::Current,
            Some(_) | None => Level::Verified,
        };
        let using = access.begin_use::<E::Viewer>(level).await?;
        let guard = match (using.request(), using.verified()) {
            (Some(request), Some(verified)) => request.statement_guard(verified, db.id()),
            (Some(_), None) => {
                return Err(Error::internal("a write without a viewer inside a request"));
            }
            (None, _) => None,
        };
        let token = match (using.request(), using.verified()) {
            (Some(request), Some(verified)) => {
                request.token_guard(verified.loaded(), db.id()).cloned()
            }
            (Some(_) | None, _) => None,
        };
        Ok(Self {
            action,
            decision: using.operation(E::__table().rows().of(action)),
            using,
            guard,
            token,
            reason: access.reason(),
        })
    }

    /// Returns the viewer; `None` for the program itself.
    pub(super) fn viewer(&self) -> Option<&E::Viewer> {
        self.using.viewer()
    }

    pub(super) const fn context(&self) -> &Context {
        self.using.context()
    }

    /// Returns the same identity and instant, for queries about the rows of the write.
    pub(super) fn asking<'a>(&self, db: &'a Db) -> Planner<'a, E::Viewer> {
        let using = self.using.clone();
        Planner { db, using }
    }

    /// Returns the session that the statement itself must find valid.
    pub(super) const fn guard(&self) -> Option<&SessionCheck> {
        self.guard.as_ref()
    }

    /// Returns the request, and the viewer whose session the write depends on.
    fn session(&self) -> Option<(&RequestContext, &Verified<E::Viewer>)> {
        Some((self.using.request()?, self.using.verified()?))
    }

    /// Evaluates the rules of another operation.
    pub(super) fn decide(&self, operation: &Operation<E>) -> Decision {
        self.using.operation(operation)
    }

    /// Evaluates other rules, which must all hold.
    pub(super) fn decide_rules(&self, rules: &[Rule<E::Viewer, E>]) -> Decision {
        self.using.rules(rules)
    }

    /// Runs the change, and records and logs the rows that it touched. If there is an audit sink,
    /// change and record are atomic.
    pub(super) async fn run(
        &self,
        db: &Db,
        change: &Change,
        attempt: &Attempt<'_, E>,
    ) -> Result<Changed> {
        if db.sink().is_none() && self.token.is_none() {
            return self.run_in(db, change, attempt).await;
        }
        let together = Together::begin_steps(db).await?;
        let outcome = self.run_in(together.db(), change, attempt).await;
        together.end(outcome).await
    }

    async fn run_in(&self, db: &Db, change: &Change, attempt: &Attempt<'_, E>) -> Result<Changed> {
        let changed = self.touch(db, change, attempt.which).await?;
        if changed.rows > 0 {
            self.allowed(db, attempt, &changed).await?;
        }
        Ok(changed)
    }

    /// Blocks the end of the session until the transaction has ended, for sessions that a statement
    /// cannot check itself (decision 72).
    pub(super) async fn hold_token(&self, db: &Db) -> Result<()> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        if db.holds_token(token).await? {
            Ok(())
        } else {
            // The store is not asked for the reason: its answer could wait for a lock of this
            // transaction.
            Err(Error::unauthenticated(Refusal::Unknown))
        }
    }

    /// Runs one part of a change, and invalidates the cached viewers whose rows it touched. It must run
    /// in a transaction if a token is held.
    pub(super) async fn touch(
        &self,
        db: &Db,
        change: &Change,
        which: Which<'_>,
    ) -> Result<Changed> {
        self.hold_token(db).await?;
        // Before the check of the session, so that nothing waits between that check and the write.
        db.require_counted(E::__table()).await?;
        if let Some((request, viewer)) = self.session()
            && self.guard.is_none()
            && self.token.is_none()
            && !viewer.loaded().holds()
        {
            // Something was revoked since, and the statement does not check the session itself.
            request.still_current(viewer).await?;
        }
        let writing = self.using.request().map(WriteMark::begin);
        // Dropped right after the statement, even if the caller cancels.
        let mut changing = self.changing(which);
        let touched = db.change(change).await;
        // A statement that was cancelled, or whose database did not answer, may still take effect.
        let known = !touched.as_ref().is_err_and(Error::is_unavailable);
        if let Some(writing) = writing.filter(|_| known) {
            writing.end();
        }
        if let Some(changing) = &mut changing {
            match &touched {
                Ok(changed) if changed.rows == 0 => changing.forget(),
                Ok(changed) => changed.key.iter().for_each(|key| add(changing, key)),
                Err(_) => {}
            }
            if let Some(unit) = db.unit() {
                let changing = changing.clone();
                unit.on_commit()
                    .hold(|all: &mut ChangingTogether| all.add(changing));
            }
        }
        touched
    }

    /// Returns the viewers whose rows these are; `None` unless the entity is the one of a viewer.
    fn changing(&self, which: Which<'_>) -> Option<Changing> {
        if !E::__table().is_viewer_of() {
            return None;
        }
        let epochs = Arc::clone(self.using.request()?.epochs()?);
        let keys = match which {
            Which::One(key) => std::slice::from_ref(key),
            Which::Several(keys) => keys,
            Which::New => &[],
            Which::Found => return Some(Changing::everybody(epochs)),
        };
        let mut changing = Changing::nobody(epochs);
        for key in keys {
            add(&mut changing, key);
        }
        Some(changing)
    }

    /// Records the change, in its own transaction.
    pub(super) async fn allowed(
        &self,
        db: &Db,
        attempt: &Attempt<'_, E>,
        changed: &Changed,
    ) -> Result<()> {
        if !audit::listens(db) {
            return Ok(());
        }
        let made = Attempt {
            which: changed.key.as_ref().map_or(attempt.which, Which::One),
            ..*attempt
        };
        let event = AuditEvent {
            rows: changed.rows,
            ..made.event(self.by(), self.action, Outcome::Allowed)
        };
        audit::record(db, &event).await?;
        audit::decided(db, event);
        Ok(())
    }

    /// Fails if the session has ended, to distinguish that from a missing row after a statement that
    /// checks both has touched nothing.
    pub(super) async fn require_session(&self) -> Result<()> {
        if let Some((request, viewer)) = self.session()
            && self.guard.is_some()
        {
            request.still_current(viewer).await?;
        }
        Ok(())
    }

    /// Fails if the session has ended; otherwise records that the rules refused the write of this row.
    pub(super) async fn denied(&self, db: &Db, attempt: &Attempt<'_, E>) -> Result<()> {
        self.require_session().await?;
        self.refused(db, attempt).await;
        Ok(())
    }

    /// Records that the rules refused the write, or that there was no such row.
    pub(super) async fn refused(&self, db: &Db, attempt: &Attempt<'_, E>) {
        if audit::listens(db) {
            let event = attempt.event(self.by(), self.action, Outcome::Denied);
            audit::refused(db, event).await;
        }
    }

    /// Records that a write is rolled back because the viewer may not read the result.
    pub(super) async fn unreadable(&self, db: &Db, attempt: &Attempt<'_, E>) {
        if audit::listens(db) {
            let event = AuditEvent {
                rule: read_rules::<E>(),
                ..attempt.event(self.by(), self.action, Outcome::Denied)
            };
            audit::refused(db, event).await;
        }
    }

    fn by(&self) -> Actor {
        match self.session() {
            Some((request, viewer)) => {
                Actor::viewer(request.now(), viewer.subject(), request.request_id())
            }
            None => Actor::program(self.context().now, self.reason),
        }
    }
}

/// Adds the viewer whose row has this key: the key is their subject.
fn add(changing: &mut Changing, key: &Value) {
    if let Some(subject) = key.to_text() {
        changing.add(&Subject::new(subject));
    }
}

/// Returns the predicate that a row must fulfil as it is.
pub(super) fn of_row<E: Entity>(decision: Decision, rule: &'static str) -> Result<Reduced> {
    match decision {
        Decision::Allow => Ok(Reduced::Always),
        Decision::Deny => Ok(Reduced::Never),
        Decision::Depends(residual) if residual.is_opaque() => Err(Error::internal(
            "a row rule that runs in Rust only cannot be checked by the database",
        )),
        Decision::Depends(residual) => Ok(Reduced::Left(residual)),
        Decision::Fail(failure) => Err(rule_failed(E::__table().entity(), rule, failure)),
    }
}

/// Returns the predicate on the present row under which it fulfils a rule once it has these values.
pub(super) fn of_written<E: Entity>(
    decision: Decision,
    rule: &'static str,
    values: &[(usize, Value)],
) -> Result<Reduced> {
    let table = E::__table();
    match of_row::<E>(decision, rule)? {
        Reduced::Left(residual) => once_written(&residual, values, table)
            .map_err(|failure| rule_failed(table.entity(), rule, failure)),
        decided => Ok(decided),
    }
}

/// Resolves the names of the columns to set to positions in their table. Each may be set once.
pub(super) fn columns<E: Entity>(
    named: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<Vec<(usize, Value)>> {
    let table = E::__table();
    let mut columns: Vec<(usize, Value)> = Vec::new();
    for (field, value) in named {
        let (column, _) = table.position(field).ok_or_else(|| {
            Error::internal("a change names a column that its table does not have")
        })?;
        if columns.iter().any(|(known, _)| *known == column) {
            return Err(Error::misuse(format!(
                "`{field}` of `{}` is set twice",
                table.entity()
            )));
        }
        columns.push((column, value));
    }
    Ok(columns)
}
