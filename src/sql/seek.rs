//! Rows that come after another in an order, as a condition.

use sea_query::{Expr, ExprTrait as _};

use super::question::{Position, Question};
use super::render::Renderer;
use crate::dto::Direction;
use crate::error::{Error, Result};
use crate::policy::Value;

/// The rows that stand after `position` in the order of `question`.
///
/// Nulls stand last in either direction, and a hidden cell is null here, so that the condition
/// tells no more of it than the order does.
pub(super) fn after(renderer: &Renderer, question: &Question, position: &Position) -> Result<Expr> {
    if position.values.len() != question.order.len() {
        return Err(Error::internal("a position belongs to another order"));
    }
    let key = renderer.ordered(renderer.table.key())?;
    let mut after = key.gt(renderer.dialect.bind(&position.key));
    for (key, value) in question.order.iter().zip(&position.values).rev() {
        let column = key.masked(renderer)?;
        if *value == Value::Null {
            after = column.is_null().and(after);
            continue;
        }
        let bound = || renderer.dialect.bind(value);
        let (beyond, from) = match key.direction {
            Direction::Ascending => (column.clone().gt(bound()), column.clone().gte(bound())),
            Direction::Descending => (column.clone().lt(bound()), column.clone().lte(bound())),
        };
        after = if key.is_nullable(renderer)? {
            let tied = column.clone().eq(bound()).and(after);
            beyond.or(column.is_null()).or(tied)
        } else {
            // The same as `beyond OR (tied AND after)`, with a bound that an index can serve.
            from.and(beyond.or(after))
        };
    }
    Ok(after)
}
