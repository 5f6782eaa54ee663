//! Evaluation of several conditions at once, over a stored row or over values alone.

use sea_query::{CaseStatement, Expr, Query as Statement};

use super::lookup::lookup;
use super::render::Renderer;
use crate::driver::{Db, Dialect, Ready};
use crate::entity::Entity;
use crate::error::Result;
use crate::policy::{Residual, Value};

impl Db {
    /// Returns which of the conditions hold of the row with this key, or `None` if there is no such row.
    /// Without a key they are conditions on a row that is yet to be inserted, and read related rows only.
    pub(crate) async fn truths<E: Entity>(
        &self,
        key: Option<&Value>,
        conditions: &[Residual],
    ) -> Result<Option<Vec<bool>>> {
        let statement = truths::<E>(self.dialect(), key, conditions)?;
        let Some(row) = self.fetch_optional(&statement).await? else {
            return Ok(None);
        };
        let truths = (1..=conditions.len()).map(|index| row.flag(index));
        truths.collect::<Result<_>>().map(Some)
    }
}

fn truths<E: Entity>(
    dialect: Dialect,
    key: Option<&Value>,
    conditions: &[Residual],
) -> Result<Ready> {
    Ready::searching(dialect, |dialect| {
        let renderer = Renderer::new(dialect, E::__table());
        let mut statement = Statement::select();
        // The row is found even without a condition.
        statement.expr(Expr::val(1));
        for condition in conditions {
            let condition = renderer.evaluated(condition)?;
            statement.expr(
                CaseStatement::new()
                    .case(condition, Expr::cust("TRUE"))
                    .finally(Expr::cust("FALSE")),
            );
        }
        match key {
            Some(key) => {
                statement.from(renderer.source()).and_where(lookup(
                    &renderer,
                    renderer.table.key(),
                    key,
                )?);
            }
            None => dialect.without_table(&mut statement),
        }
        Ok(statement)
    })
}
