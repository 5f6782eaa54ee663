//! Rendering of residuals, of rules and filters, as SQL conditions.
//!
//! A residual has no negation and its atoms require operands that are set. A null operand makes an atom
//! null, and neither AND nor OR makes null true, so a row is selected, or a CASE branch chosen, exactly
//! where the residual holds: no `IS TRUE` is needed, and columns keep their indexes (decision 3).
//!
//! Text is compared byte by byte. Equality that finds rows is rendered twice: once by the column's own
//! comparison, which can use its index and is never narrower, and once byte-wise, which is exact.

use sea_query::{
    Alias, BinOper, CaseStatement, Expr, ExprTrait as _, IntoColumnRef as _, IntoTableRef as _,
    Query as Statement, SelectStatement, TableRef,
};

use super::sizes::{filled, filled_if_many};
use crate::bounded::balanced;
use crate::driver::{ComparedAs, Dialect, Storability};
use crate::dto::Mask;
use crate::entity::{ColumnSpec, Relation, Schema};
use crate::error::{Error, Result};
use crate::policy::{Fulfilled, Kind, Op, Place, Residual, Term, Value};

/// A renderer for the conditions of one table.
#[derive(Clone, Copy)]
pub(crate) struct Renderer {
    pub(crate) dialect: Dialect,
    pub(crate) table: &'static Schema,
    /// The number of relations that lead here from the table of the statement.
    depth: usize,
    aliases: Aliases,
    /// Set if its conditions find rows, so that an index may serve them.
    finds: bool,
    /// Set if it renders a change, before which no related row that permits it may change.
    changes: bool,
}

/// The aliases of the tables in a statement.
#[derive(Clone, Copy)]
enum Aliases {
    /// This letter and the depth of the table.
    All(char),
    /// The same, except that the table of the statement keeps its own name.
    Related(char),
}

impl Renderer {
    pub(crate) const fn new(dialect: Dialect, table: &'static Schema) -> Self {
        Self {
            dialect,
            table,
            depth: 0,
            aliases: Aliases::All('t'),
            finds: true,
            changes: false,
        }
    }

    /// Creates a renderer for an INSERT or an UPDATE of `table`.
    pub(crate) const fn changing(dialect: Dialect, table: &'static Schema) -> Self {
        Self {
            changes: true,
            ..Self::new(dialect, table)
        }
    }

    /// Creates a renderer for a DELETE from `table`.
    pub(crate) fn deleting(dialect: Dialect, table: &'static Schema) -> Self {
        if dialect.deletes_by_alias() {
            return Self::changing(dialect, table);
        }
        // An alias that begins with another letter than the table cannot be its name.
        let is_taken = table.name().starts_with(['t', 'T']);
        Self {
            aliases: Aliases::Related(if is_taken { 'u' } else { 't' }),
            ..Self::changing(dialect, table)
        }
    }

    /// Returns the name that qualifies its columns: the library's own for each table of a statement, so
    /// that it is never confused with a name of the application's (decision 52). Each depth has one,
    /// because a related table can be the same table again.
    fn qualifier(&self) -> Alias {
        match (self.aliases, self.depth) {
            (Aliases::Related(_), 0) => Alias::new(self.table.name()),
            (Aliases::All(letter) | Aliases::Related(letter), depth) => {
                Alias::new(format!("{letter}{depth}"))
            }
        }
    }

    /// Returns its table, to be read or changed, under the name that qualifies its columns.
    pub(crate) fn source(&self) -> TableRef {
        let table = Alias::new(self.table.name()).into_table_ref();
        match (self.aliases, self.depth) {
            (Aliases::Related(_), 0) => table,
            (Aliases::All(_) | Aliases::Related(_), _) => table.alias(self.qualifier()),
        }
    }

    pub(crate) fn spec(&self, column: usize) -> Result<&'static ColumnSpec> {
        self.table
            .column(column)
            .ok_or_else(|| Error::internal("a rule names a column that its table does not have"))
    }

    /// Returns the index and the column of a field.
    pub(crate) fn field(&self, field: &str) -> Result<(usize, &'static ColumnSpec)> {
        self.table
            .position(field)
            .ok_or_else(|| Error::internal("a DTO names a field that its entity does not have"))
    }

    /// Returns the columns that join this table to the other side of its relation.
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

    /// Renders the column, qualified, so that no alias of the query can take its place.
    pub(crate) fn column(&self, column: usize) -> Result<Expr> {
        let name = self.spec(column)?.name();
        Ok(Expr::col(
            (self.qualifier(), Alias::new(name)).into_column_ref(),
        ))
    }

    /// Renders the column in the order that every engine agrees on.
    pub(crate) fn ordered(&self, column: usize) -> Result<Expr> {
        let expr = self.column(column)?;
        Ok(if is_text(self.spec(column)?.kind()) {
            self.dialect.bytewise(expr)
        } else {
            expr
        })
    }

    /// Renders the column as a value to group and count by: text outside a declared set is null, and so is
    /// an infinite instant.
    pub(crate) fn value(&self, column: usize) -> Result<Expr> {
        let value = self.ordered(column)?;
        let kind = self.spec(column)?.kind();
        Ok(match kind.names() {
            None if kind == Kind::Timestamp => self.dialect.finite(value),
            None => value,
            Some(names) => CaseStatement::new()
                .case(value.clone().is_in(names.iter().copied()), value)
                .into(),
        })
    }

    /// Renders the column as a value to order by: for a declared set, its position in the set.
    pub(crate) fn rank(&self, column: usize) -> Result<Expr> {
        let kind = self.spec(column)?.kind();
        Ok(match kind.names() {
            None if kind == Kind::Text && column != self.table.key() => {
                self.dialect.sortable(self.column(column)?)
            }
            None => self.ordered(column)?,
            Some(names) => rank(&self.ordered(column)?, names),
        })
    }

    pub(crate) fn mask(&self, mask: Mask, column: usize) -> Result<Expr> {
        Ok(self.dialect.mask(mask, self.column(column)?))
    }

    /// Renders a condition that is evaluated for each row that others found, as in a CASE or an order: no
    /// index serves it, so text is compared once (decision 45).
    pub(crate) fn evaluated(&self, residual: &Residual) -> Result<Expr> {
        let finds = false;
        Self { finds, ..*self }.condition(residual)
    }

    /// Renders a condition. It is on the stack once for each level of a filter that a client builds, and so
    /// is the function that it calls for the parts: both keep little there (decision 54).
    pub(crate) fn condition(&self, residual: &Residual) -> Result<Expr> {
        match residual {
            Residual::All(parts) => self.join(parts, Expr::and, true),
            Residual::Any(parts) => self.join(parts, Expr::or, false),
            Residual::Flag { .. }
            | Residual::Null { .. }
            | Residual::Compare { .. }
            | Residual::Among { .. }
            | Residual::Related { .. }
            | Residual::Text { .. }
            | Residual::Guarded { .. }
            | Residual::Opaque { .. } => self.one(residual),
        }
    }

    /// Renders a condition that is no list of parts.
    #[inline(never)]
    fn one(&self, residual: &Residual) -> Result<Expr> {
        match residual {
            Residual::All(_) | Residual::Any(_) => self.condition(residual),
            Residual::Flag { column, wanted } => {
                let column = self.column(*column)?;
                // SQLite takes any number but 0 as true, and so does the reading of a row.
                Ok(if *wanted {
                    column.ne(false)
                } else {
                    column.eq(false)
                })
            }
            Residual::Null { column, wanted } => {
                if *wanted {
                    self.is_unset(*column)
                } else {
                    self.is_set(*column)
                }
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
                let text = self.column(*column)?;
                let found = match place {
                    Place::AtStart(before) => {
                        return self.prefixed(*column, needle, before, *wanted);
                    }
                    Place::Anywhere => self.dialect.contains(text.clone(), needle),
                    Place::AtEnd => self.dialect.ends(text.clone(), needle),
                };
                Ok(if *wanted {
                    found
                } else {
                    text.is_not_null().and(found.not())
                })
            }
            Residual::Guarded { rule, test } => {
                // A CASE is evaluated in its order, unlike the sides of AND.
                let rule = self.evaluated(rule)?;
                Ok(CaseStatement::new()
                    .case(rule, self.evaluated(test)?)
                    .into())
            }
            Residual::Opaque { .. } => Err(Error::internal(
                "a rule that runs in Rust only is used where the database must decide",
            )),
        }
    }

    fn is_set(&self, column: usize) -> Result<Expr> {
        Ok(match self.is_instant(column)? {
            Some(is_instant) => is_instant,
            None => self.column(column)?.is_not_null(),
        })
    }

    fn is_unset(&self, column: usize) -> Result<Expr> {
        let is_null = self.column(column)?.is_null();
        Ok(match self.is_instant(column)? {
            Some(is_instant) => is_null.or(is_instant.not()),
            None => is_null,
        })
    }

    /// Renders the condition that a column of instants holds one, if the engine takes other values as the
    /// earliest.
    fn is_instant(&self, column: usize) -> Result<Option<Expr>> {
        Ok(match self.spec(column)?.kind() {
            Kind::Timestamp => self.dialect.is_instant(self.column(column)?),
            Kind::Bool
            | Kind::Int
            | Kind::Float
            | Kind::Text
            | Kind::Enum(_)
            | Kind::Bytes
            | Kind::Uuid => None,
        })
    }

    /// Renders the comparison of the column with a value, which it may not be able to hold.
    fn compare_value(&self, op: Op, column: usize, value: &Value) -> Result<Expr> {
        match self.dialect.standing(value).compared(op) {
            ComparedAs::Plainly => self.compare(op, column, self.dialect.bind(value)),
            ComparedAs::WhereSet => self.is_set(column),
            ComparedAs::Nowhere => Ok(Expr::val(false)),
            ComparedAs::With(op, value) => self.compare(op, column, self.dialect.bind(&value)),
        }
    }

    /// Renders the condition that the column is set and begins with `prefix`, or is set and does not: a
    /// range of texts in the order of their bytes, up to `before`, which an index can serve.
    fn prefixed(
        &self,
        column: usize,
        prefix: &Value,
        before: &Value,
        wanted: bool,
    ) -> Result<Expr> {
        let (from, until) = if wanted {
            (Op::Ge, Op::Lt)
        } else {
            (Op::Lt, Op::Ge)
        };
        let until = match before {
            Value::Null => None,
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Uuid(_)
            | Value::Timestamp(_) => Some(self.compare_value(until, column, before)?),
        };
        if wanted
            && self.finds
            && let Some(begins) = self.dialect.begins(self.column(column)?, prefix)
        {
            return Ok(match until {
                None => begins,
                Some(until) => self.dialect.narrowed(begins, until),
            });
        }
        let from = self.compare_value(from, column, prefix)?;
        Ok(match (until, wanted) {
            (None, _) => from,
            (Some(until), true) => from.and(until),
            (Some(until), false) => from.or(until),
        })
    }

    /// Renders the condition that the column is set and is among the values, or is set and is not.
    fn among(&self, index: usize, values: &[Value], wanted: bool) -> Result<Expr> {
        let kind = self.spec(index)?.kind();
        let column = match kind {
            Kind::Bool => self.dialect.truth(self.column(index)?),
            Kind::Int
            | Kind::Float
            | Kind::Text
            | Kind::Enum(_)
            | Kind::Bytes
            | Kind::Uuid
            | Kind::Timestamp => self.column(index)?,
        };
        let values: Vec<&Value> = values
            .iter()
            .filter(|value| self.dialect.standing(value) == Storability::Among)
            .collect();
        if values.is_empty() {
            return if wanted {
                Ok(Expr::val(false))
            } else {
                self.is_set(index)
            };
        }
        let is_long = values.len() > self.dialect.longest_list();
        let long = is_long.then(|| self.dialect.long_list(kind, &values));
        let within = |column: Expr| match (&long, wanted) {
            (Some(list), true) => column.in_subquery(list.clone()),
            (Some(list), false) => column.not_in_subquery(list.clone()),
            (None, true) => column.is_in(self.bound(&values)),
            (None, false) => column.is_not_in(self.bound(&values)),
        };
        if !is_text(kind) {
            let found = within(column);
            return Ok(match self.is_instant(index)? {
                Some(is_instant) if !wanted => found.and(is_instant),
                Some(_) | None => found,
            });
        }
        let exact = within(self.dialect.bytewise(column.clone()));
        let is_found = wanted && self.finds && (!is_long || self.dialect.finds_long_lists());
        Ok(if is_found {
            self.dialect
                .narrowed(within(self.dialect.plain(column)), exact)
        } else {
            exact
        })
    }

    /// Returns the placeholders of a list, padded to the next size of lists.
    fn bound(&self, values: &[&Value]) -> Vec<Expr> {
        let values = values.iter();
        filled(values.map(|value| self.dialect.bind(value)).collect())
    }

    /// Renders the comparison of the column with another one. Text is compared by bytes alone: the two may
    /// have different collations, between which an engine does not choose.
    fn compare_columns(&self, op: Op, column: usize, other: Expr) -> Result<Expr> {
        let kind = self.spec(column)?.kind();
        let column = self.column(column)?;
        Ok(match kind {
            Kind::Text | Kind::Enum(_) => {
                let other = self.dialect.plain(other);
                compare(op, self.dialect.bytewise(column), other)
            }
            // Two columns can be true by different numbers.
            Kind::Bool => compare(op, self.dialect.truth(column), self.dialect.truth(other)),
            Kind::Timestamp => {
                let are_instants = (self.dialect.is_instant(column.clone()))
                    .zip(self.dialect.is_instant(other.clone()))
                    .map(|(own, others)| own.and(others));
                let compared = compare(op, column, other);
                match are_instants {
                    Some(are_instants) => compared.and(are_instants),
                    None => compared,
                }
            }
            Kind::Int | Kind::Float | Kind::Bytes | Kind::Uuid => compare(op, column, other),
        })
    }

    /// Renders the comparison of the column with a bound value.
    fn compare(&self, op: Op, column: usize, right: Expr) -> Result<Expr> {
        let kind = self.spec(column)?.kind();
        let left = self.column(column)?;
        if kind == Kind::Bool {
            return Ok(compare(op, self.dialect.truth(left), right));
        }
        if !is_text(kind) {
            let compared = compare(op, left, right);
            return Ok(match (op, self.is_instant(column)?) {
                (Op::Lt | Op::Le | Op::Ne, Some(is_instant)) => compared.and(is_instant),
                (Op::Eq | Op::Gt | Op::Ge, _) | (_, None) => compared,
            });
        }
        let exact = compare(op, self.dialect.bytewise(left.clone()), right.clone());
        Ok(match op {
            Op::Eq if self.finds => {
                let indexed = compare(Op::Eq, self.dialect.plain(left), right);
                self.dialect.narrowed(indexed, exact)
            }
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => exact,
        })
    }

    /// Renders a condition on related rows as EXISTS (decision 21). "Every row fulfils it" becomes "no row
    /// does not", and a condition over a null operand is null: a row for which it is not plainly true must
    /// count.
    fn related(
        &self,
        relation: &'static Relation,
        within: &Residual,
        written: &[(usize, Value)],
        fulfilled: Fulfilled,
        condition: &Residual,
    ) -> Result<Expr> {
        let theirs = self.across(relation);
        let joined = theirs.joined_by(self, relation, within, written)?;
        let (conditions, found) = match fulfilled {
            Fulfilled::BySome if *condition == Residual::All(Vec::new()) => (joined, true),
            Fulfilled::BySome => (joined.and(theirs.condition(condition)?), true),
            Fulfilled::ByEvery if *condition == Residual::Any(Vec::new()) => (joined, false),
            Fulfilled::ByEvery => {
                let truth = Expr::custom_keyword(Alias::new("TRUE"));
                let holds = theirs.condition(condition)?;
                (joined.and(holds.binary(BinOper::IsNot, truth)), false)
            }
        };
        let mut rows = Statement::select();
        rows.expr(Expr::val(1)).from(theirs.source());
        if self.changes {
            self.dialect.keep_related(&mut rows, conditions);
        } else {
            rows.and_where(conditions);
        }
        let rows = Expr::exists(rows);
        Ok(if found { rows } else { rows.not() })
    }

    /// Returns a renderer for the table on the other side of `relation`.
    pub(crate) fn across(&self, relation: &'static Relation) -> Self {
        Self {
            dialect: self.dialect,
            table: relation.target(),
            depth: self.depth + 1,
            aliases: self.aliases,
            finds: true,
            changes: self.changes,
        }
    }

    /// Returns a renderer for another row of the same table.
    pub(crate) const fn again(&self) -> Self {
        Self {
            depth: self.depth + 1,
            finds: true,
            ..*self
        }
    }

    /// Builds the select of the rows of this table that are `within`, and that `relation` joins to the row
    /// of `own`.
    pub(crate) fn joined(
        &self,
        own: &Self,
        relation: &Relation,
        within: &Residual,
    ) -> Result<SelectStatement> {
        let mut rows = Statement::select();
        rows.from(self.source());
        rows.and_where(self.joined_by(own, relation, within, &[])?);
        Ok(rows)
    }

    /// Renders the condition of being one of these rows, once the row of `own` has the values that are
    /// `written`.
    fn joined_by(
        &self,
        own: &Self,
        relation: &Relation,
        within: &Residual,
        written: &[(usize, Value)],
    ) -> Result<Expr> {
        let pairs = relation.pairs(own.table).ok_or_else(|| {
            Error::internal("a relation names a field that its table does not have")
        })?;
        let mut conditions = Vec::with_capacity(pairs.len() + 1);
        for pair in pairs {
            let value = written.iter().find(|(column, _)| *column == pair.own);
            conditions.push(match value {
                None => self.compare_columns(Op::Eq, pair.theirs, own.column(pair.own)?)?,
                // Nothing joins to a null.
                Some((_, Value::Null)) => Expr::val(false),
                Some((_, value)) => self.compare_value(Op::Eq, pair.theirs, value)?,
            });
        }
        if *within != Residual::All(Vec::new()) {
            conditions.push(self.condition(within)?);
        }
        let all = conditions.into_iter().reduce(Expr::and);
        Ok(all.unwrap_or_else(|| Expr::val(true)))
    }

    fn join(&self, parts: &[Residual], join: fn(Expr, Expr) -> Expr, empty: bool) -> Result<Expr> {
        let mut conditions = Vec::with_capacity(parts.len());
        for part in parts {
            conditions.push(self.condition(part)?);
        }
        let conditions = filled_if_many(conditions);
        Ok(balanced(conditions, &join).unwrap_or_else(|| Expr::val(empty)))
    }
}

/// Renders the position of a text among `names`; null if it is none of them.
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
