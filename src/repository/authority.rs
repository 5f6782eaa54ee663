//! What allows a write: the rules as they came out, and the session it rests on.

use std::sync::Arc;

use super::access::Access;
use super::asking::Asking;
use super::attempt::{Attempt, Which, read_rules};
use super::decided::rule_failed;
use super::grant::Writes;
use super::in_use::{InUse, Level};
use super::memo::Writing;
use super::together::Together;
use crate::audit::{self, AuditEvent, By, Outcome};
use crate::entity::{Entity, Operation, RowAction};
use crate::error::{Error, Refusal, Result};
use crate::policy::{Context, Decision, Reduced, Rule, Value, once_written};
use crate::request::RequestContext;
use crate::session::{Changing, Verified};
use crate::sql::{Change, Changed, Db, StatementGuard, TokenGuard};
use crate::viewer::Subject;

pub(super) struct Authority<E: Entity> {
    action: RowAction,
    /// What the rules of the operation come to.
    pub(super) decision: Decision,
    /// Who writes, at the instant of this attempt.
    using: InUse<E::Viewer>,
    /// What the statement itself must find standing.
    guard: Option<StatementGuard>,
    /// The generations that the transaction of the statement must hold, where the session is in its token.
    token: Option<TokenGuard>,
    /// Why the program itself writes.
    reason: Option<&'static str>,
}

impl<E: Entity> Authority<E> {
    /// Who writes, and what the rules of `action` come to for them.
    pub(super) async fn of<P>(db: &Db, access: &Access<P>, action: RowAction) -> Result<Self>
    where
        P: Writes<E::Viewer>,
    {
        if let Some(sink) = db.sink() {
            sink.require_place()?;
        }
        // A statement looks itself whether the session still stands, where it is beside the rows.
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

    /// The viewer; none for the program itself.
    pub(super) fn viewer(&self) -> Option<&E::Viewer> {
        self.using.viewer()
    }

    pub(super) const fn context(&self) -> &Context {
        self.using.context()
    }

    /// The same one, who asks for what the write is about.
    pub(super) fn asking<'a>(&self, db: &'a Db) -> Asking<'a, E::Viewer> {
        let using = self.using.clone();
        Asking { db, using }
    }

    /// The session that the statement itself must find standing.
    pub(super) const fn guard(&self) -> Option<&StatementGuard> {
        self.guard.as_ref()
    }

    /// The request and the viewer whose session it rests on.
    fn session(&self) -> Option<(&RequestContext, &Verified<E::Viewer>)> {
        Some((self.using.request()?, self.using.verified()?))
    }

    /// What the rules of another operation come to.
    pub(super) fn decide(&self, operation: &Operation<E>) -> Decision {
        self.using.operation(operation)
    }

    /// What other rules come to, which must all hold.
    pub(super) fn decide_rules(&self, rules: &[Rule<E::Viewer, E>]) -> Decision {
        self.using.rules(rules)
    }

    /// Runs the change, records what it touched, and tells it. Where it is recorded, change and
    /// record happen together or not at all.
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

    /// Makes the end of the session wait until the transaction has ended, where a statement cannot look for
    /// the session itself (decision 72).
    pub(super) async fn hold_token(&self, db: &Db) -> Result<()> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        if db.holds_token(token).await? {
            Ok(())
        } else {
            // The store is not asked why: its answer could wait for what this transaction holds.
            Err(Error::unauthenticated(Refusal::Unknown))
        }
    }

    /// Runs a part of a change, and tells what it touched. It runs in a transaction where a token is held.
    pub(super) async fn touch(
        &self,
        db: &Db,
        change: &Change,
        which: Which<'_>,
    ) -> Result<Changed> {
        self.hold_token(db).await?;
        // First, so that nothing waits between the look at the session and the write.
        db.require_counted(E::__table()).await?;
        if let Some((request, viewer)) = self.session()
            && self.guard.is_none()
            && self.token.is_none()
            && !viewer.loaded().holds()
        {
            // Something was revoked since, and the statement does not look by itself.
            request.still_current(viewer).await?;
        }
        let writing = self.using.request().map(Writing::begin);
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
        if let Some((request, viewer)) = self.session()
            && self.guard.is_some()
        {
            request.still_current(viewer).await?;
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
        match self.session() {
            Some((request, viewer)) => By::viewer(request, viewer),
            None => By::program(self.context().now, self.reason),
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
