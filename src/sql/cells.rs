//! A row of a guarded select, read field by field as its layout says.

use super::{Layout, OwnLayout, Row};
use crate::dto::{Hideable, Mask, Maskable, Nested};
use crate::entity::{Column, Scalar, Storable};
use crate::error::{Error, Result};
use crate::policy::Cell;
use crate::repository::NestedRow;

/// One row, being turned into a DTO or an entity.
#[doc(hidden)]
pub struct Cells<'a> {
    row: &'a Row,
    slots: &'a [Slot],
    /// What was found in Rust for the fields whose rule runs there.
    found: u128,
    /// How to cut each field in Rust, where the query did not.
    masks: &'a [Option<Mask>],
    /// Where the inputs of computed fields stand.
    computed: &'a [(usize, Vec<usize>)],
    /// The related rows of this row.
    nested: Option<NestedRow<'a>>,
    /// The fields whose stored value is none that they can have.
    unreadable: Marks,
}

/// Fields, as bits.
#[derive(Debug)]
struct Marks(std::cell::Cell<u128>);

impl Marks {
    const fn none() -> Self {
        Self(std::cell::Cell::new(0))
    }
}

/// Where one field stands in the row, and how its visibility is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Position of the column; none where it was not selected.
    pub(crate) column: Option<usize>,
    /// Position of the masked column, where the choice between the two is made in Rust.
    pub(crate) masked: Option<usize>,
    pub(crate) shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Always,
    Never,
    /// The database says so in the flag column at this position.
    Flag(usize),
    /// The database gives null for a hidden value, and the column itself is never null.
    UnlessNull,
    /// Rust said so.
    Found,
}

impl<'a> Cells<'a> {
    pub(crate) const fn new(row: &'a Row, slots: &'a [Slot], found: u128) -> Self {
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

    /// Cells of a query that cut nothing: `found` speaks of every field.
    pub(crate) fn of_own_query<E>(row: &'a Row, layout: &'a OwnLayout<E>, found: u128) -> Self {
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

    /// The row of a select, with the rows related to it where there are any.
    pub(crate) fn of_select(
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

    fn slot(&self, field: usize) -> Result<Slot> {
        self.slots
            .get(field)
            .copied()
            .ok_or_else(|| Error::internal("a DTO has more fields than its query"))
    }

    pub(crate) fn is_visible(&self, field: usize) -> Result<bool> {
        let slot = self.slot(field)?;
        match slot.shown {
            Shown::Always => Ok(true),
            Shown::Never => Ok(false),
            Shown::Flag(flag) => self.row.flag(flag),
            Shown::UnlessNull => match slot.column {
                Some(column) => Ok(!self.row.is_null(column)?),
                None => Ok(false),
            },
            Shown::Found => Ok(self.found >> field & 1 == 1),
        }
    }

    pub(crate) fn cell(&self, field: usize, kind: crate::policy::Kind) -> Result<Cell<'_>> {
        let column = self
            .slot(field)?
            .column
            .ok_or_else(|| Error::internal("a column that was not selected was read"))?;
        self.row.cell(column, kind)
    }

    fn read<C: Storable>(&self, field: usize) -> Result<C> {
        self.value(field, self.cell(field, C::KIND))
    }

    /// The value of a field, or the mark that it can have none of what is stored.
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

    pub(crate) fn mark(&self, field: usize) {
        let Marks(marks) = &self.unreadable;
        marks.set(marks.get() | 1 << field);
    }

    /// The fields, as bits, whose stored value is none that they can have.
    pub(crate) fn unreadable(&self) -> u128 {
        self.unreadable.0.get()
    }
}

#[doc(hidden)]
impl Cells<'_> {
    pub fn column<C: Storable>(&mut self, field: usize) -> Result<C> {
        self.read(field)
    }

    pub fn shown<E, C: Scalar, U>(&mut self, field: usize, _: Column<E, C, U>) -> Result<C> {
        self.read(field)
    }

    /// Whether a computed field is shown.
    pub fn is_shown(&self, field: usize) -> Result<bool> {
        self.is_visible(field)
    }

    /// An input of a computed field.
    pub fn input<E, C: Scalar, U>(
        &self,
        field: usize,
        number: usize,
        _: Column<E, C, U>,
    ) -> Result<C> {
        let position = self
            .computed
            .iter()
            .find(|(known, _)| *known == field)
            .and_then(|(_, positions)| positions.get(number))
            .ok_or_else(|| Error::internal("an input that was not selected was read"))?;
        self.value(field, self.row.cell(*position, C::KIND))
    }

    /// The related rows that a field shows.
    pub fn nested<N: Nested>(&mut self, field: usize) -> Result<N> {
        let rows = match self.nested {
            Some(nested) if self.is_visible(field)? => Some(nested.rows::<N::Dto>(field)?),
            Some(_) | None => None,
        };
        N::__found(rows).ok_or_else(|| {
            Error::misuse(
                "a nested DTO is hidden, and its field has no place for that: use `Field`",
            )
        })
    }

    pub fn hideable<E, C: Scalar, U, D: Hideable<C>>(
        &mut self,
        field: usize,
        _: Column<E, C, U>,
    ) -> Result<D> {
        if !self.is_visible(field)? {
            return Ok(D::__hidden());
        }
        match self.read(field) {
            Ok(value) => Ok(D::__visible(value)),
            // What nobody can see is hidden from everybody.
            Err(error) if error.is_unreadable() => Ok(D::__hidden()),
            Err(error) => Err(error),
        }
    }

    pub fn or_error<E, C: Scalar, U>(&mut self, field: usize, _: Column<E, C, U>) -> Result<C> {
        if self.is_visible(field)? {
            self.read(field)
        } else {
            Err(Error::forbidden())
        }
    }

    pub fn masked<E, C: Scalar + Maskable, U>(
        &mut self,
        field: usize,
        _: Column<E, C, U>,
    ) -> Result<C> {
        let slot = self.slot(field)?;
        match slot.masked {
            Some(masked) if !self.is_visible(field)? => {
                self.value(field, self.row.cell(masked, C::KIND))
            }
            None if slot.shown == Shown::Found && !self.is_visible(field)? => {
                let mask = self.masks.get(field).copied().flatten();
                let mask = mask.ok_or_else(|| Error::internal("a mask is missing"))?;
                Ok(self.read::<C>(field)?.__mask(mask))
            }
            // Visible, or cut by the database already.
            _ => self.read(field),
        }
    }

    pub fn masked_in_process<E, C: Scalar, U>(
        &mut self,
        field: usize,
        _: Column<E, C, U>,
        mask: impl FnOnce(C) -> C,
    ) -> Result<C> {
        let value = self.read(field)?;
        Ok(if self.is_visible(field)? {
            value
        } else {
            mask(value)
        })
    }
}
