//! What a caller asks for, with every name resolved and every rule built in.

use sea_query::{CaseStatement, Expr, Func};

use super::cells::Slot;
use super::render::Renderer;
use crate::dto::Direction;
use crate::entity::{Relation, Schema};
use crate::error::{Error, Result};
use crate::policy::{Kind, Reduced, Residual, Value};

/// Which rows, in which order, from where on and how many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    /// Columns that must equal a value, whatever rules the DTO's fields have.
    pub(crate) lookups: Vec<(usize, Value)>,
    /// What the filter comes to.
    pub(crate) filter: Option<Residual>,
    pub(crate) order: Vec<OrderKey>,
    /// Rows that tie in every order stand by key. Not set where the last order is by the key, so that no
    /// rows tie.
    pub(crate) by_key: bool,
    pub(crate) limit: Option<u64>,
    /// Each row tells where it stands in the order, for a page to go on from.
    pub(crate) pages: bool,
    /// Each row is given as it is stored, by the names of its columns, and nothing is cut.
    pub(crate) whole: bool,
    /// Only rows that come after this one.
    pub(crate) after: Option<Position>,
    /// Columns that tell which row of another table each row was asked for.
    pub(crate) joined_by: Vec<usize>,
}

/// What rows are ordered by.
#[derive(Debug, Clone)]
pub(crate) struct OrderKey {
    pub(crate) by: By,
    /// What must hold of a row for it to be visible, if anything.
    pub(crate) visible: Option<Residual>,
    pub(crate) direction: Direction,
}

/// A value of each row to order by.
#[derive(Debug, Clone)]
pub(crate) enum By {
    /// What it holds in this column.
    Column(usize),
    Related(Related),
}

/// A value found over related rows.
#[derive(Debug, Clone)]
pub(crate) struct Related {
    pub(crate) relation: &'static Relation,
    /// Which of them count.
    pub(crate) within: Residual,
    pub(crate) found: Found,
    /// The cells it is found among; none for their number.
    pub(crate) cell: Option<Masked>,
}

/// What is found over related rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// How many there are.
    Number,
    /// Their lowest visible cell.
    Lowest,
    /// Their highest visible cell.
    Highest,
}

/// A place in an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Position {
    /// What a row there has under each order, null where that is hidden or null. They are fewer than the
    /// orders where it is not known further.
    pub(crate) values: Vec<Held>,
    /// Which of the rows that have the same come after it.
    pub(crate) rest: Rest,
}

/// What the row at a place has under an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Held {
    Value(Value),
    /// What is stored, which is not null and which no value here stands for.
    Stored,
}

impl Position {
    /// Whether the statement of the rows behind it has the key of its row.
    pub(super) fn names_its_row(&self, by_key: bool) -> bool {
        by_key || self.values.contains(&Held::Stored)
    }
}

/// Which of the rows that tie come after a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rest {
    /// Those behind this key: the place is that of a row.
    Behind(Value),
    Every,
    None,
}

/// How to read the rows of a statement.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) slots: Vec<Slot>,
    /// Where the whole entity stands, when a rule that runs in Rust needs it.
    pub(crate) entity: Option<Vec<Slot>>,
    /// Where a row's [`Position`] stands, its key last.
    pub(crate) position: Vec<(usize, Kind)>,
    /// Where the inputs of a computed field stand, by field.
    pub(crate) computed: Vec<(usize, Vec<usize>)>,
    pub(crate) nested: Vec<Join>,
    /// Where the columns stand that the question wants rows to be told apart by.
    pub(crate) joined_by: Vec<(usize, Kind)>,
}

/// What joins a row to the rows that one of its fields shows.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) field: usize,
    pub(crate) columns: Vec<(usize, Kind)>,
}

/// Groups and sums over rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    pub(crate) keys: Vec<Masked>,
    pub(crate) aggregates: Vec<(Function, Option<Masked>)>,
}

/// A column where it is visible, and null elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Masked {
    pub(crate) column: usize,
    pub(crate) visible: Reduced,
}

/// What is made of the visible cells of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// How many rows there are, visible cells or not.
    Rows,
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
}

impl OrderKey {
    /// The column in the order that every engine agrees on, null where it is hidden.
    pub(super) fn masked(&self, renderer: &Renderer) -> Result<Expr> {
        let value = match &self.by {
            By::Column(column) => renderer.rank(*column)?,
            By::Related(related) => related.expr(renderer)?,
        };
        Ok(match &self.visible {
            None => value,
            Some(residual) => CaseStatement::new()
                .case(renderer.evaluated(residual)?, value)
                .into(),
        })
    }

    /// Whether it is this column, seen by whoever sees the row.
    pub(crate) fn is_by(&self, column: usize) -> bool {
        self.visible.is_none() && matches!(self.by, By::Column(own) if own == column)
    }

    pub(super) fn is_nullable(&self, renderer: &Renderer) -> Result<bool> {
        Ok(self.visible.is_some()
            || match &self.by {
                By::Column(column) => {
                    let spec = renderer.spec(*column)?;
                    spec.is_nullable() || spec.kind().names().is_some()
                }
                By::Related(related) => related.found != Found::Number,
            })
    }

    /// What the value is, for reading it.
    pub(crate) fn kind(&self, table: &'static Schema) -> Result<Kind> {
        let (table, column) = match &self.by {
            By::Column(column) => (table, *column),
            By::Related(related) => match &related.cell {
                None => return Ok(Kind::Int),
                Some(cell) => (related.relation.target(), cell.column),
            },
        };
        let spec = table
            .column(column)
            .ok_or_else(|| Error::internal("an order names no column of its table"))?;
        Ok(match spec.kind().names() {
            None => spec.kind(),
            Some(_) => Kind::Int,
        })
    }
}

impl Related {
    fn expr(&self, renderer: &Renderer) -> Result<Expr> {
        let theirs = renderer.across(self.relation);
        let mut rows = theirs.joined(renderer, self.relation, &self.within)?;
        let cell = || match &self.cell {
            Some(cell) => cell.masked(&theirs, theirs.rank(cell.column)?),
            None => Err(Error::internal("an order names no field of related rows")),
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
    /// The column in the order that every engine agrees on, null where it is hidden.
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

    /// Whether it is visible, as a flag.
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

/// Whether it is a value of this kind.
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
