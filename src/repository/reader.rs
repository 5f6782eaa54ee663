//! Reads through an access.

use std::sync::Arc;

use super::access::Access;
use super::as_access::AsAccess;
use super::cells::Cells;
use super::decided::decided;
use super::existence::denied_or_missing;
use super::grant::Reads;
use super::in_use::InUse;
use super::nested::NestedRow;
use super::planner::Planner;
use super::select::{DeniedAs, Select, Shown};
use crate::driver::{Db, Row};
use crate::dto::{Dto, FieldDecisions};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::Decision;
use crate::sql::{Layout, Plan, Query, SEVERAL};
use crate::viewer::Viewer;

/// A reader of rows on behalf of the holder of an [`Access`]. Made by [`Db::reader`].
#[derive(Debug)]
pub struct Reader<'a, P> {
    pub(super) db: &'a Db,
    pub(super) access: &'a Access<P>,
}

// Not derived: the derive would require `P: Clone`.
impl<P> Clone for Reader<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Reader<'_, P> {}

impl Db {
    /// Starts reads on behalf of the holder of `access`.
    #[must_use]
    pub fn reader<'a, A: AsAccess + ?Sized>(&'a self, access: &'a A) -> Reader<'a, A::Grant> {
        Reader {
            db: self,
            access: access.__access(),
        }
    }
}

pub(super) type ViewerOf<D> = <<D as Shown>::Entity as Entity>::Viewer;

impl<P> Reader<'_, P> {
    /// Reads the one row of the query.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is none, or none that this viewer may read: the two are not
    /// distinguished, unless the query has [`forbidden_if_denied`](Select::forbidden_if_denied).
    /// [`Error::is_misuse`] outside the request of the access and for a lookup that [finds
    /// many](crate::entity::ColumnSpec::finds_many) alone, [`Error::is_unavailable`] if the database
    /// does not answer, and an internal error if there are several rows.
    pub async fn one<D>(&self, select: Select<D>) -> Result<D>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let denied = select.denied();
        let lookups = select.lookups()?;
        let asking = self.asking().await?;
        if let Some(row) = asking.optional(select).await? {
            return Ok(row);
        }
        match denied {
            DeniedAs::NotFound => Err(Error::not_found()),
            DeniedAs::Forbidden if lookups.is_empty() => Err(Error::misuse(
                "`forbidden_if_denied` needs a `lookup`, which says of which row the existence may be revealed",
            )),
            DeniedAs::Forbidden => Err(denied_or_missing::<D::Entity>(&asking, &lookups).await?),
        }
    }

    /// Reads the one row of the query; `None` if there is none that this viewer may read.
    ///
    /// # Errors
    ///
    /// As [`Reader::one`], but never [`Error::is_not_found`].
    pub async fn optional<D>(&self, select: Select<D>) -> Result<Option<D>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        self.asking().await?.optional(select).await
    }

    /// Reads all rows of the query that this viewer may read.
    ///
    /// If a stored value is not valid for its field (`infinity` for an instant, a name that its enum
    /// lacks), the field is hidden, if it is a `Field`; otherwise the row is left out, like one that
    /// may not be read. Both are logged. [`one`](Self::one) and [`optional`](Self::optional) then
    /// return an internal error.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] outside the request of the access or for a filter of the wrong kind,
    /// [`Error::is_unavailable`] if the database does not answer, [`Error::is_forbidden`] if a field
    /// with `#[dto(hidden = error)]` is hidden.
    pub async fn all<D>(&self, select: Select<D>) -> Result<Vec<D>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        self.asking().await?.all(select).await
    }

    pub(super) async fn asking<V: Viewer>(&self) -> Result<Planner<'_, V>>
    where
        P: Reads<V>,
    {
        Planner::begin(self.db, self.access).await
    }

    /// Returns the engine's plan for the query, in its own words; `None` if no statement is needed.
    ///
    /// # Errors
    ///
    /// As [`Reader::all`].
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub async fn __explain<D>(&self, select: Select<D>) -> Result<Option<String>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        match self.asking().await?.prepare(select)? {
            None => Ok(None),
            Some((plan, _)) => self.db.explain(&plan.statement).await.map(Some),
        }
    }

    /// Returns the text of the query's statement, without running it; `None` if no statement is needed.
    ///
    /// # Errors
    ///
    /// As [`Reader::stream`].
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn __text<D>(&self, select: Select<D>) -> Result<Option<Arc<str>>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let using = self.access.in_use_at_once()?;
        let using = using.ok_or_else(|| Error::misuse("the session must be verified first"))?;
        let asking = Planner { db: self.db, using };
        Ok(asking
            .prepare(select)?
            .map(|(plan, _)| Arc::clone(plan.statement.text())))
    }
}

impl<V: Viewer> Planner<'_, V> {
    /// Reads all rows of the query.
    pub(super) async fn all<D>(&self, select: Select<D>) -> Result<Vec<D>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        Ok(self.listed(select).await?.rows)
    }

    async fn listed<D>(&self, select: Select<D>) -> Result<Listed<D>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        let mut listed = Listed {
            rows: Vec::new(),
            unreadable: false,
        };
        let Some((plan, reading)) = self.prepare(select)? else {
            return Ok(listed);
        };
        let Plan { statement, layout } = plan;
        if layout.nested.is_empty() {
            let each = |row| {
                match reading.read(&layout, &row, None)? {
                    Some(row) => listed.rows.push(row),
                    None => listed.unreadable = true,
                }
                Ok(())
            };
            self.db.fetch_each(statement, each).await?;
            return Ok(listed);
        }
        let rows = self.db.fetch_all(statement).await?;
        listed.rows = self.show(&reading, &layout, &rows).await?;
        listed.unreadable = listed.rows.len() < rows.len();
        Ok(listed)
    }

    /// Reads the one row of the query, if there is one.
    pub(super) async fn optional<D>(&self, select: Select<D>) -> Result<Option<D>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        select.wants_one()?;
        let Listed {
            mut rows,
            unreadable,
        } = self.listed(select.limit(SEVERAL)).await?;
        if unreadable {
            return Err(Error::unreadable());
        }
        let row = rows.pop();
        if rows.is_empty() {
            Ok(row)
        } else {
            Err(several())
        }
    }

    /// Plans a query; `None` if no row can fulfil it.
    pub(super) fn prepare<D>(&self, select: Select<D>) -> Result<Option<(Plan, Reading<D>)>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        let reading = self.reading(select)?;
        let Some(question) = reading.question(self)? else {
            return Ok(None);
        };
        let plan = self.plan(&reading, &question)?;
        Ok(Some((plan, reading)))
    }
}

pub(super) fn several() -> Error {
    Error::internal("a query for one row found several: look it up by a unique column")
}

/// The rows of a query, as read.
struct Listed<D> {
    rows: Vec<D>,
    /// Set if a row was left out because it could not be read.
    unreadable: bool,
}

/// A query with the decisions of its rules; it turns the rows of a plan into DTOs.
pub(super) struct Reading<D: Shown> {
    pub(super) select: Select<D>,
    pub(super) decided: Arc<FieldDecisions>,
    pub(super) using: InUse<ViewerOf<D>>,
}

impl<D: Shown> Reading<D> {
    /// Returns the question for the database, or `None` if no row can fulfil it.
    pub(super) fn question(&self, asking: &Planner<'_, ViewerOf<D>>) -> Result<Option<Query>> {
        if self.decided.rows == Decision::Deny {
            return Ok(None);
        }
        self.select.question(asking, &self.decided)
    }

    /// Decodes a row; `None` if a field that cannot be hidden cannot be read.
    pub(super) fn read(
        &self,
        layout: &Layout,
        row: &Row,
        nested: Option<NestedRow<'_>>,
    ) -> Result<Option<D>> {
        self.read_as(&self.using, layout, row, nested)
    }

    /// Decodes a row under another use of the access: rules that run in Rust see the instant of
    /// `using`.
    pub(super) fn read_as(
        &self,
        using: &InUse<ViewerOf<D>>,
        layout: &Layout,
        row: &Row,
        nested: Option<NestedRow<'_>>,
    ) -> Result<Option<D>> {
        let key = || self.key(layout, row);
        let found = match &layout.entity {
            Some(slots) => {
                let mut cells = Cells::new(row, slots, 0);
                let entity = match D::Entity::__from_cells(&mut cells) {
                    Ok(entity) => entity,
                    Err(error) => {
                        let columns = self.select.table().marked(cells.unreadable());
                        return self.told(Err(error), columns, key);
                    }
                };
                let (viewer, context) = (using.viewer(), using.context());
                self.select
                    .shape()
                    .visibility(&self.decided, &entity, viewer, context)
                    .bits()
            }
            None => 0,
        };
        let mut cells = Cells::of_select(row, layout, found, nested);
        let shown = self.select.decode(&mut cells);
        let fields = self.select.shape().marked(cells.unreadable());
        self.told(shown, fields, key)
    }
}

impl<P> Access<P> {
    /// Shows rows in memory as DTOs, by the same rules as a query: a row that may not be read is left
    /// out, a field that may not be seen is hidden.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] if the session has ended meanwhile, [`Error::is_misuse`] outside
    /// the request of this access and if a rule reads related rows, [`Error::is_forbidden`] if a field
    /// with `#[dto(hidden = error)]` is hidden.
    pub async fn project<D>(
        &self,
        rows: impl IntoIterator<Item = <D as Dto>::Entity>,
    ) -> Result<Vec<D>>
    where
        D: Dto,
        P: Reads<<<D as Dto>::Entity as Entity>::Viewer>,
    {
        let shape = D::__shape();
        let using = self.in_use().await?;
        let decided = decided(shape, &using)?;
        if shape.is_nested() || decided.is_related() {
            return Err(Error::misuse(format!(
                "`{}` shows related rows, or its rules read them, and rows in memory have none: use a query",
                shape.name()
            )));
        }
        let (viewer, context) = (using.viewer(), using.context());
        let show = |row: D::Entity| {
            let visible = shape.visibility(&decided, &row, viewer, context);
            D::__from_row(row, visible)
        };
        // In one chain, so that a vector of rows becomes the vector of DTOs in place.
        match &decided.rows {
            Decision::Allow => rows.into_iter().map(show).collect(),
            Decision::Deny | Decision::Fail(_) => Ok(Vec::new()),
            Decision::Depends(residual) => {
                let rules = D::Entity::__table().rows().read.rules();
                rows.into_iter()
                    .filter(|row| residual.holds(row, rules, viewer, context))
                    .map(show)
                    .collect()
            }
        }
    }
}
