//! The layout of the rows of the application's own queries, which are read by the names of their columns.

use std::marker::PhantomData;

use super::cells::Cells;
use crate::driver::Row;
use crate::dto::{Mask, Output, Shape, ShapeSource};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::Facts;
use crate::schema::{Cell, Schema};
use crate::sql::{CellPlace, CellShown};

/// The positions of the columns of `E`, and of the fields of a DTO, in the rows of the application's own
/// query.
pub(super) struct OwnLayout<E> {
    /// For each column of the entity; a missing one has no position.
    columns: Vec<CellPlace>,
    /// For each field of the DTO.
    pub(super) fields: Vec<CellPlace>,
    pub(super) masks: Vec<Option<Mask>>,
    /// The positions of the inputs of computed fields.
    pub(super) computed: Vec<(usize, Vec<usize>)>,
    /// The fields whose columns are selected, as bits.
    given: u128,
    entity: PhantomData<fn() -> E>,
}

impl<E: Entity> OwnLayout<E> {
    pub(super) fn of(row: &Row, shape: &Shape<E>) -> Result<Self> {
        let table: &Schema = E::__table();
        let columns = table
            .columns()
            .iter()
            .map(|spec| Ok(found(position(row, spec.name())?)))
            .collect::<Result<Vec<_>>>()?;
        let mut layout = Self {
            columns,
            fields: Vec::with_capacity(shape.fields().len()),
            masks: Vec::with_capacity(shape.fields().len()),
            computed: Vec::new(),
            given: 0,
            entity: PhantomData,
        };
        for (index, field) in shape.fields().iter().enumerate() {
            let sources = match field.source() {
                ShapeSource::Column => vec![field.field()],
                ShapeSource::Computed { inputs, .. } => inputs.clone(),
                ShapeSource::Related { .. } => {
                    return Err(Error::misuse(format!(
                        "`{}` shows related rows, which the rows of `unguarded_sql` do not have",
                        shape.name(),
                    )));
                }
            };
            let mut positions = Vec::with_capacity(sources.len());
            let mut missing = None;
            for source in sources {
                let (column, spec) = table.position(source).ok_or_else(|| {
                    Error::internal("a DTO names a field that its entity does not have")
                })?;
                match layout.columns.get(column).and_then(|slot| slot.column) {
                    Some(position) => positions.push(position),
                    None => missing = Some(spec.name()),
                }
            }
            match missing {
                None => layout.given |= 1 << index,
                Some(_) if can_be_hidden(field.output()) => {}
                Some(name) => {
                    return Err(Error::misuse(format!(
                        "the query of `unguarded_sql` returns no column `{name}`, which `{}` needs: select it, or use a DTO without the field",
                        shape.name(),
                    )));
                }
            }
            if field.is_column() {
                layout.fields.push(found(positions.first().copied()));
            } else {
                layout.fields.push(found(None));
                layout.computed.push((index, positions));
            }
            layout.masks.push(match field.output() {
                Output::Mask(mask) => Some(mask),
                Output::Shown
                | Output::Omit
                | Output::Null
                | Output::Error
                | Output::MaskInProcess => None,
            });
        }
        Ok(layout)
    }

    /// Reads the row's columns of its entity, and the whole entity if `whole` and nothing is missing.
    pub(super) fn facts<'r>(&self, row: &'r Row, whole: bool) -> Result<GivenColumn<'r, E>> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for (slot, spec) in self.columns.iter().zip(E::__table().columns()) {
            cells.push(match slot.column {
                Some(position) => known(row.cell(position, spec.kind()))?,
                None => None,
            });
        }
        let complete = cells.iter().all(Option::is_some);
        Ok(GivenColumn {
            cells,
            whole: if whole && complete {
                known(E::__from_cells(&mut Cells::new(row, &self.columns, 0)))?
            } else {
                None
            },
        })
    }

    /// Returns the cells of the DTO's fields; those in `visible` are shown if they are selected.
    pub(super) fn cells<'r>(&'r self, row: &'r Row, visible: u128) -> Cells<'r> {
        Cells::of_own_query(row, self, visible & self.given)
    }
}

/// Treats a stored value that cannot be read as a missing one, so that conditions on it are unknown.
fn known<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_unreadable() => Ok(None),
        Err(error) => Err(error),
    }
}

const fn found(column: Option<usize>) -> CellPlace {
    CellPlace {
        column,
        masked: None,
        shown: CellShown::Found,
    }
}

const fn can_be_hidden(output: Output) -> bool {
    match output {
        Output::Omit | Output::Null => true,
        Output::Shown | Output::Error | Output::Mask(_) | Output::MaskInProcess => false,
    }
}

/// Returns the position of the one column of this name, if there is one.
fn position(row: &Row, name: &str) -> Result<Option<usize>> {
    let mut positions = row
        .column_names()
        .into_iter()
        .enumerate()
        .filter(|(_, known)| *known == name);
    let first = positions.next().map(|(position, _)| position);
    if positions.next().is_some() {
        return Err(Error::misuse(format!(
            "the query of `unguarded_sql` returns two columns `{name}`: rename one of them",
        )));
    }
    Ok(first)
}

/// The columns of an entity that one row of the application's own query has.
pub(super) struct GivenColumn<'r, E> {
    /// For each column of the entity; `None` where it is missing.
    cells: Vec<Option<Cell<'r>>>,
    whole: Option<E>,
}

impl<E: Entity> Facts<E> for GivenColumn<'_, E> {
    fn knows(&self, column: usize) -> bool {
        self.cells.get(column).is_some_and(Option::is_some)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        self.cells
            .get(column)
            .copied()
            .flatten()
            .unwrap_or(Cell::Null)
    }

    fn whole(&self) -> Option<&E> {
        self.whole.as_ref()
    }
}
