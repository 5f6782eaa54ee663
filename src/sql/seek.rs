//! Keyset pagination: the condition on rows that come after another one in an order.

use sea_query::{Expr, ExprTrait as _, Query as Statement};

use super::lookup::lookup;
use super::query::{HeldValue, OrderKey, Position, Query, Rest};
use super::render::Renderer;
use crate::dto::Direction;
use crate::error::{Error, Result};
use crate::policy::Value;

/// Renders the condition on the rows that come after `position` in the order of `question`.
///
/// Nulls come last in either direction, and a hidden cell is null here, so that the condition reveals no
/// more of it than the order does.
pub(super) fn after(renderer: &Renderer, question: &Query, position: &Position) -> Result<Expr> {
    let of_row = matches!(position.rest, Rest::Behind(_));
    let (known, orders) = (position.values.len(), question.order.len());
    if known > orders || (of_row && known < orders) {
        return Err(Error::internal("a position belongs to another order"));
    }
    // The condition on rows that tie in all orders so far; none if no two rows tie.
    let mut tied = match &position.rest {
        Rest::Behind(key) if question.by_key => {
            let own = renderer.ordered(renderer.table.key())?;
            Some(own.gt(renderer.dialect.bind(key)))
        }
        Rest::Every => Some(Expr::cust("TRUE")),
        Rest::Behind(_) | Rest::None => None,
    };
    for (key, value) in question.order.iter().zip(&position.values).rev() {
        let column = key.masked(renderer)?;
        let bound = match value {
            HeldValue::Value(Value::Null) => {
                let after = tied.unwrap_or_else(|| Expr::val(false));
                tied = Some(column.is_null().and(after));
                continue;
            }
            HeldValue::Value(value) => renderer.dialect.bind(value),
            HeldValue::Stored => stored(renderer, key, &position.rest)?,
        };
        let bound = || bound.clone();
        let (beyond, from) = match key.direction {
            Direction::Ascending => (column.clone().gt(bound()), column.clone().gte(bound())),
            Direction::Descending => (column.clone().lt(bound()), column.clone().lte(bound())),
        };
        tied = Some(match (tied, key.is_nullable(renderer)?) {
            (None, false) => beyond,
            (None, true) => beyond.or(column.is_null()),
            (Some(tied), true) => {
                let tied = column.clone().eq(bound()).and(tied);
                beyond.or(column.is_null()).or(tied)
            }
            // Equivalent to `beyond OR (equal AND tied)`, with a bound that an index can serve.
            (Some(tied), false) => from.and(beyond.or(tied)),
        });
    }
    tied.ok_or_else(|| Error::internal("a page has no order"))
}

/// Renders the value of the row at the position under an order, as this viewer sees it, by a subquery.
fn stored(renderer: &Renderer, key: &OrderKey, rest: &Rest) -> Result<Expr> {
    let Rest::Behind(of) = rest else {
        return Err(Error::internal("a position names no row"));
    };
    let again = renderer.again();
    let mut row = Statement::select();
    row.expr(key.masked(&again)?).from(again.source());
    row.and_where(lookup(&again, again.table.key(), of)?);
    Ok(Expr::SubQuery(None, Box::new(row.into())))
}
