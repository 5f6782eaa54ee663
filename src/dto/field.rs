//! The wrapper for DTO fields that can be hidden: a hidden value is a variant of its own, not a null.

use crate::schema::Scalar;

/// A value that this viewer may see, or the marker that it is hidden.
///
/// A null that may be seen is `Visible(None)`, which differs from `Hidden`. It does not implement
/// `Serialize`: the DTO that holds it serialises it, and omits the key of a hidden field (or writes
/// null, with `#[dto(hidden = null)]`).
///
/// # Example
///
/// ```
/// use clearance::Field;
///
/// let phone = Field::Visible(Some("555-0100"));
/// assert_eq!(phone.visible(), Some(&Some("555-0100")));
/// assert!(Field::<Option<&str>>::Hidden.is_hidden());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field<T> {
    /// The value, which the viewer may see.
    Visible(T),
    /// The viewer may not see the value. It never left the database.
    Hidden,
}

impl<T> Field<T> {
    /// Returns a reference to the value if the viewer may see it.
    #[must_use]
    pub const fn visible(&self) -> Option<&T> {
        match self {
            Self::Visible(value) => Some(value),
            Self::Hidden => None,
        }
    }

    /// Returns the value itself if the viewer may see it.
    #[must_use]
    pub fn into_visible(self) -> Option<T> {
        match self {
            Self::Visible(value) => Some(value),
            Self::Hidden => None,
        }
    }

    /// Returns whether the value is hidden from the viewer.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

/// A type of DTO field that shows a column of type `C` as it is: the same type, which no secret has.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot show a column of type `{C}`",
    label = "the column of this name has the type `{C}`",
    note = "a field has the type of its column: bool, i8 to i64, u8 to u32, f64, String, Vec<u8>, Uuid, DateTime<Utc>, a `#[derive(TextEnum)]` enum, or an Option of one of these, in a `Field` if it can be hidden",
    note = "show related rows with `#[dto(related)]`, and a value of another type with `#[dto(computed = .., from(..))]`"
)]
pub trait Fits<C>: Sized {
    #[doc(hidden)]
    fn __shown(column: C) -> Self;
}

impl<C: Scalar> Fits<C> for C {
    fn __shown(column: C) -> Self {
        column
    }
}

/// A type of DTO field that can represent "hidden", for a column of type `C`.
#[diagnostic::on_unimplemented(
    message = "a field that can be hidden cannot have the type `{Self}` over a column of type `{C}`",
    label = "this field has a rule, so its type must be able to say that the value is hidden",
    note = "write `Field<{C}>`, or an Option of the column's type to show it as null",
    note = "or choose another output: `#[dto(mask = last4)]`, or `#[dto(hidden = error)]` to refuse the whole row"
)]
pub trait Hideable<C>: Sized {
    #[doc(hidden)]
    fn __visible(column: C) -> Self;

    #[doc(hidden)]
    fn __hidden() -> Self;
}

impl<C: Scalar> Hideable<C> for Field<C> {
    fn __visible(column: C) -> Self {
        Self::Visible(column)
    }

    fn __hidden() -> Self {
        Self::Hidden
    }
}

/// The type [`Field`] itself.
pub trait IsField {}

impl<T> IsField for Field<T> {}

impl<T: Scalar> Hideable<T> for Option<T> {
    fn __visible(column: T) -> Self {
        Some(column)
    }

    fn __hidden() -> Self {
        None
    }
}

impl<T: Scalar> Hideable<Self> for Option<T> {
    fn __visible(column: Self) -> Self {
        column
    }

    fn __hidden() -> Self {
        None
    }
}
