//! Streams of rows, each authorized at the instant at which it is handed out (decision 48).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt as _;

use super::decided::decided;
use super::grant::Reads;
use super::own_layout::OwnLayout;
use super::planner::Planner;
use super::reader::{Reader, Reading, ViewerOf};
use super::select::{Select, Shown, Streamed};
use crate::driver::{Db, Row};
use crate::dto::{FieldDecisions, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::Decision;
use crate::sql::{Plan, Query};

impl<P> Reader<'_, P> {
    /// Streams the rows of the query as they arrive, for answers too large to hold in memory.
    ///
    /// The rows to find, and their order, are decided when it begins. For each row it then checks that
    /// the session is still valid, as a new query would: a revocation ends it, with an error as its
    /// last item. If a rule reads `context.now`, the row is judged once more at the instant at which it
    /// is handed out: a row that may no longer be read is left out, and its fields are shown as they
    /// may be seen then.
    ///
    /// # Errors
    ///
    /// As [`Reader::all`], for errors known before the first row; a later error is an item of the
    /// stream, and its last: [`Error::is_unauthenticated`] if the session has ended, and
    /// [`Error::is_retryable`] if the viewer has changed so that the query would be another one.
    /// [`Error::is_misuse`] if its rules read both the time and related rows: use pages. A DTO that
    /// shows related rows is not [`Streamed`].
    pub async fn stream<D>(&self, select: Select<D>) -> Result<Rows<D>>
    where
        D: Shown + Streamed,
        P: Reads<ViewerOf<D>>,
    {
        let asking = self.asking().await?;
        let reading = asking.reading(select)?;
        let Some(plan) = planned(&asking, &reading)? else {
            return Ok(Rows::new(futures_util::stream::empty()));
        };
        let shape = reading.select.shape();
        if shape.is_nested() {
            return Err(Error::misuse(
                "rows that show related rows are loaded together, so they cannot be streamed: use pages",
            ));
        }
        if is_judged(&reading) {
            require_judgeable(shape, &reading.decided)?;
        }
        let rows = self.db.fetch_stream(plan.statement.clone());
        let mut handing_out = HandingOut {
            db: self.db.clone(),
            reading,
            plan,
            own: None,
        };
        Ok(Rows::new(async_stream::try_stream! {
            let mut rows = std::pin::pin!(rows);
            while let Some(row) = rows.next().await {
                if let Some(shown) = handing_out.hand_out(&row?).await? {
                    yield shown;
                }
            }
        }))
    }
}

/// Returns whether each row is judged again when it is handed out. If so, its statement hides nothing.
fn is_judged<D: Shown>(reading: &Reading<D>) -> bool {
    reading.using.asks_rules() && reading.select.shape().reads_time()
}

/// Plans the query of a stream; `None` if no row can fulfil it.
fn planned<D: Shown>(
    asking: &Planner<'_, ViewerOf<D>>,
    reading: &Reading<D>,
) -> Result<Option<Plan>> {
    let Some(question) = reading.question(asking)? else {
        return Ok(None);
    };
    let question = Query {
        whole: is_judged(reading),
        ..question
    };
    asking.plan(reading, &question).map(Some)
}

fn require_judgeable<E: Entity>(shape: &Shape<E>, decided: &FieldDecisions) -> Result<()> {
    if decided.is_related() {
        return Err(Error::misuse(format!(
            "the rules of `{}` read the time, for which each row of a stream is evaluated again, and related rows, which a single row does not have: use pages",
            shape.name()
        )));
    }
    Ok(())
}

/// The state of one stream: it authorizes and decodes each row as it is handed out.
struct HandingOut<D: Shown> {
    db: Db,
    /// The query from which the statement was made, at the instant at which it began.
    reading: Reading<D>,
    plan: Plan,
    /// The places of the columns in the rows to be judged, known from the first row on.
    own: Option<OwnLayout<D::Entity>>,
}

impl<D: Shown> HandingOut<D> {
    async fn hand_out(&mut self, row: &Row) -> Result<Option<D>> {
        self.find_viewer().await?;
        if is_judged(&self.reading) {
            self.judge(row)
        } else {
            let layout = &self.plan.layout;
            match &layout.entity {
                None => self.reading.read(layout, row, None),
                Some(_) => {
                    let using = self.reading.using.now();
                    self.reading.read_as(&using, layout, row, None)
                }
            }
        }
    }

    /// Loads the viewer anew if that is due. The running statement must be the one that the new viewer
    /// would get, for the same instant: the rows it found cannot be taken back.
    async fn find_viewer(&mut self) -> Result<()> {
        let Some(using) = self.reading.using.renewed().await? else {
            return Ok(());
        };
        let db = &self.db;
        let asking = Planner { db, using };
        let reading = asking.reading(self.reading.select.clone())?;
        let plan = planned(&asking, &reading)?;
        let is_same = plan.is_some_and(|plan| plan.statement == self.plan.statement)
            && reading.decided.rows == self.reading.decided.rows
            && reading.decided.fields == self.reading.decided.fields;
        if !is_same {
            return Err(Error::contended());
        }
        self.reading = reading;
        Ok(())
    }

    /// Decodes the row under the decisions of this instant; `None` if it may not be read.
    fn judge(&mut self, row: &Row) -> Result<Option<D>> {
        let using = self.reading.using.now();
        let (viewer, context) = (using.viewer(), using.context());
        let shape = self.reading.select.shape();
        let decided = decided(shape, &using)?;
        require_judgeable(shape, &decided)?;
        let own = match &mut self.own {
            Some(own) => own,
            none => none.insert(OwnLayout::of(row, shape)?),
        };
        let facts = own.facts(row, decided.is_opaque())?;
        let is_readable = match &decided.rows {
            Decision::Allow => true,
            Decision::Deny | Decision::Fail(_) => false,
            Decision::Depends(residual) => {
                let rules = D::Entity::__table().rows().read.rules();
                residual.holds(&facts, rules, viewer, context)
            }
        };
        if !is_readable {
            return Ok(None);
        }
        let visible = shape.visibility(&decided, &facts, viewer, context);
        let mut cells = own.cells(row, visible.bits());
        let shown = self.reading.select.decode(&mut cells);
        let fields = shape.marked(cells.unreadable());
        self.reading.told(shown, fields, || None)
    }
}

/// A stream of rows; see [`Reader::stream`].
pub struct Rows<D>(Pin<Box<dyn Stream<Item = Result<D>> + Send>>);

impl<D> Rows<D> {
    fn new(rows: impl Stream<Item = Result<D>> + Send + 'static) -> Self {
        Self(Box::pin(rows))
    }
}

impl<D> Stream for Rows<D> {
    type Item = Result<D>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
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
