//! Nested DTOs: related rows, loaded for all rows of a query at once (no N+1 queries).

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::planner::Planner;
use super::reader::Reading;
use super::select::Select;
use crate::driver::Row;
use crate::dto::{Dto, ShapeSource, VisitNested};
use crate::entity::{Entity, Relation, Schema};
use crate::error::{Error, Result};
use crate::policy::{Cell, Decision, Op, Reduced, Residual, Term, Value};
use crate::sql::{Join, Layout, Plan, Query};
use crate::viewer::Viewer;

type Loading<'a> = Pin<Box<dyn Future<Output = Result<RowsByKey>> + Send + 'a>>;
/// A type-erased [`Batch`]; the field that shows it knows its DTO.
type RowsByKey = Box<dyn Any + Send + Sync>;

/// The rows for which a relation is followed, and the identity that asks.
struct Nesting<'a, V: Viewer> {
    asking: &'a Planner<'a, V>,
    relation: &'static Relation,
    own: &'static Schema,
    /// The distinct join keys.
    keys: Vec<Vec<Value>>,
    /// The shapes of the enclosing DTOs.
    above: Vec<u64>,
}

/// The rows of one query for the other side of a relation.
struct Batch<D: Dto> {
    reading: Reading<D>,
    layout: Arc<Layout>,
    rows: Vec<Row>,
    /// The indices of the rows that belong to each key.
    of_key: HashMap<JoinKey, Vec<usize>>,
    nested: NestedRows,
}

/// A join key, encoded so that keys can be compared byte by byte.
type JoinKey = Vec<u8>;

/// The related rows of the rows of a query.
#[derive(Default)]
pub(crate) struct NestedRows(Vec<NestedField>);

struct NestedField {
    field: usize,
    /// `None` if no row has a key.
    loaded: Option<RowsByKey>,
    /// The key of each row; `None` if it is hidden or null.
    keys: Vec<Option<JoinKey>>,
}

/// The related rows of one row.
#[derive(Clone, Copy)]
pub(crate) struct NestedRow<'a> {
    rows: &'a NestedRows,
    row: usize,
}

impl NestedRows {
    pub(super) const fn of(&self, row: usize) -> NestedRow<'_> {
        NestedRow { rows: self, row }
    }
}

impl NestedRow<'_> {
    /// Returns the related rows that a field shows, as DTOs.
    pub(crate) fn rows<D: Dto>(self, field: usize) -> Result<Vec<D>> {
        let found = self.rows.0.iter().find(|nested| nested.field == field);
        let nested = found.ok_or_else(|| Error::internal("a nested DTO was not loaded"))?;
        let key = nested.keys.get(self.row).and_then(Option::as_ref);
        let (Some(key), Some(loaded)) = (key, &nested.loaded) else {
            return Ok(Vec::new());
        };
        loaded
            .downcast_ref::<Batch<D>>()
            .ok_or_else(|| Error::internal("a nested DTO was loaded as another one"))?
            .of(key)
    }
}

impl<D: Dto> Batch<D> {
    fn of(&self, key: &JoinKey) -> Result<Vec<D>> {
        let rows = self.of_key.get(key).into_iter().flatten();
        rows.filter_map(|index| Some((*index, self.rows.get(*index)?)))
            .filter_map(|(index, row)| {
                let shown = self
                    .reading
                    .read(&self.layout, row, Some(self.nested.of(index)));
                shown.transpose()
            })
            .collect()
    }
}

impl<V: Viewer> Planner<'_, V> {
    /// Makes DTOs of the rows of a query, with one more query for each relation that they show.
    pub(super) async fn show<D>(
        &self,
        reading: &Reading<D>,
        layout: &Layout,
        rows: &[Row],
    ) -> Result<Vec<D>>
    where
        D: super::Shown<Entity: Entity<Viewer = V>>,
    {
        let nested = self.nested(reading, layout, rows, &[]).await?;
        let shown = rows.iter().enumerate();
        shown
            .filter_map(|(index, row)| {
                let shown = reading.read(layout, row, Some(nested.of(index)));
                shown.transpose()
            })
            .collect()
    }

    /// Loads the related rows of these rows' nested fields: one query for each relation.
    async fn nested<D>(
        &self,
        reading: &Reading<D>,
        layout: &Layout,
        rows: &[Row],
        above: &[u64],
    ) -> Result<NestedRows>
    where
        D: super::Shown<Entity: Entity<Viewer = V>>,
    {
        let shape = reading.select.shape();
        let own: &'static Schema = D::Entity::__table();
        let mut nested = NestedRows::default();
        for join in &layout.nested {
            let Some(ShapeSource::Related { relation, .. }) =
                shape.fields().get(join.field).map(|field| field.source())
            else {
                return Err(Error::internal(
                    "a field without a relation has related rows",
                ));
            };
            let relation = own.relation(relation).ok_or_else(|| {
                Error::internal("a DTO names a relation that its entity does not have")
            })?;
            let Keys { of_rows, distinct } = keys(join, rows)?;
            let loaded = if distinct.is_empty() {
                None
            } else {
                let mut above = above.to_vec();
                above.push(shape.id());
                // The viewer may have been signed out since the rows above were read.
                let renewed = self.again().await?;
                let nesting = Nesting {
                    asking: renewed.as_ref().unwrap_or(self),
                    relation,
                    own,
                    keys: distinct,
                    above,
                };
                let loading = D::__visit_nested(join.field, nesting);
                let loading = loading.ok_or_else(|| {
                    Error::internal("a field with a relation names no DTO of its related rows")
                })?;
                Some(loading.await?)
            };
            nested.0.push(NestedField {
                field: join.field,
                loaded,
                keys: of_rows,
            });
        }
        Ok(nested)
    }
}

/// The join keys of some rows.
struct Keys {
    /// The key of each row; `None` if it is hidden or null.
    of_rows: Vec<Option<JoinKey>>,
    /// The distinct keys, as values.
    distinct: Vec<Vec<Value>>,
}

/// Collects the join keys of rows. A hidden value is null here.
fn keys(join: &Join, rows: &[Row]) -> Result<Keys> {
    let mut distinct: HashMap<JoinKey, Vec<Value>> = HashMap::new();
    let mut keys = Vec::with_capacity(rows.len());
    let mut order = Vec::new();
    for row in rows {
        let values = join
            .columns
            .iter()
            .map(|(position, kind)| Ok(row.cell(*position, *kind)?.into_value()))
            .collect::<Result<Vec<_>>>()?;
        let key = key(values.iter().map(Value::as_cell));
        if let Some(key) = &key
            && !distinct.contains_key(key)
        {
            order.push(key.clone());
            distinct.insert(key.clone(), values);
        }
        keys.push(key);
    }
    let values = order.iter().filter_map(|key| distinct.remove(key));
    Ok(Keys {
        of_rows: keys,
        distinct: values.collect(),
    })
}

/// Encodes a join key; `None` if a part is null, because a null joins nothing.
fn key<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Option<JoinKey> {
    let mut key = JoinKey::new();
    for cell in cells {
        match cell {
            Cell::Null => return None,
            Cell::Bool(value) => key.push(value.into()),
            Cell::Int(value) | Cell::Timestamp(value) => key.extend(value.to_le_bytes()),
            Cell::Float(value) => key.extend(value.to_le_bytes()),
            Cell::Text(value) => written(&mut key, value.as_bytes()),
            Cell::Bytes(value) => written(&mut key, value),
            Cell::Uuid(value) => key.extend(value.as_bytes()),
        }
    }
    Some(key)
}

fn written(key: &mut JoinKey, bytes: &[u8]) {
    key.extend(bytes.len().to_le_bytes());
    key.extend(bytes);
}

/// Loads the rows that the relation leads to, as the DTO that it visits.
impl<'a, V: Viewer> VisitNested<V> for Nesting<'a, V> {
    type Output = Loading<'a>;

    fn visit<D: Dto<Entity: Entity<Viewer = V>>>(self) -> Loading<'a> {
        Box::pin(async move { Ok(Box::new(batch::<D, V>(self).await?) as RowsByKey) })
    }
}

async fn batch<D, V>(nesting: Nesting<'_, V>) -> Result<Batch<D>>
where
    D: Dto<Entity: Entity<Viewer = V>>,
    V: Viewer,
{
    let shape = D::__shape();
    if nesting.above.contains(&shape.id()) {
        return Err(Error::misuse(format!(
            "`{}` is nested in itself, which would never end: nest a DTO without that field",
            shape.name()
        )));
    }
    let asking = nesting.asking;
    let reading = asking.reading(Select::new(shape))?;
    let theirs = nesting
        .relation
        .pairs(nesting.own)
        .ok_or_else(|| Error::internal("a relation names a field that its table does not have"))?
        .into_iter()
        .map(|pair| pair.theirs)
        .collect::<Vec<_>>();
    let mut rows = Vec::new();
    let mut planned = None;
    for keys in batches(nesting.keys, theirs.len()) {
        let question = question(asking, &reading, &theirs, keys)?;
        let Plan { statement, layout } =
            asking.plan(&reading, question.as_ref().unwrap_or(&Query::default()))?;
        planned = Some(layout);
        match question {
            // All rows of a key come with one statement, so their order is that of the statement.
            Some(_) => rows.extend(asking.db.fetch_all(statement).await?),
            None => break,
        }
    }
    let layout =
        planned.ok_or_else(|| Error::internal("related rows were asked for without a key"))?;
    let mut of_key: HashMap<JoinKey, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = layout
            .joined_by
            .iter()
            .map(|(position, kind)| row.cell(*position, *kind))
            .collect::<Result<Vec<_>>>()?;
        if let Some(key) = key(cells.into_iter()) {
            of_key.entry(key).or_default().push(index);
        }
    }
    let nested = asking
        .nested(&reading, &layout, &rows, &nesting.above)
        .await?;
    Ok(Batch {
        reading,
        layout,
        rows,
        of_key,
        nested,
    })
}

/// Makes the query for the rows that are joined by one of `keys`, or returns `None` if none can be
/// read.
///
/// It excludes rows whose own join column is hidden in their DTO, because their place would reveal the
/// value of the column.
fn question<D: Dto>(
    asking: &Planner<'_, <D::Entity as Entity>::Viewer>,
    reading: &Reading<D>,
    theirs: &[usize],
    keys: Vec<Vec<Value>>,
) -> Result<Option<Query>> {
    if reading.decided.rows == Decision::Deny {
        return Ok(None);
    }
    let scope = reading.select.scope(asking, &reading.decided);
    let mut conditions = vec![joined(theirs, keys)];
    for column in theirs {
        match scope.column_shown(*column)? {
            Reduced::Always => {}
            Reduced::Never => return Ok(None),
            Reduced::Left(residual) => conditions.push(residual),
        }
    }
    Ok(Some(Query {
        filter: Some(Residual::All(conditions)),
        by_key: true,
        joined_by: theirs.to_vec(),
        ..Query::default()
    }))
}

/// Splits the keys into one batch for each statement. Keys of one column are bound as one list, however
/// many there are; those of several columns are bound one by one, and an engine limits the number of
/// parameters.
fn batches(keys: Vec<Vec<Value>>, columns: usize) -> Vec<Vec<Vec<Value>>> {
    const BOUND: usize = 1_024;
    if columns <= 1 {
        return vec![keys];
    }
    // A power of two, as in the statement templates (decision 68).
    let most = 1 << (BOUND / columns).checked_ilog2().unwrap_or_default();
    let mut batches = Vec::with_capacity(keys.len().div_ceil(most));
    let mut keys = keys.into_iter();
    loop {
        let batch: Vec<_> = keys.by_ref().take(most).collect();
        if batch.is_empty() {
            return batches;
        }
        batches.push(batch);
    }
}

fn joined(theirs: &[usize], keys: Vec<Vec<Value>>) -> Residual {
    if let [column] = *theirs {
        return Residual::Among {
            column,
            values: keys.into_iter().flatten().collect(),
            wanted: true,
        };
    }
    let rows = keys.into_iter().map(|key| {
        let columns = theirs.iter().zip(key);
        let equal = columns.map(|(column, value)| Residual::Compare {
            op: Op::Eq,
            column: *column,
            with: Term::Value(value),
        });
        Residual::All(equal.collect())
    });
    Residual::Any(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_03_keys_of_several_columns_come_in_batches() {
        let keys = || (0..100_000).map(|number| vec![Value::Int(number), Value::Int(0)]);
        for (columns, most) in [(2, 512), (3, 256), (2_000, 1)] {
            let batches = batches(keys().collect(), columns);
            assert!(batches.iter().all(|batch| batch.len() <= most));
            assert!(batches.into_iter().flatten().eq(keys()));
        }
        // The keys of one column form one list.
        assert_eq!(batches(keys().collect(), 1).len(), 1);
        assert_eq!(batches(keys().take(500).collect(), 2).len(), 1);
    }
}
