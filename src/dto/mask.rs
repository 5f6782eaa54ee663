//! Masks: a part of a value in place of the whole.

/// A mask that the database itself applies, so that the whole value does not leave it.
///
/// A null stays null: a mask tells whether there is a value. Of a value with a NUL in it a mask shows its
/// stars alone, because engines do not agree on where such a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// `****` and the last four characters; `****` alone for a value of fewer than eight.
    Last4,
    /// `***@` and what follows the first at sign; `***` alone for a value without one.
    Domain,
    /// The first character and `***`; `***` alone for an empty value.
    Initial,
}

/// The mask of an unknown remainder.
pub(crate) const STARS: &str = "***";
/// What stands before the last four characters.
pub(crate) const FOUR_STARS: &str = "****";
/// A value of fewer characters than this shows none of them under [`Mask::Last4`].
pub(crate) const LAST4_MINIMUM: i64 = 8;

impl Mask {
    /// What is shown where no part of the value is.
    pub(crate) const fn stars(self) -> &'static str {
        match self {
            Self::Last4 => FOUR_STARS,
            Self::Domain | Self::Initial => STARS,
        }
    }

    /// The mask of `value`, as the database would make it.
    pub(crate) fn apply(self, value: &str) -> String {
        if value.contains('\0') {
            return self.stars().to_owned();
        }
        match self {
            Self::Last4 => {
                let length = value.chars().count();
                if i64::try_from(length).is_ok_and(|length| length < LAST4_MINIMUM) {
                    return FOUR_STARS.to_owned();
                }
                let mut masked = FOUR_STARS.to_owned();
                masked.extend(value.chars().skip(length.saturating_sub(4)));
                masked
            }
            Self::Domain => match value.split_once('@') {
                Some((_, domain)) => format!("{STARS}@{domain}"),
                None => STARS.to_owned(),
            },
            Self::Initial => {
                let mut masked = String::new();
                masked.extend(value.chars().next());
                masked.push_str(STARS);
                masked
            }
        }
    }
}

/// A column type that a [`Mask`] works on: `String` or `Option<String>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be masked",
    note = "the masks `last4`, `domain` and `initial` work on text; use `#[dto(mask_in_process = ..)]` for another type"
)]
pub trait Maskable {
    #[doc(hidden)]
    #[must_use]
    fn __mask(self, mask: Mask) -> Self;
}

impl Maskable for String {
    fn __mask(self, mask: Mask) -> Self {
        mask.apply(&self)
    }
}

impl Maskable for Option<String> {
    fn __mask(self, mask: Mask) -> Self {
        self.map(|value| mask.apply(&value))
    }
}
