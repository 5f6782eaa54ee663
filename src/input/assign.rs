//! The three states of a field in a body: absent, null and set.

/// A client's assignment to one field: absent, or a value.
///
/// In a [`Patch`](super::Patch) a field that is absent stays as it is; in an
/// [`Input`](super::Input) the database's default takes its place. For a column that may be null
/// the type is `Assign<Option<T>>`, in which a JSON null is the value `None`.
///
/// # Example
///
/// ```
/// use clearance::input::Assign;
///
/// let absent: Assign<Option<String>> = Assign::Absent;
/// let null: Assign<Option<String>> = Assign::Value(None);
/// assert!(absent.is_absent());
/// assert_eq!(null.value(), Some(&None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Assign<T> {
    /// The field was not in the body.
    #[default]
    Absent,
    /// The value that the client sent.
    Value(T),
}

impl<T> Assign<T> {
    /// Returns a reference to the client's value, if there is one.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Absent => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Returns the client's value itself, if there is one.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Returns whether the field was absent.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T> From<T> for Assign<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

/// Applies the rules of `#[garde(inner(..))]` to the value; an absent field is valid.
#[cfg(feature = "garde")]
impl<T> garde::rules::inner::Inner<T> for Assign<T> {
    type Key = garde::error::NoKey;

    fn validate_inner<F>(&self, mut check: F)
    where
        F: FnMut(&T, &Self::Key),
    {
        if let Self::Value(value) = self {
            check(value, &garde::error::NoKey::default());
        }
    }
}
