//! What is left of rules and filters, as SQL conditions.
//!
//! A residual has no negation and its atoms demand operands that are set. A null operand makes an
//! atom null, and neither AND nor OR makes truth out of null, so a row is taken, or a CASE branch
//! chosen, exactly where the residual holds: no `IS TRUE` is needed, and columns keep their
//! indexes.
//!
//! Text is compared byte by byte. Equality is asked twice: once as the column compares by itself,
//! which can use its index and is never narrower, and once byte-wise, which is exact.

use sea_query::{
    Alias, BinOper, CaseStatement, Expr, ExprTrait as _, IntoColumnRef as _, Query as Statement,
    SelectStatement,
};

use super::dialect::{Compared, Dialect, LONG, Standing};
use crate::dto::Mask;
use crate::entity::{ColumnSpec, Relation, Schema};
use crate::error::{Error, Result};
use crate::policy::{Fulfilled, Kind, Op, Residual, Term, Value};

/// Writes the conditions of one table.
#[derive(Clone, Copy)]
pub(crate) struct Renderer {
    pub(crate) dialect: Dialect,
    pub(crate) table: &'static Schema,
    /// How many relations lead here from the table of the statement.
    depth: usize,
}

impl Renderer {
    pub(crate) const fn new(dialect: Dialect, table: &'static Schema) -> Self {
        Self {
            dialect,
            table,
            depth: 0,
        }
    }

    /// The name that qualifies its columns. A related table has one of its own, because it can be
    /// the same table again.
    fn qualifier(&self) -> Alias {
        if self.depth == 0 {
            Alias::new(self.table.name())
        } else {
            Alias::new(format!("related_{}", self.depth))
        }
    }

    pub(crate) fn spec(&self, column: usize) -> Result<&'static ColumnSpec> {
        self.table
            .column(column)
            .ok_or_else(|| Error::internal("a rule names a column that its table does not have"))
    }

    /// The column of a field.
    pub(crate) fn field(&self, field: &str) -> Result<(usize, &'static ColumnSpec)> {
        self.table
            .position(field)
            .ok_or_else(|| Error::internal("a DTO names a field that its entity does not have"))
    }

    /// The columns that join this table to the other side of its relation.
    pub(crate) fn own_columns(&self, relation: &str) -> Result<Vec<usize>> {
        let pairs = self
            .table
            .relation(relation)
            .and_then(|relation| relation.pairs(self.table))
            .ok_or_else(|| {
                Error::internal("a DTO names a relation that its entity does not have")
            })?;
        Ok(pairs.into_iter().map(|pair| pair.own).collect())
    }

    /// The column, qualified, so that no alias of the query can take its place.
    pub(crate) fn column(&self, column: usize) -> Result<Expr> {
        let name = self.spec(column)?.name();
        Ok(Expr::col(
            (self.qualifier(), Alias::new(name)).into_column_ref(),
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

    /// The column as a value to group and count by: text outside a declared set is none.
    pub(crate) fn value(&self, column: usize) -> Result<Expr> {
        let value = self.ordered(column)?;
        Ok(match self.spec(column)?.kind().names() {
            None => value,
            Some(names) => CaseStatement::new()
                .case(value.clone().is_in(names.iter().copied()), value)
                .into(),
        })
    }

    /// The column as a value to order by: of a declared set, its place among the others.
    pub(crate) fn rank(&self, column: usize) -> Result<Expr> {
        let value = self.ordered(column)?;
        Ok(match self.spec(column)?.kind().names() {
            None => value,
            Some(names) => rank(&value, names),
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
            Residual::Compare { op, column, with } => match with {
                Term::Column(other) => self.compare_columns(*op, *column, self.column(*other)?),
                Term::Value(value) => self.compare_value(*op, *column, value),
            },
            Residual::Among {
                column,
                values,
                wanted,
            } => self.among(*column, values, *wanted),
            Residual::Related {
                relation,
                within,
                own,
                fulfilled,
                condition,
            } => self.related(relation, within, own, *fulfilled, condition),
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

    /// The column compares so with a value, which it may not be able to hold.
    fn compare_value(&self, op: Op, column: usize, value: &Value) -> Result<Expr> {
        match self.dialect.standing(value).compared(op) {
            Compared::Plainly => self.compare(op, column, self.dialect.bind(value)),
            Compared::WhereSet => Ok(self.column(column)?.is_not_null()),
            Compared::Nowhere => Ok(Expr::val(false)),
            Compared::With(op, value) => self.compare(op, column, self.dialect.bind(&value)),
        }
    }

    /// The column is set and is among the values, or is set and is not.
    fn among(&self, column: usize, values: &[Value], wanted: bool) -> Result<Expr> {
        let kind = self.spec(column)?.kind();
        let column = self.column(column)?;
        let values: Vec<&Value> = values
            .iter()
            .filter(|value| self.dialect.standing(value) == Standing::Among)
            .collect();
        if values.is_empty() {
            return Ok(if wanted {
                Expr::val(false)
            } else {
                column.is_not_null()
            });
        }
        let long = (values.len() > LONG).then(|| self.dialect.long_list(kind, &values));
        let within = |column: Expr| match (&long, wanted) {
            (Some(list), true) => column.in_subquery(list.clone()),
            (Some(list), false) => column.not_in_subquery(list.clone()),
            (None, true) => column.is_in(self.bound(&values)),
            (None, false) => column.is_not_in(self.bound(&values)),
        };
        if !is_text(kind) {
            return Ok(within(column));
        }
        let exact = within(self.dialect.bytewise(column.clone()));
        Ok(if wanted && long.is_none() {
            let indexed = column.is_in(self.bound(&values));
            self.dialect.narrowed(indexed, exact)
        } else {
            exact
        })
    }

    fn bound(&self, values: &[&Value]) -> Vec<Expr> {
        let values = values.iter();
        values.map(|value| self.dialect.bind(value)).collect()
    }

    /// The column compares so with another one. Text compares by bytes alone: the two may have
    /// collations of their own, between which an engine does not choose.
    fn compare_columns(&self, op: Op, column: usize, other: Expr) -> Result<Expr> {
        let text = is_text(self.spec(column)?.kind());
        let column = self.column(column)?;
        let column = if text {
            self.dialect.bytewise(column)
        } else {
            column
        };
        Ok(compare(op, column, other))
    }

    /// The column compares so with a bound value.
    fn compare(&self, op: Op, column: usize, right: Expr) -> Result<Expr> {
        let text = is_text(self.spec(column)?.kind());
        let left = self.column(column)?;
        if !text {
            return Ok(compare(op, left, right));
        }
        let exact = compare(op, self.dialect.bytewise(left.clone()), right.clone());
        Ok(match op {
            Op::Eq => self.dialect.narrowed(compare(Op::Eq, left, right), exact),
            Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => exact,
        })
    }

    /// "Every row fulfils it" is asked as "no row does not", and a condition over a null operand
    /// is null: a row for which it is not plainly true must count.
    fn related(
        &self,
        relation: &'static Relation,
        within: &Residual,
        written: &[(usize, Value)],
        fulfilled: Fulfilled,
        condition: &Residual,
    ) -> Result<Expr> {
        let theirs = self.across(relation);
        let mut rows = theirs.joined(self, relation, within, written)?;
        rows.expr(Expr::val(1));
        Ok(match fulfilled {
            Fulfilled::BySome => {
                if *condition != Residual::All(Vec::new()) {
                    rows.and_where(theirs.condition(condition)?);
                }
                Expr::exists(rows)
            }
            Fulfilled::ByEvery => {
                if *condition != Residual::Any(Vec::new()) {
                    let holds = theirs.condition(condition)?;
                    rows.and_where(
                        holds.binary(BinOper::IsNot, Expr::custom_keyword(Alias::new("TRUE"))),
                    );
                }
                Expr::exists(rows).not()
            }
        })
    }

    /// A writer for the table on the other side of `relation`.
    pub(crate) fn across(&self, relation: &'static Relation) -> Self {
        Self {
            dialect: self.dialect,
            table: relation.target(),
            depth: self.depth + 1,
        }
    }

    /// The rows of this table that are `within`, and that `relation` joins to the row that `own`
    /// speaks of, once it has the values that are `written`.
    pub(crate) fn joined(
        &self,
        own: &Self,
        relation: &Relation,
        within: &Residual,
        written: &[(usize, Value)],
    ) -> Result<SelectStatement> {
        let pairs = relation.pairs(own.table).ok_or_else(|| {
            Error::internal("a relation names a field that its table does not have")
        })?;
        let mut rows = Statement::select();
        rows.from_as(Alias::new(self.table.name()), self.qualifier());
        for pair in pairs {
            let value = written.iter().find(|(column, _)| *column == pair.own);
            rows.and_where(match value {
                None => self.compare_columns(Op::Eq, pair.theirs, own.column(pair.own)?)?,
                // Nothing is joined to a null.
                Some((_, Value::Null)) => Expr::val(false),
                Some((_, value)) => self.compare_value(Op::Eq, pair.theirs, value)?,
            });
        }
        if *within != Residual::All(Vec::new()) {
            rows.and_where(self.condition(within)?);
        }
        Ok(rows)
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

/// The place of a text among `names`; null where it is none of them.
pub(super) fn rank(text: &Expr, names: &[&'static str]) -> Expr {
    let places = names.iter().enumerate();
    let rank = places.fold(CaseStatement::new(), |rank, (place, name)| {
        rank.case(text.clone().eq(*name), Expr::cust(place.to_string()))
    });
    rank.into()
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
