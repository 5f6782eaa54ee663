//! Reading through an access.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use futures_util::StreamExt as _;

use super::access::Access;
use super::asking::Asking;
use super::decided::decided;
use super::existence::denied_or_missing;
use super::grant::{Asker, Reads};
use super::nested::NestedRow;
use super::select::{Denied, Select, Shown};
use crate::dto::{Decided, Dto};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Context, Decision};
use crate::request::RequestContext;
use crate::session::Verified;
use crate::sql::{Cells, Db, Layout, Plan, Row, SEVERAL};
use crate::viewer::Viewer;

/// Runs queries for the one an [`Access`] speaks of. Made by [`Db::reader`].
#[derive(Debug)]
pub struct Reader<'a, P> {
    pub(super) db: &'a Db,
    pub(super) access: &'a Access<P>,
}

// Derived, it would ask `P` for it.
impl<P> Clone for Reader<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Reader<'_, P> {}

impl Db {
    /// Reads on behalf of the one that `access` speaks of.
    #[must_use]
    pub const fn reader<'a, P>(&'a self, access: &'a Access<P>) -> Reader<'a, P> {
        Reader { db: self, access }
    }
}

pub(super) type ViewerOf<D> = <<D as Shown>::Entity as Entity>::Viewer;

impl<P> Reader<'_, P> {
    /// The one row of the query.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] when there is none, or none that this viewer may read: the two
    /// are not told apart, unless the query says
    /// [`forbidden_if_denied`](Select::forbidden_if_denied). [`Error::is_misuse`] outside the
    /// request of the access, [`Error::is_unavailable`] when the database does not answer, and
    /// an internal error when there are several rows.
    pub async fn one<D>(&self, select: Select<D>) -> Result<D>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let denied = select.denied();
        let lookups = select.lookups()?;
        if let Some(row) = self.optional(select).await? {
            return Ok(row);
        }
        match denied {
            Denied::NotFound => Err(Error::not_found()),
            Denied::Forbidden if lookups.is_empty() => Err(Error::misuse(
                "`forbidden_if_denied` wants a `lookup`, which says whose existence may be told",
            )),
            Denied::Forbidden => {
                Err(denied_or_missing::<D::Entity, P>(self.db, self.access, &lookups).await?)
            }
        }
    }

    /// The one row of the query, or `None` when there is none that this viewer may read.
    ///
    /// # Errors
    ///
    /// As [`Reader::one`], but never [`Error::is_not_found`].
    pub async fn optional<D>(&self, select: Select<D>) -> Result<Option<D>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let mut rows = self.all(select.limit(SEVERAL)).await?;
        let row = rows.pop();
        if rows.is_empty() {
            Ok(row)
        } else {
            Err(several())
        }
    }

    /// All rows of the query that this viewer may read.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] outside the request of the access or for a filter of the wrong kind,
    /// [`Error::is_unavailable`] when the database does not answer, [`Error::is_forbidden`] when
    /// a field with `#[dto(hidden = error)]` is hidden.
    pub async fn all<D>(&self, select: Select<D>) -> Result<Vec<D>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let Some((plan, reading)) = self.prepare(select)? else {
            return Ok(Vec::new());
        };
        let Plan { statement, layout } = plan;
        if layout.nested.is_empty() {
            let mut shown = Vec::new();
            let each = |row| {
                shown.push(reading.read(&layout, &row, None)?);
                Ok(())
            };
            self.db.fetch_each(statement, each).await?;
            return Ok(shown);
        }
        let rows = self.db.fetch_all(statement).await?;
        self.asking()?.show(&reading, &layout, &rows).await
    }

    /// The rows of the query as they arrive, for answers too large to hold. The rules are those
    /// of this moment: a stream that has begun is not cut off by a later change.
    ///
    /// # Errors
    ///
    /// As [`Reader::all`], for what can be told before the first row; what fails later is an
    /// item of the stream, and its last.
    pub fn stream<D>(&self, select: Select<D>) -> Result<Rows<D>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let Some((plan, reading)) = self.prepare(select)? else {
            return Ok(Rows::new(futures_util::stream::empty()));
        };
        if !plan.layout.nested.is_empty() {
            return Err(Error::misuse(
                "rows that show related rows are loaded together, so they cannot be streamed: use pages",
            ));
        }
        let rows = self.db.fetch_stream(plan.statement);
        Ok(Rows::new(rows.map(move |row| {
            row.and_then(|row| reading.read(&plan.layout, &row, None))
        })))
    }

    pub(super) fn asking<V: Viewer>(&self) -> Result<Asking<'_, V>>
    where
        P: Reads<V>,
    {
        Asking::new(self.db, self.access)
    }

    /// Plans a query, or tells that no row can answer it.
    fn prepare<D>(&self, select: Select<D>) -> Result<Option<(Plan, Reading<D>)>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let asking = self.asking()?;
        let reading = asking.reading(select)?;
        if reading.decided.rows == Decision::Deny {
            return Ok(None);
        }
        let Some(question) = reading.select.question(&asking, &reading.decided)? else {
            return Ok(None);
        };
        let plan = asking.plan(&reading, &question)?;
        Ok(Some((plan, reading)))
    }

    /// How the engine would answer the query, in its own words; `None` where no statement is
    /// needed.
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
        match self.prepare(select)? {
            None => Ok(None),
            Some((plan, _)) => self.db.explain(&plan.statement).await.map(Some),
        }
    }

    /// The text of the statement that a query comes to, without running it; `None` where no
    /// statement is needed.
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
        Ok(self
            .prepare(select)?
            .map(|(plan, _)| Arc::clone(plan.statement.text())))
    }
}

pub(super) fn several() -> Error {
    Error::internal("a query for one row found several: look it up by a unique column")
}

/// What turns the rows of a plan into DTOs.
pub(super) struct Reading<D: Shown> {
    pub(super) select: Select<D>,
    pub(super) decided: Arc<Decided>,
    pub(super) viewer: Option<Verified<ViewerOf<D>>>,
    pub(super) context: Option<Context>,
}

impl<D: Shown> Reading<D> {
    pub(super) fn read(
        &self,
        layout: &Layout,
        row: &Row,
        nested: Option<NestedRow<'_>>,
    ) -> Result<D> {
        let found = match (&layout.entity, &self.context) {
            (Some(slots), Some(context)) => {
                let entity = D::Entity::__from_cells(&mut Cells::new(row, slots, 0))?;
                let viewer = self.viewer.as_ref().map(Verified::viewer);
                self.select
                    .shape()
                    .visibility(&self.decided, &entity, viewer, context)
                    .bits()
            }
            _ => 0,
        };
        self.select
            .decode(&mut Cells::of_select(row, layout, found, nested))
    }
}

impl<P> Access<P> {
    /// Shows rows that are in memory already as DTOs, by the same rules as a query: a row that
    /// may not be read is left out, a field that may not be seen is hidden.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] outside the request of this access and when a rule reads related
    /// rows, [`Error::is_forbidden`] when a field with `#[dto(hidden = error)]` is hidden.
    pub fn project<D>(&self, rows: impl IntoIterator<Item = <D as Dto>::Entity>) -> Result<Vec<D>>
    where
        D: Dto,
        P: Reads<<<D as Dto>::Entity as Entity>::Viewer>,
    {
        let shape = D::__shape();
        let request: Option<RequestContext> = self.request()?;
        let asker = self.asker();
        let decided = decided(shape, &asker, request.as_ref())?;
        if shape.is_nested() || decided.is_related() {
            return Err(Error::misuse(format!(
                "`{}` shows related rows, or its rules read them, and rows in memory have none: use a query",
                shape.name()
            )));
        }
        let viewer = match asker {
            Asker::Viewer(verified) => Some(verified.viewer()),
            Asker::Nobody | Asker::System => None,
        };
        // Without a request every rule is decided, and none reads the circumstances.
        let no_circumstances = Context::new(chrono::DateTime::UNIX_EPOCH);
        let context = request
            .as_ref()
            .map_or(&no_circumstances, RequestContext::rule_context);
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

/// Rows as they arrive; see [`Reader::stream`].
pub struct Rows<D>(Pin<Box<dyn Stream<Item = Result<D>> + Send>>);

impl<D> Rows<D> {
    fn new(rows: impl Stream<Item = Result<D>> + Send + 'static) -> Self {
        Self(Box::pin(rows))
    }
}

impl<D> Stream for Rows<D> {
    type Item = Result<D>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<D> fmt::Debug for Rows<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}
