//! Keyset pagination: each page continues by key after the last row of the page before it.

use chrono::DateTime;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::cursor::{Cursor, bound, decode, encode};
use super::grant::Reads;
use super::mark::Mark;
use super::planner::Planner;
use super::reader::{Reader, Reading, ViewerOf};
use super::select::{Select, Shown};
use crate::driver::Row;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Cell, Decision, Kind, Value};
use crate::session::CursorSealer;
use crate::sql::{Layout, OrderKey, Plan, Query};

/// A page of a query to read: its number of rows, and the cursor that it starts after.
#[derive(Debug, Clone)]
#[must_use = "a page does nothing until a reader reads it"]
pub struct Page {
    rows: u64,
    after: Option<Cursor>,
}

impl Page {
    /// Requests the first `rows` rows.
    pub const fn first(rows: u64) -> Self {
        Self { rows, after: None }
    }

    /// Requests the next `rows` rows, after the page that returned `cursor`.
    pub fn after(rows: u64, cursor: &Cursor) -> Self {
        Self {
            rows,
            after: Some(cursor.clone()),
        }
    }
}

/// One page of a query, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slice<D> {
    /// The rows of the page.
    pub rows: Vec<D>,
    /// The cursor from which the next page continues; `None` if this page is the last.
    pub next: Option<Cursor>,
}

/// Serialises as `{"rows": [..], "next": ..}`.
impl<D: Serialize> Serialize for Slice<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut slice = serializer.serialize_struct("Slice", 2)?;
        slice.serialize_field("rows", &self.rows)?;
        slice.serialize_field("next", &self.next)?;
        slice.end()
    }
}

impl<P> Reader<'_, P> {
    /// Reads one page of the query, in its order (keyset pagination). Rows that tie in it, and those
    /// whose value is null or hidden, are ordered by key, so that pages neither skip nor repeat a row
    /// that stays where it is.
    ///
    /// The limit of the query is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] if the page has no rows, or its cursor was not made for this viewer and
    /// this query; otherwise as [`Reader::all`]. [`Error::is_misuse`] if the DTO has a rule for the
    /// entity's key, which a cursor must contain.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Db, Dto, Entity, Result, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64, username: String }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User, default = visible)]
    /// # struct Profile { id: i64, username: String }
    /// use clearance::repository::{Cursor, Page, Slice};
    /// use clearance::{Access, Read};
    ///
    /// async fn page(db: &Db, after: Option<&Cursor>) -> Result<Slice<Profile>> {
    ///     let access = Access::<Read<Member>>::authenticated().await?;
    ///     let page = match after {
    ///         None => Page::first(20),
    ///         Some(cursor) => Page::after(20, cursor),
    ///     };
    ///     db.reader(&access)
    ///         .page(Profile::select().order(Profile::USERNAME.asc()), page)
    ///         .await
    /// }
    /// ```
    pub async fn page<D>(&self, select: Select<D>, page: Page) -> Result<Slice<D>>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let (rows, more) = match (usize::try_from(page.rows), page.rows.checked_add(1)) {
            (Ok(rows), Some(more)) if rows > 0 && i64::try_from(more).is_ok() => (rows, more),
            _ => return Err(Error::invalid()),
        };
        let asking = self.asking().await?;
        let reading = asking.reading(select)?;
        plain_key(&reading)?;
        // If no row may be read no field was decided, and no cursor was ever made.
        let denied = reading.decided.rows == Decision::Deny;
        let order = if denied {
            Vec::new()
        } else {
            reading.select.order_keys(&asking, &reading.decided)?
        };
        let sealing = Sealing::of(&asking, &reading)?;
        let after = match &page.after {
            None => None,
            Some(cursor) => Some(sealing.open(cursor, &reading, &order)?),
        };
        let empty = Slice {
            rows: Vec::new(),
            next: None,
        };
        if denied {
            return Ok(empty);
        }
        let Some(restriction) = reading.select.restriction(&asking, &reading.decided)? else {
            return Ok(empty);
        };
        let after = match after {
            None => None,
            Some(mark) => {
                let now = if mark.is_whole() {
                    None
                } else {
                    now(&asking, &reading, &restriction, &order, &mark).await?
                };
                Some(mark.position(&order, now.as_deref()))
            }
        };
        let question = Query {
            by_key: !reading.select.ends_by_key(&order),
            order,
            // One more than the page has, to detect whether there is a next page.
            limit: Some(more),
            pages: true,
            after,
            ..restriction
        };
        let Plan { statement, layout } = asking.plan(&reading, &question)?;
        let mut found = self.db.fetch_all(statement).await?;
        let is_last_page = found.len() <= rows;
        found.truncate(rows);
        let next = match found.last() {
            Some(last) if !is_last_page => Some(sealing.seal(values(&layout, last)?)?),
            Some(_) | None => None,
        };
        let rows = asking.show(&reading, &layout, &found).await?;
        Ok(Slice { rows, next })
    }
}

/// Reads the present order values of a mark's row, if this viewer may still find the row by the query.
async fn now<D: Shown>(
    asking: &Planner<'_, ViewerOf<D>>,
    reading: &Reading<D>,
    restriction: &Query,
    order: &[OrderKey],
    mark: &Mark,
) -> Result<Option<Vec<Option<Value>>>> {
    let key = reading.select.table().key();
    let mut lookups = restriction.lookups.clone();
    lookups.push((key, mark.key.clone()));
    let question = Query {
        lookups,
        order: order.to_vec(),
        limit: Some(1),
        pages: true,
        ..restriction.clone()
    };
    let Plan { statement, layout } = asking.plan(reading, &question)?;
    let found = asking.db.fetch_all(statement).await?;
    let values = found.first().map(|row| values(&layout, row)).transpose()?;
    Ok(values.map(|(values, _)| values))
}

/// Refuses a DTO with a rule for the key: a cursor contains the key of a row, so no viewer may have it
/// hidden.
fn plain_key<D: Shown>(reading: &Reading<D>) -> Result<()> {
    let table = D::Entity::__table();
    let key = table.column(table.key()).map(|spec| spec.field());
    let fields = reading.select.shape().fields();
    let ruled = fields
        .iter()
        .any(|field| Some(field.field()) == key && !field.rules().is_empty());
    if ruled {
        return Err(Error::misuse(
            "a page cursor contains the key, and this DTO hides the key from some viewers: show the key to all, or remove it from the DTO",
        ));
    }
    Ok(())
}

/// Returns the row's value for each order of its statement, `None` if it cannot be read, and the row's
/// key.
fn values(layout: &Layout, row: &Row) -> Result<(Vec<Option<Value>>, Value)> {
    let mut values = Vec::with_capacity(layout.position.len());
    for (column, kind) in &layout.position {
        values.push(match row.cell(*column, *kind) {
            Ok(Cell::Timestamp(micros)) if DateTime::from_timestamp_micros(micros).is_none() => {
                None
            }
            Ok(cell) => Some(cell.into_value()),
            Err(error) if error.is_unreadable() => None,
            Err(error) => return Err(error),
        });
    }
    let key = values.pop().flatten();
    let key = key.ok_or_else(|| Error::internal("a page has no key"))?;
    Ok((values, key))
}

/// The sealing key of a request's cursors, and the query that they are bound to.
struct Sealing {
    request: Option<crate::request::RequestContext>,
    bound: Vec<u8>,
}

impl Sealing {
    fn of<D: Shown>(asking: &Planner<'_, ViewerOf<D>>, reading: &Reading<D>) -> Result<Self> {
        let lookups = reading.select.lookups()?;
        let asker = asking.using.asker();
        let engine = asking.db.dialect().name();
        Ok(Self {
            request: asking.using.request().cloned(),
            bound: bound(reading, &asker, engine, &lookups)?,
        })
    }

    fn sealer(&self) -> Result<&CursorSealer> {
        match self.request.as_ref().and_then(|request| request.cursors()) {
            Some(sealer) => Ok(sealer),
            None => CursorSealer::of_process(),
        }
    }

    fn seal(&self, (values, key): (Vec<Option<Value>>, Value)) -> Result<Cursor> {
        let mark = Mark::of(values, key);
        let text = self.sealer()?.seal(&self.bound, &encode(&mark))?;
        Ok(text.into())
    }

    fn open<D: Shown>(
        &self,
        cursor: &Cursor,
        reading: &Reading<D>,
        order: &[OrderKey],
    ) -> Result<Mark> {
        let table = reading.select.table();
        let kinds = order.iter().map(|key| key.kind(table));
        let kinds: Vec<Kind> = kinds.collect::<Result<_>>()?;
        let key = table
            .column(table.key())
            .ok_or_else(|| Error::internal("a table has no key"))?
            .kind();
        self.sealer()?
            .open(&self.bound, cursor.as_str())
            .and_then(|content| decode(&content))
            .filter(|mark| mark.fits(&kinds, key))
            .ok_or_else(Error::invalid)
    }
}
