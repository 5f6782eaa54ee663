//! The cells of a row of a guarded select, read field by field by its layout.

use super::nested::NestedRow;
use super::own_layout::OwnLayout;
use crate::driver::Row;
use crate::dto::{Field, Hideable, Mask, Maskable, Nested, ReadFields};
use crate::entity::{Column, ReadCells};
use crate::error::{Error, Result};
use crate::schema::{Cell, Kind, Scalar, Storable};
use crate::sql::{CellPlace, CellShown, Layout};

/// One row, while it is converted to a DTO or an entity.
pub(super) struct Cells<'a> {
    row: &'a Row,
    slots: &'a [CellPlace],
    /// The visible fields, as bits, out of those whose rule runs in Rust.
    found: u128,
    /// The masks of the fields, for Rust to apply if the query did not.
    masks: &'a [Option<Mask>],
    /// The positions of the inputs of computed fields.
    computed: &'a [(usize, Vec<usize>)],
    /// The related rows of this row.
    nested: Option<NestedRow<'a>>,
    /// The fields with a stored value that they cannot have.
    unreadable: Marks,
}

/// A set of fields, as bits.
#[derive(Debug)]
struct Marks(std::cell::Cell<u128>);

impl Marks {
    const fn none() -> Self {
        Self(std::cell::Cell::new(0))
    }
}

impl<'a> Cells<'a> {
    pub(super) const fn new(row: &'a Row, slots: &'a [CellPlace], found: u128) -> Self {
        Self {
            row,
            slots,
            found,
            masks: &[],
            computed: &[],
            nested: None,
            unreadable: Marks::none(),
        }
    }

    /// Reads a row of a query that masked nothing: `found` covers every field.
    pub(super) fn of_own_query<E>(row: &'a Row, layout: &'a OwnLayout<E>, found: u128) -> Self {
        Self {
            row,
            slots: &layout.fields,
            found,
            masks: &layout.masks,
            computed: &layout.computed,
            nested: None,
            unreadable: Marks::none(),
        }
    }

    /// Reads a row of a select, with its related rows if there are any.
    pub(super) fn of_select(
        row: &'a Row,
        layout: &'a Layout,
        found: u128,
        nested: Option<NestedRow<'a>>,
    ) -> Self {
        Self {
            row,
            slots: &layout.slots,
            found,
            masks: &[],
            computed: &layout.computed,
            nested,
            unreadable: Marks::none(),
        }
    }

    fn slot(&self, field: usize) -> Result<CellPlace> {
        self.slots
            .get(field)
            .copied()
            .ok_or_else(|| Error::internal("a DTO has more fields than its query"))
    }

    fn read<C: Storable>(&self, field: usize) -> Result<C> {
        self.value(field, self.cell(field, C::KIND))
    }

    /// Returns the value of a field, or marks the field as unreadable if it cannot have the stored value.
    fn value<C: Storable>(&self, field: usize, cell: Result<Cell<'_>>) -> Result<C> {
        let value = match cell {
            Ok(cell) => C::from_cell(cell).ok_or_else(Error::unreadable),
            Err(error) => Err(error),
        };
        value.inspect_err(|error| {
            if error.is_unreadable() {
                self.mark(field);
            }
        })
    }

    /// Returns the fields, as bits, with a stored value that they cannot have.
    pub(super) fn unreadable(&self) -> u128 {
        self.unreadable.0.get()
    }

    fn hidden_or<C: Scalar, D: Hideable<C>>(&self, field: usize) -> Result<D> {
        if !self.is_shown(field)? {
            return Ok(D::__hidden());
        }
        match self.read(field) {
            Ok(value) => Ok(D::__visible(value)),
            // A value that cannot be read is hidden from everybody.
            Err(error) if error.is_unreadable() => Ok(D::__hidden()),
            Err(error) => Err(error),
        }
    }
}

impl ReadCells for Cells<'_> {
    fn column<C: Storable>(&mut self, column: usize) -> Result<C> {
        self.read(column)
    }
}

impl ReadFields for Cells<'_> {
    fn is_shown(&self, field: usize) -> Result<bool> {
        let slot = self.slot(field)?;
        match slot.shown {
            CellShown::Always => Ok(true),
            CellShown::Never => Ok(false),
            CellShown::Flag(flag) => self.row.flag(flag),
            CellShown::UnlessNull => match slot.column {
                Some(column) => Ok(!self.row.is_null(column)?),
                None => Ok(false),
            },
            CellShown::Found => Ok(self.found >> field & 1 == 1),
        }
    }

    fn cell(&self, field: usize, kind: Kind) -> Result<Cell<'_>> {
        let column = self
            .slot(field)?
            .column
            .ok_or_else(|| Error::internal("a column that was not selected was read"))?;
        self.row.cell(column, kind)
    }

    fn mark(&self, field: usize) {
        let Marks(marks) = &self.unreadable;
        marks.set(marks.get() | 1 << field);
    }

    fn shown<C: Storable>(&mut self, field: usize) -> Result<C> {
        self.read(field)
    }

    fn hideable<E, C: Scalar, U, D: Hideable<C>>(
        &mut self,
        field: usize,
        _: Column<E, C, U>,
    ) -> Result<D> {
        self.hidden_or(field)
    }

    fn in_field<C: Scalar>(&mut self, field: usize) -> Result<Field<C>> {
        self.hidden_or(field)
    }

    fn or_error<C: Storable>(&mut self, field: usize) -> Result<C> {
        if self.is_shown(field)? {
            self.read(field)
        } else {
            Err(Error::forbidden())
        }
    }

    fn masked<C: Storable + Maskable>(&mut self, field: usize) -> Result<C> {
        let slot = self.slot(field)?;
        match slot.masked {
            Some(masked) if !self.is_shown(field)? => {
                self.value(field, self.row.cell(masked, C::KIND))
            }
            None if slot.shown == CellShown::Found && !self.is_shown(field)? => {
                let mask = self.masks.get(field).copied().flatten();
                let mask = mask.ok_or_else(|| Error::internal("a mask is missing"))?;
                Ok(self.read::<C>(field)?.__mask(mask))
            }
            // Visible, or masked by the database already.
            _ => self.read(field),
        }
    }

    fn masked_in_process<C: Storable>(
        &mut self,
        field: usize,
        mask: impl FnOnce(C) -> C,
    ) -> Result<C> {
        let value = self.read(field)?;
        Ok(if self.is_shown(field)? {
            value
        } else {
            mask(value)
        })
    }

    fn input<E, C: Scalar, U>(&self, field: usize, number: usize, _: Column<E, C, U>) -> Result<C> {
        let position = self
            .computed
            .iter()
            .find(|(known, _)| *known == field)
            .and_then(|(_, positions)| positions.get(number))
            .ok_or_else(|| Error::internal("an input that was not selected was read"))?;
        self.value(field, self.row.cell(*position, C::KIND))
    }

    fn nested<N: Nested>(&mut self, field: usize) -> Result<N> {
        let rows = match self.nested {
            Some(nested) if self.is_shown(field)? => Some(nested.rows::<N::Dto>(field)?),
            Some(_) | None => None,
        };
        N::__found(rows).ok_or_else(|| {
            Error::misuse(
                "a nested DTO is hidden, and the type of its field cannot say so: use `Field`",
            )
        })
    }
}
