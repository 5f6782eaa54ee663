//! Counts, sums and groups over the cells that this viewer may see.

use sea_query::{Alias, Expr, ExprTrait as _, Func, Order, Query as Statement, SelectStatement};

use super::query::{Query, Summary};
use super::render::{Renderer, rank};
use super::select::restrict;
use crate::driver::{Dialect, Row};
use crate::dto::{Aggregated, FieldDecisions, Function};
use crate::entity::Schema;
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind, Value};

/// Builds the statement of `summary`. An inner select masks cells, so that the outer one groups and sums
/// only what the viewer may see, and each expression is in the text once.
pub(super) fn summarize(
    dialect: Dialect,
    table: &'static Schema,
    decided: &FieldDecisions,
    question: &Query,
    summary: &Summary,
) -> Result<SelectStatement> {
    let renderer = Renderer::new(dialect, table);
    let mut inner = Statement::select();
    let mut outer = Statement::select();
    for (number, key) in summary.keys.iter().enumerate() {
        let (flag, value) = key_names(number);
        inner.expr_as(key.flag(&renderer)?, Alias::new(&flag));
        inner.expr_as(key.expr(&renderer)?, Alias::new(&value));
        let (flag, value) = (inner_column(flag), inner_column(value));
        outer.expr(flag.clone()).expr(value.clone());
        outer.add_group_by([flag.clone(), value.clone()]);
        // Groups are ordered by their keys; nulls come last, and hidden keys after them.
        outer.order_by_expr(flag, Order::Desc);
        outer.order_by_expr(value.clone().is_null(), Order::Asc);
        let value = match renderer.spec(key.column)?.kind().names() {
            None => value,
            Some(names) => rank(&value, names),
        };
        outer.order_by_expr(value, Order::Asc);
    }
    for (number, (function, cell)) in summary.aggregates.iter().enumerate() {
        let name = format!("cell_{number}");
        if let Some(cell) = cell {
            inner.expr_as(cell.expr(&renderer)?, Alias::new(&name));
        }
        let cell = || inner_column(name.clone());
        match function {
            Function::Rows => {
                outer.expr(Func::count(Expr::cust("*")));
            }
            Function::Count => {
                outer.expr(Func::count(cell()));
            }
            Function::CountDistinct => {
                outer.expr(Func::count_distinct(cell()));
            }
            Function::Sum => {
                outer.exprs(dialect.sum(cell()));
            }
            Function::Average => {
                outer.exprs(dialect.sum(cell()));
                outer.expr(Func::count(cell()));
            }
            Function::Min => {
                outer.expr(Func::min(cell()));
            }
            Function::Max => {
                outer.expr(Func::max(cell()));
            }
        }
    }
    // Needed if nothing else is selected.
    inner.expr_as(Expr::cust("1"), Alias::new("present"));
    inner.from(renderer.source());
    restrict(&renderer, &mut inner, decided, question)?;
    outer.from_subquery(inner, Alias::new(CELLS));
    Ok(outer)
}

/// The alias of the inner select in the outer one.
const CELLS: &str = "cells";

fn inner_column(name: String) -> Expr {
    Expr::col((Alias::new(CELLS), Alias::new(name)))
}

fn key_names(number: usize) -> (String, String) {
    (format!("key_{number}_visible"), format!("key_{number}"))
}

/// Reads one row of a [`Summary`]: its keys, `None` if they are hidden, and its results.
pub(crate) fn read(
    row: &Row,
    summary: &Summary,
    table: &Schema,
) -> Result<(Vec<Option<Value>>, Vec<Aggregated>)> {
    let kind = |column: usize| match table.column(column) {
        Some(spec) => Ok(spec.kind()),
        None => Err(Error::internal(
            "an aggregate names a column that its table does not have",
        )),
    };
    let mut at = 0;
    let mut next = || {
        at += 1;
        at - 1
    };
    let mut keys = Vec::with_capacity(summary.keys.len());
    for key in &summary.keys {
        let (flag, value) = (next(), next());
        keys.push(if row.flag(flag)? {
            Some(row.cell(value, kind(key.column)?)?.into_value())
        } else {
            None
        });
    }
    let mut answers = Vec::with_capacity(summary.aggregates.len());
    for (function, cell) in &summary.aggregates {
        answers.push(match (function, cell) {
            (Function::Rows | Function::Count | Function::CountDistinct, _) => {
                Aggregated::Count(count(row, next())?)
            }
            (Function::Sum, _) => Aggregated::Sum(sum(row, next(), next())?),
            (Function::Average, _) => {
                let sum = sum(row, next(), next())?;
                let count = count(row, next())?;
                Aggregated::Average(sum.map(|sum| (sum, count)))
            }
            (Function::Min | Function::Max, Some(cell)) => {
                Aggregated::Value(row.cell(next(), kind(cell.column)?)?.into_value())
            }
            (Function::Min | Function::Max, None) => {
                return Err(Error::internal("an aggregate names no field"));
            }
        });
    }
    Ok((keys, answers))
}

fn count(row: &Row, at: usize) -> Result<u64> {
    integer(row, at)?
        .and_then(|count| count.try_into().ok())
        .ok_or_else(|| Error::internal("a count is not a number"))
}

/// Reads a sum; see [`Dialect::sum`].
fn sum(row: &Row, high: usize, low: usize) -> Result<Option<i128>> {
    let (high, low) = (integer(row, high)?, integer(row, low)?);
    Ok(high
        .zip(low)
        .map(|(high, low)| (i128::from(high) << 32) + i128::from(low)))
}

fn integer(row: &Row, at: usize) -> Result<Option<i64>> {
    match row.cell(at, Kind::Int)? {
        Cell::Int(value) => Ok(Some(value)),
        Cell::Null => Ok(None),
        Cell::Bool(_)
        | Cell::Float(_)
        | Cell::Text(_)
        | Cell::Bytes(_)
        | Cell::Uuid(_)
        | Cell::Timestamp(_) => Err(Error::internal("a sum is not an integer")),
    }
}
