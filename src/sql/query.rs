//! Queries with every name resolved and every rule built in: filter, order, keyset pagination, layout.

use sea_query::{CaseStatement, Expr, Func};

use super::render::Renderer;
use crate::dto::{Direction, Found, Function};
use crate::entity::{Relation, Schema};
use crate::error::{Error, Result};
use crate::policy::{Kind, Reduced, Residual, Value};

/// A query: its conditions, its order, the position after which its rows begin, and their maximum number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    /// The columns that must equal a value, whatever rules the DTO's fields have.
    pub(crate) lookups: Vec<(usize, Value)>,
    /// The residual of the filter.
    pub(crate) filter: Option<Residual>,
    pub(crate) order: Vec<OrderKey>,
    /// Set if rows that tie in every order are ordered by key. It is not if the last order is by the key,
    /// so that no rows tie.
    pub(crate) by_key: bool,
    pub(crate) limit: Option<u64>,
    /// Set if each row returns its position in the order, so that a page can continue after it.
    pub(crate) pages: bool,
    /// Set if each row is returned as it is stored, by the names of its columns, without masks.
    pub(crate) whole: bool,
    /// The position after which the rows begin.
    pub(crate) after: Option<Position>,
    /// The columns that identify the row of another table for which each row was loaded.
    pub(crate) joined_by: Vec<usize>,
}

/// One key of an order.
#[derive(Debug, Clone)]
pub(crate) struct OrderKey {
    pub(crate) by: OrderValue,
    /// The condition on a row under which its value is visible; none if it always is.
    pub(crate) visible: Option<Residual>,
    pub(crate) direction: Direction,
}

/// A value of each row to order by.
#[derive(Debug, Clone)]
pub(crate) enum OrderValue {
    /// The value in this column of the row.
    Column(usize),
    Related(RelatedValues),
}

/// A value aggregated over related rows.
#[derive(Debug, Clone)]
pub(crate) struct RelatedValues {
    pub(crate) relation: &'static Relation,
    /// The condition that selects the related rows that count.
    pub(crate) within: Residual,
    pub(crate) found: Found,
    /// The cells that are aggregated; none for the number of rows.
    pub(crate) cell: Option<Masked>,
}

/// A position in an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Position {
    /// The values of a row at this position under each order, null if hidden or null. There are fewer than
    /// orders if the position is not known further.
    pub(crate) values: Vec<HeldValue>,
    /// The rows with the same values that come after it.
    pub(crate) rest: Rest,
}

/// The value of the row at a position under an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum HeldValue {
    Value(Value),
    /// The stored value, which is not null and which no value here represents.
    Stored,
}

impl Position {
    /// Returns whether the statement for the rows after it contains the key of its row.
    pub(super) fn names_its_row(&self, by_key: bool) -> bool {
        by_key || self.values.contains(&HeldValue::Stored)
    }
}

/// The tied rows that come after a position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rest {
    /// The rows after this key: the position is that of a row.
    Behind(Value),
    Every,
    None,
}

/// A grouped aggregation over rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    pub(crate) keys: Vec<Masked>,
    pub(crate) aggregates: Vec<(Function, Option<Masked>)>,
}

/// A column that is null where it is not visible.
#[derive(Debug, Clone)]
pub(crate) struct Masked {
    pub(crate) column: usize,
    pub(crate) visible: Reduced,
}

impl OrderKey {
    /// Renders the value in the order that every engine agrees on, null where it is hidden.
    pub(super) fn masked(&self, renderer: &Renderer) -> Result<Expr> {
        let value = match &self.by {
            OrderValue::Column(column) => renderer.rank(*column)?,
            OrderValue::Related(related) => related.expr(renderer)?,
        };
        Ok(match &self.visible {
            None => value,
            Some(residual) => CaseStatement::new()
                .case(renderer.evaluated(residual)?, value)
                .into(),
        })
    }

    /// Returns whether the order is by this column and hides it in no visible row.
    pub(crate) fn is_by(&self, column: usize) -> bool {
        self.visible.is_none() && matches!(self.by, OrderValue::Column(own) if own == column)
    }

    pub(super) fn is_nullable(&self, renderer: &Renderer) -> Result<bool> {
        Ok(self.visible.is_some()
            || match &self.by {
                OrderValue::Column(column) => {
                    let spec = renderer.spec(*column)?;
                    spec.is_nullable() || spec.kind().names().is_some()
                }
                OrderValue::Related(related) => related.found != Found::Number,
            })
    }

    /// Returns the kind of the value, for reading it.
    pub(crate) fn kind(&self, table: &'static Schema) -> Result<Kind> {
        let (table, column) = match &self.by {
            OrderValue::Column(column) => (table, *column),
            OrderValue::Related(related) => match &related.cell {
                None => return Ok(Kind::Int),
                Some(cell) => (related.relation.target(), cell.column),
            },
        };
        let spec = table.column(column).ok_or_else(|| {
            Error::internal("an order names a column that its table does not have")
        })?;
        Ok(match spec.kind().names() {
            None => spec.kind(),
            Some(_) => Kind::Int,
        })
    }
}

impl RelatedValues {
    fn expr(&self, renderer: &Renderer) -> Result<Expr> {
        let theirs = renderer.across(self.relation);
        let mut rows = theirs.joined(renderer, self.relation, &self.within)?;
        let cell = || match &self.cell {
            Some(cell) => cell.masked(&theirs, theirs.rank(cell.column)?),
            None => Err(Error::internal(
                "an order names a field that the related rows do not have",
            )),
        };
        match self.found {
            Found::Number => rows.expr(Func::count(Expr::cust("*"))),
            Found::Lowest => rows.expr(Func::min(cell()?)),
            Found::Highest => rows.expr(Func::max(cell()?)),
        };
        Ok(Expr::SubQuery(None, Box::new(rows.into())))
    }
}

impl Masked {
    /// Renders the column as a value to group and aggregate, null where it is hidden.
    pub(super) fn expr(&self, renderer: &Renderer) -> Result<Expr> {
        self.masked(renderer, renderer.value(self.column)?)
    }

    fn masked(&self, renderer: &Renderer, value: Expr) -> Result<Expr> {
        Ok(match &self.visible {
            Reduced::Always => value,
            Reduced::Never => renderer.dialect.null(renderer.spec(self.column)?.kind()),
            Reduced::Left(residual) => CaseStatement::new()
                .case(renderer.evaluated(residual)?, value)
                .into(),
        })
    }

    /// Renders its visibility as a flag.
    pub(super) fn flag(&self, renderer: &Renderer) -> Result<Expr> {
        Ok(match &self.visible {
            Reduced::Always => Expr::cust("TRUE"),
            Reduced::Never => Expr::cust("FALSE"),
            Reduced::Left(residual) => CaseStatement::new()
                .case(renderer.evaluated(residual)?, Expr::cust("TRUE"))
                .finally(Expr::cust("FALSE"))
                .into(),
        })
    }
}

/// Returns whether the value is of this kind.
pub(crate) fn is_of(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Bool => matches!(value, Value::Bool(_)),
        Kind::Int => matches!(value, Value::Int(_)),
        Kind::Float => matches!(value, Value::Float(_)),
        Kind::Text | Kind::Enum(_) => matches!(value, Value::Text(_)),
        Kind::Bytes => matches!(value, Value::Bytes(_)),
        Kind::Uuid => matches!(value, Value::Uuid(_)),
        Kind::Timestamp => matches!(value, Value::Timestamp(_)),
    }
}
