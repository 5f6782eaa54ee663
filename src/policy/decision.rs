//! The outcomes of rules: decisions before any row, and truth values over a row.

use std::fmt;

use super::Residual;

/// The decision of rules for one viewer before any row is seen. It is a value, never an error: a failed
/// evaluation is one of the outcomes.
///
/// It is exhaustive on purpose: a new outcome must break every `match` on it.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Allowed, whatever the row.
    Allow,
    /// Denied, whatever the row.
    Deny,
    /// Dependent on the row: allowed if this residual is true of it.
    Depends(Residual),
    /// Failed to evaluate. Neither allowed nor denied: the call fails.
    Fail(Failure),
}

impl Decision {
    /// Returns the condition on the row, if it depends on the row.
    pub(crate) const fn condition(&self) -> Option<&Residual> {
        match self {
            Self::Depends(residual) => Some(residual),
            Self::Allow | Self::Deny | Self::Fail(_) => None,
        }
    }
}

/// The reason why a rule failed to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The rule names a field that its entity does not have.
    UnknownField(&'static str),
    /// The rule names a relation that its entity does not have.
    UnknownRelation(&'static str),
    /// The rule compares values of different kinds.
    KindMismatch,
    /// The rule refers to an input that it does not have.
    UnknownInput,
    /// The rule reads an attribute of the viewer that its source did not load; see
    /// [`MaybeLoaded`](super::MaybeLoaded).
    NotLoaded(&'static str),
    /// The rule reads a field of a new row that nothing sets.
    NotSet(&'static str),
    /// The rule is deeper than [`RULE_DEPTH`](crate::limits::RULE_DEPTH), or has more than
    /// [`RULE_PARTS`](crate::limits::RULE_PARTS) parts.
    TooLarge,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField(field) => write!(f, "the entity has no field `{field}`"),
            Self::UnknownRelation(name) => write!(f, "the entity has no relation `{name}`"),
            Self::KindMismatch => f.write_str("it compares values of different kinds"),
            Self::UnknownInput => f.write_str("it names an input that it does not have"),
            Self::NotLoaded(attribute) => write!(f, "`{attribute}` was not loaded"),
            Self::TooLarge => f.write_str("it is too deep or has too many parts: split it up"),
            Self::NotSet(field) => write!(f, "nothing sets `{field}` of the new row"),
        }
    }
}

/// One of three truth values. A rule allows only if it is [`Truth::True`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Definitely true.
    True,
    /// Definitely false.
    False,
    /// Neither: a null or a missing viewer leaves it undecided.
    Unknown,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}
