//! What is left of rules and filters, as SQL conditions.
//!
//! A residual has no negation and its atoms demand operands that are set. A null operand makes an
//! atom null, and neither AND nor OR makes truth out of null, so a row is taken, or a CASE branch
//! chosen, exactly where the residual holds: no `IS TRUE` is needed, and columns keep their
//! indexes.
//!
//! Text is compared byte by byte. Equality is asked twice: once as the column compares by itself,
//! which can use its index and is never narrower, and once byte-wise, which is exact.

use sea_query::{Alias, CaseStatement, Expr, ExprTrait as _, IntoColumnRef as _};

use super::dialect::Dialect;
use crate::dto::Mask;
use crate::entity::{ColumnSpec, Schema};
use crate::error::{Error, Result};
use crate::policy::{Kind, Op, Residual, Term};

/// Writes the conditions of one table.
pub(crate) struct Renderer {
    pub(crate) dialect: Dialect,
    pub(crate) table: &'static Schema,
}

impl Renderer {
    pub(crate) fn spec(&self, column: usize) -> Result<&'static ColumnSpec> {
        self.table
            .column(column)
            .ok_or_else(|| Error::internal("a rule names a column that its table does not have"))
    }

    /// The column, qualified, so that no alias of the query can take its place.
    pub(crate) fn column(&self, column: usize) -> Result<Expr> {
        let name = self.spec(column)?.name();
        Ok(Expr::col(
            (Alias::new(self.table.name()), Alias::new(name)).into_column_ref(),
        ))
    }

    /// The column in the order that every engine agrees on.
    pub(crate) fn ordered(&self, column: usize) -> Result<Expr> {
        let expr = self.column(column)?;
        Ok(if is_text(self.spec(column)?.kind()) {
            self.dialect.bytewise(expr)
        } else {
            expr
        })
    }

    pub(crate) fn mask(&self, mask: Mask, column: usize) -> Result<Expr> {
        Ok(self.dialect.mask(mask, self.column(column)?))
    }

    pub(crate) fn condition(&self, residual: &Residual) -> Result<Expr> {
        match residual {
            Residual::All(parts) => self.join(parts, Expr::and, true),
            Residual::Any(parts) => self.join(parts, Expr::or, false),
            Residual::Flag { column, wanted } => {
                let column = self.column(*column)?;
                // SQLite takes any number but 0 for true, and so does the reading of a row.
                Ok(if *wanted {
                    column.ne(false)
                } else {
                    column.eq(false)
                })
            }
            Residual::Null { column, wanted } => {
                let column = self.column(*column)?;
                Ok(if *wanted {
                    column.is_null()
                } else {
                    column.is_not_null()
                })
            }
            Residual::Compare { op, column, with } => {
                let text = is_text(self.spec(*column)?.kind());
                let left = self.column(*column)?;
                let right = match with {
                    Term::Column(column) => self.column(*column)?,
                    Term::Value(value) => self.dialect.bind(value),
                };
                if !text {
                    return Ok(compare(*op, left, right));
                }
                let exact = compare(*op, self.dialect.bytewise(left.clone()), right.clone());
                Ok(match op {
                    Op::Eq => compare(Op::Eq, left, right).and(exact),
                    Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => exact,
                })
            }
            Residual::Among {
                column,
                values,
                wanted,
            } => {
                let text = is_text(self.spec(*column)?.kind());
                let column = self.column(*column)?;
                let values: Vec<_> = values
                    .iter()
                    .map(|value| self.dialect.bind(value))
                    .collect();
                if !text {
                    return Ok(if *wanted {
                        column.is_in(values)
                    } else {
                        column.is_not_in(values)
                    });
                }
                let exact = self.dialect.bytewise(column.clone());
                Ok(if *wanted {
                    column.is_in(values.clone()).and(exact.is_in(values))
                } else {
                    exact.is_not_in(values)
                })
            }
            Residual::Text {
                column,
                place,
                needle,
                wanted,
            } => {
                let column = self.column(*column)?;
                let found = self.dialect.within(*place, column.clone(), needle);
                Ok(if *wanted {
                    found
                } else {
                    column.is_not_null().and(found.not())
                })
            }
            Residual::Guarded { rule, test } => {
                // A CASE is worked out in its order, unlike the sides of AND.
                let rule = self.condition(rule)?;
                Ok(CaseStatement::new()
                    .case(rule, self.condition(test)?)
                    .into())
            }
            Residual::Opaque { .. } => Err(Error::internal(
                "a rule that runs in Rust only stands where the database must decide",
            )),
        }
    }

    fn join(&self, parts: &[Residual], join: fn(Expr, Expr) -> Expr, empty: bool) -> Result<Expr> {
        let mut joined = None;
        for part in parts {
            let part = self.condition(part)?;
            joined = Some(match joined {
                None => part,
                Some(left) => join(left, part),
            });
        }
        Ok(joined.unwrap_or_else(|| Expr::val(empty)))
    }
}

fn compare(op: Op, left: Expr, right: Expr) -> Expr {
    match op {
        Op::Eq => left.eq(right),
        Op::Ne => left.ne(right),
        Op::Lt => left.lt(right),
        Op::Le => left.lte(right),
        Op::Gt => left.gt(right),
        Op::Ge => left.gte(right),
    }
}

fn is_text(kind: Kind) -> bool {
    match kind {
        Kind::Text | Kind::Enum(_) => true,
        Kind::Bool | Kind::Int | Kind::Float | Kind::Bytes | Kind::Uuid | Kind::Timestamp => false,
    }
}
