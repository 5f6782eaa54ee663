//! `Select`, the query builder: filters, lookups, orders and limits, with the rules of the named
//! fields.

use std::fmt;
use std::sync::Arc;

use super::cells::Cells;
use super::planner::Planner;
use super::reader::ViewerOf;
use crate::bounded::{Bounded, Tree, beyond};
use crate::dto::{
    Condition, Direction, Dto, FieldDecisions, Found, IntoFilter, Modes, NamedField, Order,
    OrderBy, Record, RelationQuery, Scope, Shape, VisitNested,
};
use crate::entity::{Column, ColumnFilter, Entity, Scalar, Schema, Searchable};
use crate::error::{Error, Result};
use crate::limits::ORDERS;
use crate::policy::{Comparand, Decision, Kind, Reduced, Residual, SameFamily, Value};
use crate::sql::{Masked, OrderKey, OrderValue, Query, RelatedValues, SEVERAL};

/// A query for rows shown as `D`, started by the `select` of the DTO.
///
/// The query includes the entity's row rule and the rule of every named field; a
/// [`Reader`](super::Reader) runs it.
#[must_use = "a query does nothing until a reader runs it"]
pub struct Select<D: Shown> {
    shape: ShapeOf<D::Entity>,
    lookups: Vec<(&'static str, Value)>,
    filter: Option<Bounded<Condition>>,
    order: Vec<(OrderBy, Direction)>,
    limit: Option<u64>,
    modes: Modes,
    denied: DeniedAs,
    decode: fn(&Shape<D::Entity>, &mut Cells<'_>) -> Result<D>,
}

enum ShapeOf<E: Entity> {
    Derived(&'static Shape<E>),
    Built(Arc<Shape<E>>),
}

/// The error for a row that exists but may not be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeniedAs {
    /// 404, as if it did not exist.
    NotFound,
    /// 403, which reveals that it exists.
    Forbidden,
}

/// A type that a query can show rows as: a [`Dto`], or the [`Record`] of a shape built at run time.
pub trait Shown: Sized + Send + 'static {
    /// The entity whose rows are shown.
    #[doc(hidden)]
    type Entity: Entity;

    /// Calls `visitor` with the DTO as which this field shows related rows; `None` if it shows none.
    #[doc(hidden)]
    fn __visit_nested<T>(field: usize, visitor: T) -> Option<T::Output>
    where
        T: VisitNested<<Self::Entity as Entity>::Viewer>;
}

impl<D: Dto> Shown for D {
    type Entity = D::Entity;

    fn __visit_nested<T>(field: usize, visitor: T) -> Option<T::Output>
    where
        T: VisitNested<<D::Entity as Entity>::Viewer>,
    {
        D::__nested(field, visitor)
    }
}

impl<E: Entity> Shown for Record<E> {
    type Entity = E;

    fn __visit_nested<T: VisitNested<E::Viewer>>(_: usize, _: T) -> Option<T::Output> {
        None
    }
}

/// Starts a query; the derive gives every DTO a `select` of its own that calls it.
#[doc(hidden)]
pub fn select<D: Dto>() -> Select<D> {
    Select::new(D::__shape())
}

/// A type that can be streamed row by row: a [`Dto`] that shows no related rows, which are loaded for
/// all rows of an answer at once. The derive implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` shows related rows, so it cannot be streamed",
    label = "related rows are loaded for all rows at once",
    note = "read with `all`, or with a `Page` where there can be many"
)]
pub trait Streamed {}

impl<E: Entity> Streamed for Record<E> {}

impl<D: Dto> Select<D> {
    pub(crate) fn new(shape: &'static Shape<<D as Dto>::Entity>) -> Self {
        Self::over(ShapeOf::Derived(shape), |_, cells| D::__from_cells(cells))
    }

    /// Keeps only rows that fulfil `filter`. Several filters must all hold.
    pub fn filter(self, filter: impl IntoFilter<D>) -> Self {
        self.only(filter.__into_filter().0)
    }

    /// Orders rows; a second order decides among rows that tie in the first. Rows that still tie are
    /// ordered by key. More than [`ORDERS`] are not valid.
    pub fn order(mut self, order: Order<D>) -> Self {
        self.order.push((order.by, order.direction));
        self
    }
}

impl<E: Entity> Shape<E> {
    /// Starts a query for rows shown as this shape.
    pub fn select(self: &Arc<Self>) -> Select<Record<E>> {
        Select::over(ShapeOf::Built(Arc::clone(self)), |shape, cells| {
            Record::from_cells(shape, cells)
        })
    }
}

impl<D: Shown> Select<D> {
    fn over(
        shape: ShapeOf<D::Entity>,
        decode: fn(&Shape<D::Entity>, &mut Cells<'_>) -> Result<D>,
    ) -> Self {
        Self {
            shape,
            lookups: Vec::new(),
            filter: None,
            order: Vec::new(),
            limit: None,
            modes: Modes::default(),
            denied: DeniedAs::NotFound,
            decode,
        }
    }

    /// Keeps only rows whose key or lookup column equals `value`. The column need not be a field of the
    /// DTO; a lookup by `None` finds nothing.
    pub fn lookup<T, U, C>(mut self, column: Column<D::Entity, T, U>, value: C) -> Self
    where
        T: Scalar + Comparand,
        U: Searchable,
        C: Comparand,
        T::Family: SameFamily<C::Family>,
    {
        self.lookups.push((column.field(), value.__value()));
        self
    }

    /// Keeps only the row with this key.
    pub(super) fn with_key(mut self, key: &Value) -> Self {
        let table = D::Entity::__table();
        if let Some(column) = table.column(table.key()) {
            self.lookups.push((column.field(), key.clone()));
        }
        self
    }

    /// Keeps only rows that fulfil `filter`, on columns that the DTO need not show and whose entity
    /// declares with `filter_if` who may filter by them. A row on which that rule does not hold is
    /// never found, whatever the filter.
    pub fn filter_column(self, filter: ColumnFilter<D::Entity>) -> Self {
        self.only(filter.0.map(Condition::Column))
    }

    /// Keeps only rows in which some text field contains `needle`, byte by byte. Fields that this
    /// viewer may not see are not searched, decided for each row.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Dto, Entity, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64, username: String }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User, default = visible)]
    /// # struct Profile { id: i64, username: String }
    /// let query = Profile::select().search("ada").limit(20);
    /// # let _ = query;
    /// ```
    pub fn search(self, needle: impl Into<String>) -> Self {
        self.only(Bounded::plain(Condition::Search(needle.into())))
    }

    fn only(mut self, condition: Bounded<Condition>) -> Self {
        self.filter = Some(match self.filter {
            None => condition,
            Some(before) => before.and(condition),
        });
        self
    }

    /// Refuses the query if its filter, order, groups or aggregates name a field that this viewer may
    /// not see in every row, with the error of an unknown field
    /// ([`Error::is_invalid`](crate::Error::is_invalid)). The field's name is logged.
    ///
    /// Without it such a field is masked before it is compared.
    pub const fn refuse_hidden(mut self) -> Self {
        self.modes.refuse_hidden = true;
        self
    }

    /// Compares nothing, and uses no index, in rows where a value is hidden: each row's rule is
    /// evaluated first, so that the time of the statement does not reveal whether a hidden value would
    /// have matched. A filter on a field whose rule depends on the row then reads every row.
    ///
    /// See [the two modes of comparison](mod@crate::repository#the-time-that-a-query-takes).
    pub const fn constant_time(mut self) -> Self {
        self.modes.constant_time = true;
        self
    }

    /// Limits the query to this many rows.
    pub const fn limit(mut self, rows: u64) -> Self {
        // The engines count in signed numbers; none holds more rows than that.
        const MOST: u64 = i64::MAX as u64;
        self.limit = Some(if rows < MOST { rows } else { MOST });
        self
    }

    /// Fails with 403 in place of 404 if there is a row under the lookups that this viewer may not read.
    /// It reveals that the row exists, so choose it only if that is no secret.
    pub const fn forbidden_if_denied(mut self) -> Self {
        self.denied = DeniedAs::Forbidden;
        self
    }

    pub(crate) fn shape(&self) -> &Shape<D::Entity> {
        match &self.shape {
            ShapeOf::Derived(shape) => shape,
            ShapeOf::Built(shape) => shape,
        }
    }

    pub(super) fn table(&self) -> &'static Schema {
        D::Entity::__table()
    }

    pub(crate) const fn denied(&self) -> DeniedAs {
        self.denied
    }

    pub(super) fn decode(&self, cells: &mut Cells<'_>) -> Result<D> {
        (self.decode)(self.shape(), cells)
    }

    /// Refuses a query for one row by lookups that may find many: a user who writes a second such row
    /// would make the query fail for everybody.
    pub(super) fn wants_one(&self) -> Result<()> {
        let table = self.table();
        let mut lookups = self.lookups.iter();
        let many = |field: &str| {
            let place = table.position(field);
            place.is_some_and(|(_, column)| column.finds_many())
        };
        if !self.lookups.is_empty() && lookups.all(|(field, _)| many(field)) {
            return Err(Error::misuse(
                "a column that is `lookup(many)` finds lists: look one row up by its key or a unique column",
            ));
        }
        Ok(())
    }

    /// Returns the lookups by column.
    pub(crate) fn lookups(&self) -> Result<Vec<(usize, Value)>> {
        let table = D::Entity::__table();
        self.lookups
            .iter()
            .map(|(field, value)| match table.position(field) {
                Some((column, _)) => Ok((column, value.clone())),
                None => Err(Error::internal(
                    "a lookup names a column that its table does not have",
                )),
            })
            .collect()
    }

    pub(super) fn scope<'a>(
        &'a self,
        asking: &'a Planner<'a, ViewerOf<D>>,
        decided: &'a FieldDecisions,
    ) -> Scope<'a, D::Entity> {
        Scope {
            shape: self.shape(),
            decided,
            modes: self.modes,
            asking,
        }
    }

    /// Returns the filter, if there is one; refuses a query beyond a limit.
    pub(super) fn condition(&self) -> Result<Option<&Tree<Condition>>> {
        let name = self.shape().name();
        if self.order.len() > ORDERS {
            return Err(beyond(name, "orders"));
        }
        if self.lookups.len() > ORDERS {
            return Err(beyond(name, "lookups"));
        }
        self.filter
            .as_ref()
            .map(|filter| filter.within(name))
            .transpose()
    }

    pub(super) fn orders(&self) -> &[(OrderBy, Direction)] {
        &self.order
    }

    pub(super) const fn rows(&self) -> Option<u64> {
        self.limit
    }

    pub(super) const fn modes(&self) -> Modes {
        self.modes
    }

    /// Returns the part of the question that selects rows, with names resolved and the rules of its
    /// fields included, or `None` if its filter can hold for no row.
    pub(super) fn restriction(
        &self,
        asking: &Planner<'_, ViewerOf<D>>,
        decided: &FieldDecisions,
    ) -> Result<Option<Query>> {
        let filter = match self.condition()? {
            None => None,
            Some(condition) => match self.scope(asking, decided).reduce(condition, true)? {
                Reduced::Always => None,
                Reduced::Never => return Ok(None),
                Reduced::Left(residual) => Some(self.guarded(decided, residual)),
            },
        };
        Ok(Some(Query {
            lookups: self.lookups()?,
            filter,
            limit: self.limit,
            ..Query::default()
        }))
    }

    /// Guards the filter with the row rule in constant time, so that no row is compared that may not be
    /// read.
    fn guarded(&self, decided: &FieldDecisions, filter: Residual) -> Residual {
        match &decided.rows {
            Decision::Depends(rows) if self.modes.constant_time => Residual::Guarded {
                rule: Box::new(rows.clone()),
                test: Box::new(filter),
            },
            Decision::Depends(_) | Decision::Allow | Decision::Deny | Decision::Fail(_) => filter,
        }
    }

    /// Returns the question for rows, or `None` if its filter can hold for none.
    pub(super) fn question(
        &self,
        asking: &Planner<'_, ViewerOf<D>>,
        decided: &FieldDecisions,
    ) -> Result<Option<Query>> {
        let order = self.order_keys(asking, decided)?;
        let Some(mut question) = self.restriction(asking, decided)? else {
            return Ok(None);
        };
        let ordered = !self.order.is_empty() || question.limit.is_some_and(|limit| limit > SEVERAL);
        question.by_key = ordered && !self.ends_by_key(&order);
        question.order = order;
        Ok(Some(question))
    }

    /// Returns whether the last order is by the key, after which no rows tie.
    pub(super) fn ends_by_key(&self, order: &[OrderKey]) -> bool {
        let key = self.table().key();
        order.last().is_some_and(|order| order.is_by(key))
    }

    /// Returns the columns to order by. A column that is hidden in every row decides nothing, so it is
    /// omitted, and so is everything after the key.
    pub(super) fn order_keys(
        &self,
        asking: &Planner<'_, ViewerOf<D>>,
        decided: &FieldDecisions,
    ) -> Result<Vec<OrderKey>> {
        let scope = self.scope(asking, decided);
        let mut order = Vec::with_capacity(self.order.len());
        for (by, direction) in &self.order {
            let (OrderBy::Field(field) | OrderBy::Related { field, .. }) = by;
            scope.may_name(*field)?;
            let visible = match scope.visible(*field)? {
                Reduced::Never => None,
                Reduced::Always => Some(None),
                Reduced::Left(residual) => Some(Some(residual)),
            };
            let by = match by {
                OrderBy::Field(field) => scope
                    .column(*field)
                    .map(|(column, _)| OrderValue::Column(column))
                    .ok_or_else(|| {
                        Error::internal("an order names a field that its DTO does not have")
                    })?,
                OrderBy::Related { field, found, of } => {
                    match over_related(&scope, *field, *found, *of)? {
                        Some(related) => OrderValue::Related(related),
                        None => continue,
                    }
                }
            };
            if let Some(visible) = visible
                && !self.ends_by_key(&order)
            {
                order.push(OrderKey {
                    by,
                    visible,
                    direction: *direction,
                });
            }
        }
        Ok(order)
    }
}

/// Resolves a value over the rows that a field shows; `None` if it is the same for every row.
fn over_related<E: Entity>(
    scope: &Scope<'_, E>,
    field: NamedField,
    found: Found,
    of: Option<NamedField>,
) -> Result<Option<RelatedValues>> {
    let question = of.map_or(RelationQuery::Nothing, RelationQuery::Field);
    let (relation, answer) = scope.across(field, &question)?;
    let within = match answer.within {
        Reduced::Never => return Ok(None),
        Reduced::Always => Residual::All(Vec::new()),
        Reduced::Left(residual) => residual,
    };
    let cell = match (of, answer.column) {
        (None, _) => None,
        (Some(_), Some((column, Kind::Int | Kind::Text | Kind::Timestamp))) => Some(Masked {
            column,
            visible: answer.holds,
        }),
        (Some(_), _) => {
            return Err(Error::misuse(
                "the lowest and highest value of a field are defined for integers, text and instants only",
            ));
        }
    };
    Ok(Some(RelatedValues {
        relation,
        within,
        found,
        cell,
    }))
}

impl<E: Entity> Clone for ShapeOf<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Derived(shape) => Self::Derived(shape),
            Self::Built(shape) => Self::Built(Arc::clone(shape)),
        }
    }
}

impl<D: Shown> Clone for Select<D> {
    fn clone(&self) -> Self {
        Self {
            shape: self.shape.clone(),
            lookups: self.lookups.clone(),
            filter: self.filter.clone(),
            order: self.order.clone(),
            limit: self.limit,
            modes: self.modes,
            denied: self.denied,
            decode: self.decode,
        }
    }
}

impl<D: Shown> fmt::Debug for Select<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("dto", &self.shape().name())
            .finish_non_exhaustive()
    }
}
