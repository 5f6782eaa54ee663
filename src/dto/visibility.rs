//! The visible fields of one row, as a bit set, for a DTO that is made from an entity in memory.

use crate::dto::field::IsField;
use crate::dto::{Fits, Hideable, Mask, Maskable};
use crate::error::{Error, Result};
use crate::schema::Scalar;

/// One bit for each field of a DTO, at most [`MAX_FIELDS`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Visibility(u128);

/// The maximum number of fields of a DTO.
pub(crate) const MAX_FIELDS: usize = 128;

impl Visibility {
    pub(crate) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u128 {
        self.0
    }

    pub(crate) const fn is_visible(self, field: usize) -> bool {
        field < MAX_FIELDS && self.0 >> field & 1 == 1
    }
}

#[doc(hidden)]
impl Visibility {
    /// Returns whether a computed field is shown.
    #[must_use]
    pub const fn shows(self, field: usize) -> bool {
        self.is_visible(field)
    }

    #[must_use]
    pub fn shown<C, D: Fits<C>>(self, column: C) -> D {
        D::__shown(column)
    }

    #[must_use]
    pub fn hideable<C: Scalar, D: Hideable<C>>(self, field: usize, column: C) -> D {
        if self.is_visible(field) {
            D::__visible(column)
        } else {
            D::__hidden()
        }
    }

    /// Makes a `Field`, the one type whose hidden value is read without naming its column.
    #[must_use]
    pub fn in_field<C: Scalar, D: Hideable<C> + IsField>(self, field: usize, column: C) -> D {
        self.hideable(field, column)
    }

    pub fn or_error<C, D: Fits<C>>(self, field: usize, column: C) -> Result<D> {
        if self.is_visible(field) {
            Ok(D::__shown(column))
        } else {
            Err(Error::forbidden())
        }
    }

    #[must_use]
    pub fn masked<C: Maskable, D: Fits<C>>(self, field: usize, column: C, mask: Mask) -> D {
        D::__shown(if self.is_visible(field) {
            column
        } else {
            column.__mask(mask)
        })
    }

    #[must_use]
    pub fn masked_in_process<C, D: Fits<C>>(
        self,
        field: usize,
        column: C,
        mask: impl FnOnce(C) -> C,
    ) -> D {
        D::__shown(if self.is_visible(field) {
            column
        } else {
            mask(column)
        })
    }
}
