//! Lookups: the condition that a column has a value.

use sea_query::Expr;

use super::render::Renderer;
use crate::error::{Error, Result};
use crate::policy::{Reduced, Value};

/// Renders the condition that `column` has `value`, as every rule compares.
pub(super) fn lookup(renderer: &Renderer, column: usize, value: &Value) -> Result<Expr> {
    let kind = renderer.spec(column)?.kind();
    match crate::policy::compare_with(crate::policy::Op::Eq, column, kind, value.clone()) {
        Ok(Reduced::Left(residual)) => renderer.condition(&residual),
        Ok(Reduced::Always) => Ok(Expr::val(true)),
        Ok(Reduced::Never) => Ok(Expr::val(false)),
        Err(_) => Err(Error::misuse(
            "a lookup compares a column with a value of another kind",
        )),
    }
}
