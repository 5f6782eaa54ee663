//! The guarded select: its projection names only columns that this viewer may ever see, and masks those
//! that depend on the row before they leave.

use sea_query::{Alias, CaseStatement, Expr, NullOrdering, Query as Statement, SelectStatement};

use super::layout::{CellPlace, CellShown, Join, Layout};
use super::lookup::lookup;
use super::query::Query;
use super::render::Renderer;
use super::seek;
use crate::driver::{Dialect, Ready};
use crate::dto::{Direction, FieldDecisions, Output, Shape, ShapeSource};
use crate::entity::{ColumnSpec, Entity};
use crate::error::{Error, Result};
use crate::policy::{Decision, Residual, Value};

/// Builds the select of rows shown as `shape`, without a limit, and the layout to read them.
pub(super) fn rows<E: Entity>(
    dialect: Dialect,
    shape: &Shape<E>,
    decided: &FieldDecisions,
    question: &Query,
) -> Result<(SelectStatement, Layout)> {
    let renderer = Renderer::new(dialect, E::__table());
    if question.whole {
        return whole(&renderer, decided, question);
    }
    let mut projection = Projection::new(&renderer);
    let mut slots = Vec::with_capacity(shape.fields().len());
    let mut layout = Layout::default();
    for (index, (field, decision)) in shape.fields().iter().zip(&decided.fields).enumerate() {
        slots.push(match field.source() {
            ShapeSource::Column => {
                let (column, spec) = renderer.field(field.field())?;
                projection.field(field.output(), decision, column, spec)?
            }
            ShapeSource::Computed { inputs, .. } => {
                let columns = inputs.iter().map(|input| Ok(renderer.field(input)?.0));
                let columns = columns.collect::<Result<Vec<_>>>()?;
                let (shown, positions) = projection.inputs(field.field(), decision, &columns)?;
                layout.computed.push((index, positions));
                CellPlace {
                    column: None,
                    masked: None,
                    shown,
                }
            }
            ShapeSource::Related { relation, .. } => {
                let columns = renderer.own_columns(relation)?;
                let (shown, positions) = projection.inputs(field.field(), decision, &columns)?;
                if shown != CellShown::Never {
                    let kinds = columns
                        .iter()
                        .map(|column| Ok(renderer.spec(*column)?.kind()));
                    let kinds = kinds.collect::<Result<Vec<_>>>()?;
                    layout.nested.push(Join {
                        field: index,
                        columns: positions.into_iter().zip(kinds).collect(),
                    });
                }
                CellPlace {
                    column: None,
                    masked: None,
                    shown,
                }
            }
        });
    }
    let entity = if slots.iter().any(|slot| slot.shown == CellShown::Found) {
        Some(projection.entity()?)
    } else {
        None
    };
    for column in &question.joined_by {
        let spec = renderer.spec(*column)?;
        let raw = renderer.column(*column)?;
        let position = projection.push_once(raw, &format!("joined_by_{}", spec.field()));
        layout.joined_by.push((position, spec.kind()));
    }
    if projection.selected.is_empty() {
        // Every field is hidden, so only the existence of the row is left to read.
        projection.push(Expr::val(1), "present");
    }
    let mut position = Vec::new();
    if question.pages {
        for (number, key) in question.order.iter().enumerate() {
            let value = key.masked(&renderer)?;
            let kind = key.kind(renderer.table)?;
            let place = projection.push_once(value, &format!("order_{number}"));
            position.push((place, kind));
        }
        let key = renderer.table.key();
        let kind = renderer.spec(key)?.kind();
        let place = projection.push_once(renderer.column(key)?, "order_key");
        position.push((place, kind));
    }
    Ok((
        found(projection, decided, question)?,
        Layout {
            slots,
            entity,
            position,
            ..layout
        },
    ))
}

/// Builds the select of the same rows as they are stored, for code that evaluates the rules of each of them
/// again. They are read by the names of their columns.
fn whole(
    renderer: &Renderer,
    decided: &FieldDecisions,
    question: &Query,
) -> Result<(SelectStatement, Layout)> {
    let mut projection = Projection::new(renderer);
    for (index, spec) in renderer.table.columns().iter().enumerate() {
        projection.push(renderer.column(index)?, spec.name());
    }
    let statement = found(projection, decided, question)?;
    Ok((statement, Layout::default()))
}

/// Builds the select of the rows that a question matches, in its order.
fn found(
    projection: Projection<'_>,
    decided: &FieldDecisions,
    question: &Query,
) -> Result<SelectStatement> {
    let Projection {
        renderer,
        mut statement,
        selected,
        ..
    } = projection;
    statement.from(renderer.source());
    restrict(renderer, &mut statement, decided, question)?;
    if let Some(after) = &question.after {
        statement.and_where(seek::after(renderer, question, after)?);
    }
    order(renderer, &mut statement, question, &selected)?;
    Ok(statement)
}

/// Restricts the rows to those that match the lookups, the row rule and the filter.
pub(super) fn restrict(
    renderer: &Renderer,
    statement: &mut SelectStatement,
    decided: &FieldDecisions,
    question: &Query,
) -> Result<()> {
    for (column, value) in &question.lookups {
        statement.and_where(lookup(renderer, *column, value)?);
    }
    match &decided.rows {
        Decision::Allow => {}
        Decision::Deny => {
            statement.and_where(Expr::val(false));
        }
        Decision::Depends(residual) => {
            statement.and_where(renderer.condition(residual)?);
        }
        Decision::Fail(_) => return Err(Error::internal("a rule could not be evaluated")),
    }
    if let Some(filter) = &question.filter {
        statement.and_where(renderer.condition(filter)?);
    }
    Ok(())
}

/// Builds the query whether any row of the tenant matches the lookups, whatever other rules there are.
pub(crate) fn exists<E: Entity>(
    dialect: Dialect,
    lookups: &[(usize, Value)],
    tenant: Option<&Residual>,
) -> Result<Ready> {
    Ready::searching(dialect, |dialect| {
        let renderer = Renderer::new(dialect, E::__table());
        let mut statement = Statement::select();
        statement
            .expr(Expr::val(1))
            .from(renderer.source())
            .limit(1);
        for (column, value) in lookups {
            statement.and_where(lookup(&renderer, *column, value)?);
        }
        if let Some(tenant) = tenant {
            statement.and_where(renderer.condition(tenant)?);
        }
        Ok(statement)
    })
}

/// Builds the query for one column of the rows that match the lookup and that `rows` allows to be read.
pub(crate) fn column<E: Entity>(
    dialect: Dialect,
    column: usize,
    lookup_by: (usize, &Value),
    rows: Option<&Residual>,
) -> Result<Ready> {
    Ready::searching(dialect, |dialect| {
        let renderer = Renderer::new(dialect, E::__table());
        let mut statement = Statement::select();
        statement
            .expr(renderer.column(column)?)
            .from(renderer.source())
            .and_where(lookup(&renderer, lookup_by.0, lookup_by.1)?)
            .limit(SEVERAL);
        if let Some(rows) = rows {
            statement.and_where(renderer.condition(rows)?);
        }
        Ok(statement)
    })
}

/// Adds the order. Hidden and null cells come last in either direction, and rows that tie are ordered by
/// key, so that the order reveals nothing of hidden cells.
fn order(
    renderer: &Renderer,
    statement: &mut SelectStatement,
    question: &Query,
    selected: &[Expr],
) -> Result<()> {
    for key in &question.order {
        let value = key.masked(renderer)?;
        // The engine takes equal expressions with other placeholders for two, and evaluates both.
        let place = selected.iter().position(|known| *known == value);
        let value = match place {
            Some(place) if key.visible.is_some() && renderer.dialect.orders_by_place() => {
                Expr::cust((place + 1).to_string())
            }
            _ => value,
        };
        let direction = match key.direction {
            Direction::Ascending => sea_query::Order::Asc,
            Direction::Descending => sea_query::Order::Desc,
        };
        if key.is_nullable(renderer)? {
            statement.order_by_expr_with_nulls(value, direction, NullOrdering::Last);
        } else {
            statement.order_by_expr(value, direction);
        }
    }
    if question.by_key {
        let key = renderer.ordered(renderer.table.key())?;
        statement.order_by_expr(key, sea_query::Order::Asc);
    }
    Ok(())
}

/// The limit of a query for one row, so that a second one is noticed.
pub(crate) const SEVERAL: u64 = 2;

struct Projection<'a> {
    renderer: &'a Renderer,
    statement: SelectStatement,
    selected: Vec<Expr>,
    /// The flag columns that are selected, each with its condition and position.
    flags: Vec<(Residual, usize)>,
}

impl<'a> Projection<'a> {
    fn new(renderer: &'a Renderer) -> Self {
        Self {
            renderer,
            statement: Statement::select(),
            selected: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// Selects an expression and returns its position.
    fn push(&mut self, expr: impl Into<Expr>, alias: &str) -> usize {
        let expr: Expr = expr.into();
        self.statement.expr_as(expr.clone(), Alias::new(alias));
        self.selected.push(expr);
        self.selected.len() - 1
    }

    /// Selects an expression unless it is selected already, and returns its position.
    fn push_once(&mut self, expr: Expr, alias: &str) -> usize {
        let known = self.selected.iter().position(|known| *known == expr);
        known.unwrap_or_else(|| self.push(expr, alias))
    }

    fn flag(&mut self, residual: &Residual, field: &str) -> Result<usize> {
        if let Some((_, position)) = self.flags.iter().find(|(known, _)| known == residual) {
            return Ok(*position);
        }
        let condition = self.renderer.evaluated(residual)?;
        let position = self.push(condition, &format!("{field}_visible"));
        self.flags.push((residual.clone(), position));
        Ok(position)
    }

    /// Selects columns that are read only where `decision` allows, and returns the source of their
    /// visibility and their positions.
    fn inputs(
        &mut self,
        name: &str,
        decision: &Decision,
        columns: &[usize],
    ) -> Result<(CellShown, Vec<usize>)> {
        let shown = match decision {
            Decision::Allow => CellShown::Always,
            Decision::Deny => return Ok((CellShown::Never, Vec::new())),
            Decision::Fail(_) => return Err(Error::internal("a rule could not be evaluated")),
            Decision::Depends(residual) => CellShown::Flag(self.flag(residual, name)?),
        };
        let mut positions = Vec::with_capacity(columns.len());
        for (number, column) in columns.iter().enumerate() {
            let raw = self.renderer.column(*column)?;
            let alias = format!("{name}_{number}");
            positions.push(match decision {
                Decision::Depends(residual) => {
                    let condition = self.renderer.evaluated(residual)?;
                    self.push(CaseStatement::new().case(condition, raw), &alias)
                }
                Decision::Allow | Decision::Deny | Decision::Fail(_) => self.push(raw, &alias),
            });
        }
        Ok((shown, positions))
    }

    fn field(
        &mut self,
        output: Output,
        decision: &Decision,
        column: usize,
        spec: &ColumnSpec,
    ) -> Result<CellPlace> {
        let name = spec.field();
        let raw = self.renderer.column(column)?;
        let slot = |column, shown| CellPlace {
            column,
            masked: None,
            shown,
        };
        Ok(match (decision, output) {
            (Decision::Fail(_), _) => {
                return Err(Error::internal("a rule could not be evaluated"));
            }
            (Decision::Allow, _) => slot(Some(self.push(raw, name)), CellShown::Always),
            (Decision::Deny, Output::Mask(mask)) => {
                let masked = self.renderer.mask(mask, column)?;
                slot(Some(self.push(masked, name)), CellShown::Never)
            }
            (Decision::Deny, Output::MaskInProcess) => {
                slot(Some(self.push(raw, name)), CellShown::Never)
            }
            (Decision::Deny, Output::Shown | Output::Omit | Output::Null | Output::Error) => {
                slot(None, CellShown::Never)
            }
            (Decision::Depends(residual), _) if residual.is_opaque() && residual.is_related() => {
                return Err(Error::misuse(format!(
                    "the rules of the field `{name}` run in Rust and read related rows, which cannot be combined: remove one of the two"
                )));
            }
            (Decision::Depends(residual), _) if residual.is_opaque() => {
                let column_position = self.push(raw, name);
                let masked = match output {
                    Output::Mask(mask) => {
                        let masked = self.renderer.mask(mask, column)?;
                        Some(self.push(masked, &format!("{name}_masked")))
                    }
                    Output::Shown
                    | Output::Omit
                    | Output::Null
                    | Output::Error
                    | Output::MaskInProcess => None,
                };
                CellPlace {
                    column: Some(column_position),
                    masked,
                    shown: CellShown::Found,
                }
            }
            (Decision::Depends(residual), Output::Mask(mask)) => {
                let cut = CaseStatement::new()
                    .case(self.renderer.evaluated(residual)?, raw)
                    .finally(self.renderer.mask(mask, column)?);
                slot(Some(self.push(cut, name)), CellShown::Never)
            }
            (Decision::Depends(residual), Output::MaskInProcess) => {
                let position = self.push(raw, name);
                slot(Some(position), CellShown::Flag(self.flag(residual, name)?))
            }
            (
                Decision::Depends(residual),
                Output::Shown | Output::Omit | Output::Null | Output::Error,
            ) => {
                let cut = CaseStatement::new().case(self.renderer.evaluated(residual)?, raw);
                let position = self.push(cut, name);
                let shown = if spec.is_nullable() {
                    CellShown::Flag(self.flag(residual, name)?)
                } else {
                    CellShown::UnlessNull
                };
                slot(Some(position), shown)
            }
        })
    }

    /// Selects every column of the entity, for rules that run over it in Rust.
    fn entity(&mut self) -> Result<Vec<CellPlace>> {
        let table = self.renderer.table;
        let mut slots = Vec::with_capacity(table.columns().len());
        for (index, spec) in table.columns().iter().enumerate() {
            let column = self.renderer.column(index)?;
            slots.push(CellPlace {
                column: Some(self.push(column, &format!("row_{}", spec.field()))),
                masked: None,
                shown: CellShown::Always,
            });
        }
        Ok(slots)
    }
}
