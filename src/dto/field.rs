//! Hidden is a type, not a null.

use crate::entity::Scalar;

/// A value that this viewer may see, or the mark that it is hidden.
///
/// A null that may be seen is `Visible(None)`, which differs from `Hidden`. It has no
/// `Serialize`: the DTO that holds it writes it, and leaves the key out when it is hidden (or
/// writes null, with `#[dto(hidden = null)]`).
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
    /// The viewer may see it, and this is what it holds.
    Visible(T),
    /// The viewer may not see it. The value never left the database.
    Hidden,
}

impl<T> Field<T> {
    /// The value, if the viewer may see it.
    #[must_use]
    pub const fn visible(&self) -> Option<&T> {
        match self {
            Self::Visible(value) => Some(value),
            Self::Hidden => None,
        }
    }

    /// The value itself, if the viewer may see it.
    #[must_use]
    pub fn into_visible(self) -> Option<T> {
        match self {
            Self::Visible(value) => Some(value),
            Self::Hidden => None,
        }
    }

    /// Whether the value is hidden from the viewer.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

/// A type of DTO field that can say "hidden", for a column of type `C`.
#[diagnostic::on_unimplemented(
    message = "a field that can be hidden cannot have the type `{Self}` over a column of type `{C}`",
    label = "this field has a rule, so it needs a way to say that it is hidden",
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
