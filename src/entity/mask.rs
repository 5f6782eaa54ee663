//! Masks, which show a part of a value in place of the whole.

/// A mask that the database itself applies, so that the whole value does not leave it.
///
/// A null stays null: a mask reveals whether there is a value. For a value that contains a NUL, a mask
/// shows its stars alone, because engines do not agree on where such a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// `****` and the last four characters; `****` alone for a value of fewer than eight.
    Last4,
    /// `***@` and the text after the first at sign; `***` alone for a value without one.
    Domain,
    /// The first character and `***`; `***` alone for an empty value.
    Initial,
}

/// The text that replaces the masked part, except under [`Mask::Last4`].
pub(crate) const STARS: &str = "***";
/// The text that precedes the last four characters under [`Mask::Last4`].
pub(crate) const FOUR_STARS: &str = "****";
/// The minimum length, in characters, of a value that [`Mask::Last4`] shows a part of.
pub(crate) const LAST4_MINIMUM: i64 = 8;

impl Mask {
    /// Returns the mask that shows no part of the value.
    pub(crate) const fn stars(self) -> &'static str {
        match self {
            Self::Last4 => FOUR_STARS,
            Self::Domain | Self::Initial => STARS,
        }
    }

    /// Masks `value` exactly as the database would.
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
    message = "`mask` does not work on a column of type `{Self}`",
    label = "this mask is for text",
    note = "the masks `last4`, `domain` and `initial` work on String and Option<String>; write `#[dto(mask_in_process = path)]` for another type"
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
