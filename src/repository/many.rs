//! Updates and inserts of many rows at once.

use std::fmt;

use super::attempt::{Attempt, Fields, Which};
use super::authority::{Authority, of_row};
use super::decided::rule_failed;
use super::grant::Writes;
use super::planner::Planner;
use super::reader::ViewerOf;
use super::references::{Reference, unreadable};
use super::select::Select;
use super::together::Together;
use super::untrusted::Valid;
use super::update::{Allowed, Assignments, Planned};
use super::writer::Writer;
use crate::driver::{Db, Row};
use crate::dto::{DecisionSource as _, Dto};
use crate::entity::{Assignable, Column, Entity, RowAction, Storable};
use crate::error::{Error, Result};
use crate::input::Patch;
use crate::policy::{Op, Reduced, Residual, Value, compare_with, once_written};
use crate::sql::{Changed, Target, candidates, inserted_at_once};

/// A pending update of many rows; see [`Writer::update_many`].
#[must_use = "an update does nothing until it is executed"]
pub struct UpdateMany<'a, P, D: Dto> {
    writer: Writer<'a, P>,
    select: Select<D>,
    changes: Assignments<D::Entity>,
}

/// The maximum number of rows that one statement names by their keys.
const KEYS: usize = 512;

impl<'a, P, D> UpdateMany<'a, P, D>
where
    D: Dto,
    P: Writes<ViewerOf<D>>,
{
    pub(super) const fn new(writer: Writer<'a, P>, select: Select<D>) -> Self {
        Self {
            writer,
            select,
            changes: Assignments::new(),
        }
    }

    /// Sets the column to this value.
    pub fn set<T: Storable, U: Assignable>(
        mut self,
        column: Column<D::Entity, T, U>,
        value: impl Into<T>,
    ) -> Self {
        let value = value.into().cell().into_value();
        self.changes.set(column.field(), value);
        self
    }

    /// Sets the column to null.
    pub fn clear<T: Storable, U: Assignable>(
        mut self,
        column: Column<D::Entity, Option<T>, U>,
    ) -> Self {
        self.changes.set(column.field(), Value::Null);
        self
    }

    /// Applies a client's changes, as [`Update::patch`](super::Update::patch).
    pub fn patch<T: Patch<Entity = D::Entity>>(mut self, patch: Valid<T>) -> Self {
        self.changes.patch(&patch);
        self
    }

    /// Updates those rows that may be updated so, in one statement, and skips the others. Returns the
    /// number of updated rows.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] if this viewer may make these changes to no row of the entity,
    /// [`Error::is_unprocessable`] if a field of the patch refers to no row that they may read,
    /// [`Error::is_misuse`] if the query has a limit, otherwise as
    /// [`Update::execute`](super::Update::execute).
    pub async fn execute_permitted(self) -> Result<u64> {
        let db = self.writer.db();
        let authority = self.authority(db).await?;
        let planned = self.plan(&authority)?;
        let Planned {
            changes,
            allowed,
            references,
        } = planned;
        let attempt = self.attempt(&changes);
        let permitted = match allowed {
            Allowed::Where(rules) => rules,
            Allowed::NoRow => return authority.denied(db, &attempt).await.map(|()| 0),
            Allowed::Never => return never(db, &authority, &attempt).await,
        };
        let Some(mut rules) = self.found(&authority.asking(db))? else {
            return authority.require_session().await.map(|()| 0);
        };
        rules.extend(permitted);
        let target = Target {
            key: None,
            rules: &rules,
            guard: authority.guard(),
        };
        let change = db.update::<D::Entity>(&changes, &target)?;
        let changed = authority.run(db, &change, &attempt).await?;
        if changed.rows == 0 {
            authority.require_session().await?;
            require_readable(db, &authority, &references, &attempt).await?;
            authority.allowed(db, &attempt, &changed).await?;
        }
        Ok(changed.rows)
    }

    /// Updates all of the rows, or none if one of them may not be updated so. Returns the number of
    /// updated rows.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] if one of the rows that this viewer may read may not be updated so,
    /// otherwise as [`UpdateMany::execute_permitted`].
    pub async fn execute_all(self) -> Result<u64> {
        let together = Together::begin(self.writer.db()).await?;
        let outcome = self.all(together.db()).await;
        together.end(outcome).await
    }

    async fn all(&self, db: &Db) -> Result<u64> {
        let authority = self.authority(db).await?;
        let planned = self.plan(&authority)?;
        let Planned {
            changes,
            allowed,
            references,
        } = planned;
        let attempt = self.attempt(&changes);
        let permitted = match allowed {
            Allowed::Where(rules) => Some(rules),
            Allowed::NoRow => None,
            Allowed::Never => return never(db, &authority, &attempt).await,
        };
        let Some(found) = self.found(&authority.asking(db))? else {
            return authority.require_session().await.map(|()| 0);
        };
        authority.hold_token(db).await?;
        // The rows are read first and locked, so that none changes between the check and the update
        // (TOCTOU).
        let key = D::Entity::__table().key();
        let statement = candidates::<D::Entity>(db.dialect(), &found, permitted.as_deref())?;
        let kind = D::Entity::__table()
            .column(key)
            .map(|column| column.kind())
            .ok_or_else(|| Error::internal("an entity has no key"))?;
        let mut keys = Vec::new();
        let mut all_permitted = true;
        let each = |row: Row| {
            keys.push(row.cell(0, kind)?.into_value());
            all_permitted &= row.flag(1)?;
            Ok(())
        };
        db.fetch_each(&statement, each).await?;
        if keys.is_empty() || !all_permitted {
            require_readable(db, &authority, &references, &attempt).await?;
        }
        if keys.is_empty() {
            return authority.require_session().await.map(|()| 0);
        }
        let (true, Some(permitted)) = (all_permitted, permitted) else {
            return never(db, &authority, &attempt).await;
        };
        let mut touched = 0;
        for keys in keys.chunks(KEYS) {
            let mut rules = permitted.clone();
            rules.push(Residual::Among {
                column: key,
                values: keys.to_vec().into(),
                wanted: true,
            });
            let target = Target {
                key: None,
                rules: &rules,
                guard: authority.guard(),
            };
            let change = db.update::<D::Entity>(&changes, &target)?;
            let which = Which::Several(keys);
            touched += authority.touch(db, &change, which).await?.rows;
        }
        if touched != u64::try_from(keys.len()).unwrap_or(u64::MAX) {
            authority.require_session().await?;
            return Err(Error::contended());
        }
        authority.allowed(db, &attempt, &many(touched)).await?;
        Ok(touched)
    }

    fn attempt<'t>(&'t self, changes: &'t [(usize, Value)]) -> Attempt<'t, D::Entity> {
        Attempt {
            which: Which::Found,
            fields: Fields::Of(changes),
            sent: &self.changes.patches,
        }
    }

    async fn authority(&self, db: &Db) -> Result<Authority<D::Entity>> {
        Authority::of(db, self.writer.access(), RowAction::Update).await
    }

    fn plan(&self, authority: &Authority<D::Entity>) -> Result<Planned<D::Entity>> {
        let planned = self.changes.plan(authority, None)?;
        if matches!(planned.allowed, Allowed::Where(_)) && planned.changes.is_empty() {
            return Err(Error::misuse(
                "an empty patch was given for many rows: check for that first, or `set` another column as well",
            ));
        }
        Ok(planned)
    }

    /// Returns the residuals under which this viewer finds a row by the query, or `None` if they find
    /// none.
    fn found(&self, asking: &Planner<'_, ViewerOf<D>>) -> Result<Option<Vec<Residual>>> {
        let decided = asking.decided(self.select.shape())?;
        let mut found = match of_row::<D::Entity>(decided.rows.clone(), "read_if")? {
            Reduced::Never => return Ok(None),
            Reduced::Always => Vec::new(),
            Reduced::Left(residual) => vec![residual],
        };
        let Some(question) = self.select.restriction(asking, &decided)? else {
            return Ok(None);
        };
        if question.limit.is_some() {
            return Err(Error::misuse(
                "an update of many rows has no limit: filter them instead",
            ));
        }
        for (column, value) in question.lookups {
            let kind = D::Entity::__table().column(column).map(|spec| spec.kind());
            let kind = kind.ok_or_else(|| {
                Error::internal("a lookup names a column that its table does not have")
            })?;
            let wrong =
                |_| Error::misuse("a lookup compares a column with a value of another kind");
            match compare_with(Op::Eq, column, kind, value).map_err(wrong)? {
                Reduced::Never => return Ok(None),
                Reduced::Always => {}
                Reduced::Left(residual) => found.push(residual),
            }
        }
        found.extend(question.filter);
        Ok(Some(found))
    }
}

async fn never<E: Entity, T>(
    db: &Db,
    authority: &Authority<E>,
    attempt: &Attempt<'_, E>,
) -> Result<T> {
    authority.denied(db, attempt).await?;
    Err(Error::forbidden())
}

/// Refuses a change whose fields refer to rows that do not exist or that the viewer may not read,
/// before any other reason for a refusal.
async fn require_readable<E: Entity>(
    db: &Db,
    authority: &Authority<E>,
    references: &[Reference<E>],
    attempt: &Attempt<'_, E>,
) -> Result<()> {
    let errors = unreadable(db, references).await?;
    if errors.is_empty() {
        return Ok(());
    }
    authority.denied(db, attempt).await?;
    Err(Error::unprocessable(errors))
}

/// Returns the keys of new rows, if the entity is the one of a viewer; otherwise nobody needs them.
fn keys<E: Entity>(rows: &[E]) -> Vec<Value> {
    let table = E::__table();
    if !table.is_viewer_of() {
        return Vec::new();
    }
    let rows = rows.iter();
    rows.map(|row| row.__cell(table.key()).into_value())
        .collect()
}

/// Makes the result of a change of this many rows, without their keys.
const fn many(rows: u64) -> Changed {
    Changed { rows, key: None }
}

/// Inserts rows whose values are all known, in as few statements as the engine allows.
pub(super) async fn insert_many<E, P>(writer: &Writer<'_, P>, rows: Vec<E>) -> Result<()>
where
    E: Entity,
    P: Writes<E::Viewer>,
{
    /// The number of bind parameters that every engine accepts in one statement.
    const PARAMETERS: usize = 30_000;
    if rows.is_empty() {
        return Ok(());
    }
    let table = E::__table();
    let width = table.columns().len().max(1);
    let (db, count) = (writer.db(), rows.len());
    let authority = Authority::<E>::of(db, writer.access(), RowAction::Create).await?;
    let attempt = |keys| Attempt {
        which: Which::Several(keys),
        fields: Fields::All,
        sent: &[],
    };
    let rule = of_row::<E>(authority.decision.clone(), "create_if")?;
    let mut known = Vec::with_capacity(count);
    let mut by_relation = Vec::new();
    for row in rows {
        match of_known(&rule, &row)? {
            RowDecision::Allowed => known.push(row),
            RowDecision::Related(values, rule) => by_relation.push((values, rule)),
            RowDecision::Denied => return never(db, &authority, &attempt(&[])).await,
        }
    }
    let most = (PARAMETERS / width).max(1);
    let at_once = inserted_at_once(known.len(), most);
    if known.len() == at_once && by_relation.is_empty() && authority.guard().is_none() {
        let change = db.insert_rows::<E>(&known)?;
        let keys = keys(&known);
        let changed = authority.run(db, &change, &attempt(&keys)).await;
        return changed.map(|_| ());
    }
    let together = Together::begin(db).await?;
    let outcome = async {
        let db = together.db();
        if let Some(guard) = authority.guard() {
            // Locks the session, so that it cannot end until all rows are written.
            if !db.holds_session(guard).await? {
                authority.require_session().await?;
                return Err(Error::unauthenticated(crate::error::Refusal::Unknown));
            }
        }
        let mut left = known.as_slice();
        while let Some((known, rest)) = left
            .split_at_checked(inserted_at_once(left.len(), most))
            .filter(|(known, _)| !known.is_empty())
        {
            left = rest;
            let change = db.insert_rows::<E>(known)?;
            let which = keys(known);
            authority.touch(db, &change, Which::Several(&which)).await?;
        }
        for (values, rule) in by_relation {
            let (rules, guard) = ([rule], authority.guard());
            let change = db.insert::<E>(&values, &rules, guard, false)?;
            let key = values.get(table.key()).map(|(_, key)| key);
            let which = key.map_or(Which::Found, Which::One);
            if authority.touch(db, &change, which).await?.rows == 0 {
                return never(db, &authority, &attempt(&[])).await;
            }
        }
        let rows = u64::try_from(count).unwrap_or(u64::MAX);
        authority.allowed(db, &attempt(&[]), &many(rows)).await
    }
    .await;
    together.end(outcome).await
}

/// The result of a rule for a row whose values are known.
enum RowDecision {
    Allowed,
    Denied,
    /// The result depends on related rows: the values of the row, and the residual to check.
    Related(Vec<(usize, Value)>, Residual),
}

fn of_known<E: Entity>(rule: &Reduced, row: &E) -> Result<RowDecision> {
    let residual = match rule {
        Reduced::Always => return Ok(RowDecision::Allowed),
        Reduced::Never => return Ok(RowDecision::Denied),
        Reduced::Left(residual) if residual.is_related() => residual,
        Reduced::Left(residual) => {
            return Ok(if residual.holds_of_whole(row) {
                RowDecision::Allowed
            } else {
                RowDecision::Denied
            });
        }
    };
    let table = E::__table();
    let columns = 0..table.columns().len();
    let values: Vec<(usize, Value)> = columns
        .map(|column| (column, row.__cell(column).into_value()))
        .collect();
    let left = once_written(residual, &values, table)
        .map_err(|failure| rule_failed(table.entity(), "create_if", failure))?;
    Ok(match left {
        Reduced::Always => RowDecision::Allowed,
        Reduced::Never => RowDecision::Denied,
        Reduced::Left(rule) => RowDecision::Related(values, rule),
    })
}

impl<P, D: Dto> fmt::Debug for UpdateMany<'_, P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateMany").finish_non_exhaustive()
    }
}
