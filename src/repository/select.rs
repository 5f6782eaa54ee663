//! A query in the making.

use std::fmt;
use std::sync::Arc;

use crate::dto::{
    Condition, Decided, Direction, Dto, Filter, Order, Record, Shape, reduce, visible,
};
use crate::entity::{Column, Entity, Scalar, Searchable};
use crate::error::{Error, Result};
use crate::policy::{Comparand, Reduced, SameFamily, Value};
use crate::sql::{Cells, Question};

/// A query for rows shown as `D`, started by the `select` of the DTO.
///
/// The entity's row rule and the rule of every field that is named are built in; the query is
/// run by a [`Reader`](super::Reader).
#[must_use = "a query does nothing until a reader runs it"]
pub struct Select<D: Shown> {
    shape: ShapeOf<D::Entity>,
    lookups: Vec<(&'static str, Value)>,
    filter: Option<Condition>,
    order: Vec<(usize, Direction)>,
    limit: Option<u64>,
    denied: Denied,
    decode: fn(&Shape<D::Entity>, &mut Cells<'_>) -> Result<D>,
}

enum ShapeOf<E: Entity> {
    Derived(&'static Shape<E>),
    Built(Arc<Shape<E>>),
}

/// What a row that is there but may not be touched is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// As if it were not there: 404.
    NotFound,
    /// Openly: 403.
    Forbidden,
}

/// What a query can show rows as: a [`Dto`], or the [`Record`] of a shape made by hand.
pub trait Shown: Sized + Send + 'static {
    /// The entity whose rows are shown.
    #[doc(hidden)]
    type Entity: Entity;
}

impl<D: Dto> Shown for D {
    type Entity = D::Entity;
}

impl<E: Entity> Shown for Record<E> {
    type Entity = E;
}

impl<D: Dto> Select<D> {
    pub(crate) fn new(shape: &'static Shape<<D as Dto>::Entity>) -> Self {
        Self::over(ShapeOf::Derived(shape), |_, cells| D::__from_cells(cells))
    }

    /// Only rows that fulfil `filter`. Several filters must all hold.
    pub fn filter(mut self, filter: Filter<D>) -> Self {
        self.filter = Some(match self.filter {
            None => filter.0,
            Some(before) => Condition::All(vec![before, filter.0]),
        });
        self
    }

    /// Rows in this order; a second order decides among rows that tie in the first. Rows that
    /// still tie stand by key.
    pub fn order(mut self, order: Order<D>) -> Self {
        self.order.push((order.token.field(), order.direction));
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
            denied: Denied::NotFound,
            decode,
        }
    }

    /// Only rows whose key or lookup column equals `value`. The column need not be a field of
    /// the DTO; a lookup by `None` finds nothing.
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

    /// At most this many rows.
    pub const fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Answers 403 in place of 404 where a row stands under the lookups that this viewer may not
    /// read. It tells that the row exists, so choose it only where that is no secret.
    pub const fn forbidden_if_denied(mut self) -> Self {
        self.denied = Denied::Forbidden;
        self
    }

    pub(crate) fn shape(&self) -> &Shape<D::Entity> {
        match &self.shape {
            ShapeOf::Derived(shape) => shape,
            ShapeOf::Built(shape) => shape,
        }
    }

    pub(crate) const fn denied(&self) -> Denied {
        self.denied
    }

    pub(crate) fn decode(&self, cells: &mut Cells<'_>) -> Result<D> {
        (self.decode)(self.shape(), cells)
    }

    /// The lookups by column.
    pub(crate) fn lookups(&self) -> Result<Vec<(usize, Value)>> {
        let table = D::Entity::__table();
        self.lookups
            .iter()
            .map(|(field, value)| match table.position(field) {
                Some((column, _)) => Ok((column, value.clone())),
                None => Err(Error::internal("a lookup names no column of its table")),
            })
            .collect()
    }

    /// The query with its names resolved and the rules of its fields built in, or `None` when
    /// its filter can hold for no row.
    pub(crate) fn question(&self, decided: &Decided) -> Result<Option<Question>> {
        let shape = self.shape();
        let filter = match &self.filter {
            None => None,
            Some(condition) => match reduce(shape, decided, condition, true)? {
                Reduced::Always => None,
                Reduced::Never => return Ok(None),
                Reduced::Left(residual) => Some(residual),
            },
        };
        let mut order = Vec::with_capacity(self.order.len());
        for (field, direction) in &self.order {
            let column = shape
                .fields()
                .get(*field)
                .and_then(|spec| D::Entity::__table().position(spec.field()))
                .map(|(column, _)| column)
                .ok_or_else(|| Error::internal("an order names no field of its DTO"))?;
            order.push((column, visible(shape, decided, *field)?, *direction));
        }
        Ok(Some(Question {
            lookups: self.lookups()?,
            filter,
            order,
            limit: self.limit,
        }))
    }
}

impl<D: Shown> fmt::Debug for Select<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("dto", &self.shape().name())
            .finish_non_exhaustive()
    }
}
