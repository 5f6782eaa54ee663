//! Aggregate queries (counts, sums, groups, distinct values) through an access.

use super::grant::Reads;
use super::planner::Planner;
use super::reader::{Reader, Reading, ViewerOf};
use super::select::{Select, Shown};
use crate::bounded::beyond;
use crate::dto::{
    AggregateAnswers, AggregateSpec, Aggregated, Aggregates, Dto, Field, FieldName, Function,
    Grouping, NameOrigin, NamedField, Scope,
};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::limits::{AGGREGATES, ORDERS};
use crate::policy::{Decision, Kind, Reduced, Value, every, null};
use crate::sql::{Masked, Query, QueryInput, Summary, read_summary};
use crate::viewer::Viewer;

/// Rows that share their values under the keys of a [`Grouping`].
///
/// A group may leave a repository, but has no JSON form of its own: to send groups, convert them into a
/// struct under [`#[derive(Release)]`](derive@crate::Release) and `#[derive(serde::Serialize)]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Group<T> {
    /// The shared value under each key. Rows in which it is hidden from the viewer form one group,
    /// whatever their values.
    pub keys: Vec<Field<Value>>,
    /// The results of the aggregates.
    pub values: T,
}

/// A group as read from the database: its keys, `None` if hidden, and the answers of its aggregates.
type Found = (Vec<Option<Value>>, Vec<Aggregated>);

impl<P> Reader<'_, P> {
    /// Counts the rows of the query that this viewer may read. The query's order and limit are ignored,
    /// so that the same query serves for a page and for its total.
    ///
    /// # Errors
    ///
    /// As [`Reader::all`].
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
    /// # use clearance::{Access, Read};
    /// async fn adas(db: &Db) -> Result<u64> {
    ///     let access = Access::<Read<Member>>::authenticated().await?;
    ///     let query = Profile::select().filter(Profile::USERNAME.starts_with("ada"));
    ///     db.reader(&access).count(query).await
    /// }
    /// ```
    pub async fn count<D>(&self, select: Select<D>) -> Result<u64>
    where
        D: Shown,
        P: Reads<ViewerOf<D>>,
    {
        let asking = self.asking().await?;
        let reading = asking.reading(select)?;
        let rows = AggregateSpec {
            function: Function::Rows,
            field: None,
            filter: None,
        };
        let found = asking.summarize(&reading, &[], &[&rows], None).await?;
        match found.into_iter().flat_map(|(_, answers)| answers).next() {
            Some(Aggregated::Count(count)) => Ok(count),
            Some(Aggregated::Sum(_) | Aggregated::Average(_) | Aggregated::Value(_)) | None => {
                Err(Error::internal("a count returned no result"))
            }
        }
    }

    /// Computes `aggregates` over the rows of the query that this viewer may read, and over those of
    /// their cells that this viewer may see. The query's order and limit are ignored.
    ///
    /// # Errors
    ///
    /// As [`Reader::all`]. [`Error::is_misuse`] for a sum of anything but integers, or the minimum or
    /// maximum of a type without an order; [`Error::is_invalid`] instead if a client named the field.
    pub async fn aggregate<D, A>(&self, select: Select<D>, aggregates: A) -> Result<A::Output>
    where
        D: Dto,
        A: Aggregates<D>,
        P: Reads<ViewerOf<D>>,
    {
        let asking = self.asking().await?;
        let reading = asking.reading(select)?;
        let asked = aggregates.__asked().0;
        let asked: Vec<_> = asked.iter().collect();
        let found = asking.summarize(&reading, &[], &asked, None).await?;
        let mut answers = found.into_iter().flat_map(|(_, answers)| answers);
        A::__read(&mut AggregateAnswers(&mut answers))
    }

    /// Returns the distinct values that this viewer may see under `field`, in ascending order. A null
    /// comes last, and after it [`Field::Hidden`] once, if the field is hidden in some row. The query's
    /// order is ignored; its limit counts values.
    ///
    /// # Errors
    ///
    /// As [`Reader::groups`].
    pub async fn distinct<D, T>(
        &self,
        select: Select<D>,
        field: FieldName<D, T>,
    ) -> Result<Vec<Field<Value>>>
    where
        D: Dto,
        P: Reads<ViewerOf<D>>,
    {
        let groups = self.groups(select, field, ()).await?;
        Ok(groups.into_iter().flat_map(|group| group.keys).collect())
    }

    /// Groups the rows of the query by the values of fields, and computes aggregates of each group.
    ///
    /// Rows in which a key is hidden from this viewer form one group, which shows no value, and an
    /// aggregate is computed over visible cells only. Groups are ordered by their keys, nulls last and
    /// hidden ones after them. The query's order is ignored; its limit counts groups.
    ///
    /// A `HAVING` condition is evaluated in Rust once the groups have been read, so that it means the
    /// same on every engine.
    ///
    /// # Errors
    ///
    /// As [`Reader::aggregate`]. [`Error::is_misuse`] for a floating point key, on whose equality
    /// engines do not agree.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Db, Dto, Entity, Result, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64, team: Option<String>, points: i64 }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User, default = visible)]
    /// # struct Profile { id: i64, team: Option<String>, points: i64 }
    /// # use clearance::{Access, Read};
    /// use clearance::dto::{Aggregate, Grouping};
    /// use clearance::repository::Group;
    ///
    /// /// Teams of at least three, with their points.
    /// async fn teams(db: &Db) -> Result<Vec<Group<(u64, Option<i128>)>>> {
    ///     let access = Access::<Read<Member>>::authenticated().await?;
    ///     let rows = Aggregate::<Profile, _>::rows;
    ///     let teams = Grouping::by([Profile::TEAM]).having(rows().ge(3));
    ///     db.reader(&access)
    ///         .groups(Profile::select(), teams, (rows(), Profile::POINTS.sum()))
    ///         .await
    /// }
    /// ```
    pub async fn groups<D, A>(
        &self,
        select: Select<D>,
        by: impl Into<Grouping<D>> + Send,
        aggregates: A,
    ) -> Result<Vec<Group<A::Output>>>
    where
        D: Dto,
        A: Aggregates<D>,
        P: Reads<ViewerOf<D>>,
    {
        let grouping = by.into();
        if grouping.keys.is_empty() {
            return Err(Error::misuse(
                "groups need a field to group by: use `aggregate` to aggregate all rows",
            ));
        }
        let asking = self.asking().await?;
        let reading = asking.reading(select)?;
        let name = reading.select.shape().name();
        if grouping.keys.len() > ORDERS {
            return Err(beyond(name, "groups"));
        }
        let having = match &grouping.having {
            None => None,
            Some(having) => Some(having.within(name)?),
        };
        let wanted = aggregates.__asked().0;
        let mut asked: Vec<_> = wanted.iter().collect();
        if let Some(having) = having {
            having.asked(&mut asked);
        }
        if asked.len() > AGGREGATES {
            return Err(beyond(name, "aggregates"));
        }
        let limit = reading.select.rows();
        let in_statement = limit.filter(|_| having.is_none());
        let keys: Vec<_> = grouping.keys.iter().map(|key| key.named_field()).collect();
        let found = asking
            .summarize(&reading, &keys, &asked, in_statement)
            .await?;
        let most = limit.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX));
        let mut groups = Vec::new();
        for (keys, answers) in found {
            if groups.len() == most {
                break;
            }
            let mut answers = answers.into_iter();
            let values = A::__read(&mut AggregateAnswers(&mut answers))?;
            let holds = match having {
                None => true,
                Some(having) => having.holds(&mut answers)? == Some(true),
            };
            if holds {
                let keys = keys
                    .into_iter()
                    .map(|key| key.map_or(Field::Hidden, Field::Visible))
                    .collect();
                groups.push(Group { keys, values });
            }
        }
        Ok(groups)
    }
}

impl<V: Viewer> Planner<'_, V> {
    async fn summarize<D>(
        &self,
        reading: &Reading<D>,
        keys: &[NamedField],
        asked: &[&AggregateSpec],
        limit: Option<u64>,
    ) -> Result<Vec<Found>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        let decided = &reading.decided;
        let nothing = || {
            if keys.is_empty() {
                vec![(
                    Vec::new(),
                    asked.iter().map(|asked| of_nothing(asked)).collect(),
                )]
            } else {
                Vec::new()
            }
        };
        if decided.rows == Decision::Deny {
            return Ok(nothing());
        }
        // The order is ignored, but a query that would be refused for its order is refused here too.
        reading.select.order_keys(self, decided)?;
        let scope = reading.select.scope(self, decided);
        let summary = Summary {
            keys: keys
                .iter()
                .map(|key| masked(&scope, *key, Use::Grouped, None))
                .collect::<Result<_>>()?,
            aggregates: asked
                .iter()
                .map(|asked| Ok((asked.function, cell(&scope, asked)?)))
                .collect::<Result<_>>()?,
        };
        let Some(restriction) = reading.select.restriction(self, decided)? else {
            return Ok(nothing());
        };
        let question = Query {
            limit,
            ..restriction
        };
        let plan = self.db.plan(&QueryInput {
            shape: reading.select.shape(),
            decided,
            question: &question,
            summary: Some(&summary),
        })?;
        let mut found = Vec::new();
        self.db
            .fetch_each(plan.statement, |row| {
                found.push(read_summary(&row, &summary, D::Entity::__table())?);
                Ok(())
            })
            .await?;
        Ok(found)
    }
}

/// Returns the result of an aggregate over no rows.
fn of_nothing(asked: &AggregateSpec) -> Aggregated {
    match asked.function {
        Function::Rows | Function::Count | Function::CountDistinct => Aggregated::Count(0),
        Function::Sum => Aggregated::Sum(None),
        Function::Average => Aggregated::Average(None),
        Function::Min | Function::Max => Aggregated::Value(Value::Null),
    }
}

fn cell<E: Entity>(scope: &Scope<'_, E>, asked: &AggregateSpec) -> Result<Option<Masked>> {
    let how = match asked.function {
        Function::Rows => {
            return match asked.filter {
                None => Ok(None),
                Some(_) => Err(Error::misuse(
                    "a count of rows takes no filter: filter the query, or count the key",
                )),
            };
        }
        Function::Count => Use::Counted,
        Function::CountDistinct => Use::Distinct,
        Function::Sum | Function::Average => Use::Summed,
        Function::Min | Function::Max => Use::Ordered,
    };
    let field = asked
        .field
        .ok_or_else(|| Error::internal("an aggregate names no field"))?;
    let filter = match &asked.filter {
        None => None,
        Some(filter) => Some(scope.reduce(filter.within(scope.shape.name())?, true)?),
    };
    masked(scope, field, how, filter).map(Some)
}

/// The use of a field's values in a summary.
#[derive(Clone, Copy)]
enum Use {
    Counted,
    Distinct,
    Grouped,
    Summed,
    Ordered,
}

impl Use {
    const fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Int => true,
            Kind::Text | Kind::Timestamp => !matches!(self, Self::Summed),
            Kind::Bool | Kind::Enum(_) | Kind::Uuid | Kind::Bytes => {
                matches!(self, Self::Counted | Self::Distinct | Self::Grouped)
            }
            Kind::Float => matches!(self, Self::Counted),
        }
    }
}

/// Returns the field's column with the predicate under which it counts: it is visible, and the filter
/// holds.
fn masked<E: Entity>(
    scope: &Scope<'_, E>,
    field: NamedField,
    how: Use,
    filter: Option<Reduced>,
) -> Result<Masked> {
    scope.may_name(field)?;
    let (column, kind) = scope
        .column(field)
        .ok_or_else(|| Error::internal("an aggregate names a field that its DTO does not have"))?;
    if !how.takes(kind) {
        return Err(match field.origin {
            NameOrigin::Client => Error::invalid(),
            NameOrigin::Code => Error::misuse(
                "this aggregate is not defined for the field: sum integers, order integers, text or instants, group by anything but floating point numbers",
            ),
        });
    }
    let visible = scope.visible(field)?;
    let parts = [Some(visible), filter].into_iter().flatten().map(Ok);
    let visible = every(parts).map_err(|_| Error::internal("a rule could not be evaluated"))?;
    let text_of_set = kind.names().is_some() && matches!(how, Use::Counted | Use::Distinct);
    let visible = if text_of_set {
        // Text outside a declared set is no value.
        let set = [Ok(visible), Ok(Reduced::Left(null(column, kind, false)))];
        every(set.into_iter()).map_err(|_| Error::internal("a rule could not be evaluated"))?
    } else {
        visible
    };
    Ok(Masked { column, visible })
}
