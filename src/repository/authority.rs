//! What allows a write: the rules as they came out, and the session it rests on.

use std::sync::Arc;

use super::access::Access;
use super::attempt::{Attempt, Which, read_rules};
use super::decided::rule_failed;
use super::grant::{Asker, Writes};
use super::memo::Writing;
use super::together::Together;
use crate::audit::{self, AuditEvent, By, Outcome};
use crate::clock::{Clock as _, SystemClock};
use crate::entity::{Entity, Operation, RowAction};
use crate::error::{Error, Result};
use crate::policy::{Context, Decision, Reduced, Rule, Value, decide, once_written};
use crate::request::RequestContext;
use crate::session::{Changing, Verified};
use crate::sql::{Change, Changed, Db, StatementGuard};
use crate::viewer::Subject;

pub(super) struct Authority<E: Entity> {
    action: RowAction,
    /// What the rules of the operation come to.
    pub(super) decision: Decision,
    /// None for the program itself.
    session: Option<Session<E>>,
    /// Why the program itself writes.
    reason: Option<&'static str>,
    /// The circumstances where there is no request.
    context: Context,
}

struct Session<E: Entity> {
    request: RequestContext,
    viewer: Verified<E::Viewer>,
    guard: Option<StatementGuard>,
}

impl<E: Entity> Authority<E> {
    /// Who writes, and what the rules of `action` come to for them.
    pub(super) async fn of<P>(db: &Db, access: &Access<P>, action: RowAction) -> Result<Self>
    where
        P: Writes<E::Viewer>,
    {
        let Some(request) = access.request()? else {
            return Ok(Self {
                action,
                decision: Decision::Allow,
                session: None,
                reason: access.reason(),
                context: Context::new(SystemClock.now()),
            });
        };
        let Asker::Viewer(verified) = access.asker::<E::Viewer>() else {
            return Err(Error::internal("a write without a viewer inside a request"));
        };
        let guard = request.statement_guard(verified, db.id());
        let viewer = match guard {
            // The statement itself looks whether the session still stands.
            Some(_) => verified.clone(),
            None => request.verify_current::<E::Viewer>().await?.into_verified(),
        };
        let context = request.rule_context().clone();
        let operation = E::__table().rows().of(action);
        Ok(Self {
            action,
            decision: operation.decide(Some(viewer.viewer()), &context),
            session: Some(Session {
                request,
                viewer,
                guard,
            }),
            reason: None,
            context,
        })
    }

    /// The viewer; none for the program itself.
    pub(super) fn viewer(&self) -> Option<&E::Viewer> {
        Some(self.session.as_ref()?.viewer.viewer())
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// The session that the statement itself must find standing.
    pub(super) fn guard(&self) -> Option<&StatementGuard> {
        self.session.as_ref()?.guard.as_ref()
    }

    /// What the rules of another operation come to.
    pub(super) fn decide(&self, operation: &Operation<E>) -> Decision {
        match self.viewer() {
            None => Decision::Allow,
            viewer => operation.decide(viewer, &self.context),
        }
    }

    /// What other rules come to, which must all hold.
    pub(super) fn decide_rules(&self, rules: &[Rule<E::Viewer, E>]) -> Decision {
        match self.viewer() {
            None => Decision::Allow,
            viewer => decide(rules, viewer, &self.context),
        }
    }

    /// Runs the change, records what it touched, and tells it. Where it is recorded, change and
    /// record happen together or not at all.
    pub(super) async fn run(
        &self,
        db: &Db,
        change: &Change,
        attempt: &Attempt<'_, E>,
    ) -> Result<Changed> {
        if db.sink().is_none() {
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

    /// Runs a part of a change, and tells what it touched.
    pub(super) async fn touch(
        &self,
        db: &Db,
        change: &Change,
        which: Which<'_>,
    ) -> Result<Changed> {
        let session = self.session.as_ref();
        let writing = session.map(|session| Writing::begin(&session.request));
        // Dropped right after the statement, also where the caller gives up.
        let mut changing = self.changing(which);
        let touched = db.change(change).await;
        // A statement whose caller gave up, or whose database gave no answer, may still happen.
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
                unit.aftermath().changing(changing.clone());
            }
        }
        touched
    }

    /// The viewers that these rows stand behind.
    fn changing(&self, which: Which<'_>) -> Option<Changing> {
        if !E::__table().is_viewer_of() {
            return None;
        }
        let epochs = Arc::clone(self.session.as_ref()?.request.epochs()?);
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

    /// Records what was changed, in the transaction of the change.
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

    /// Tells a session that has ended from a row that was not there, after a statement that
    /// checked both touched nothing.
    pub(super) async fn require_session(&self) -> Result<()> {
        if let Some(session) = &self.session
            && session.guard.is_some()
        {
            session.request.verify_current::<E::Viewer>().await?;
        }
        Ok(())
    }

    /// The session has ended, or else the rules did not allow the write of this row.
    pub(super) async fn denied(&self, db: &Db, attempt: &Attempt<'_, E>) -> Result<()> {
        self.require_session().await?;
        self.refused(db, attempt).await;
        Ok(())
    }

    /// Records that the rules did not allow the write, or that the row was not there.
    pub(super) async fn refused(&self, db: &Db, attempt: &Attempt<'_, E>) {
        if audit::listens(db) {
            let event = attempt.event(self.by(), self.action, Outcome::Denied);
            audit::refused(db, event).await;
        }
    }

    /// Records that what was written is taken back, because it may not be read.
    pub(super) async fn unreadable(&self, db: &Db, attempt: &Attempt<'_, E>) {
        if audit::listens(db) {
            let event = AuditEvent {
                rule: read_rules::<E>(),
                ..attempt.event(self.by(), self.action, Outcome::Denied)
            };
            audit::refused(db, event).await;
        }
    }

    fn by(&self) -> By {
        match &self.session {
            Some(session) => By::viewer(&session.request, &session.viewer),
            None => By::program(self.context.now, self.reason),
        }
    }
}

/// The key of a row that stands behind a viewer is its subject.
fn add(changing: &mut Changing, key: &Value) {
    if let Some(subject) = key.to_text() {
        changing.add(&Subject::new(subject));
    }
}

/// What a row must fulfil as it is.
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

/// What must hold of a row, so that it fulfils a rule once it has these values.
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

/// Columns that are set, by name, as columns of their table. Each may be set once.
pub(super) fn columns<E: Entity>(
    named: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<Vec<(usize, Value)>> {
    let table = E::__table();
    let mut columns: Vec<(usize, Value)> = Vec::new();
    for (field, value) in named {
        let (column, _) = table
            .position(field)
            .ok_or_else(|| Error::internal("a change names no column of its table"))?;
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
