//! What a rule comes to.

use std::fmt;

use super::Residual;

/// What rules come to for one viewer before any row is seen. A value, never an error: a
/// decision that could not be reached is one of its outcomes.
///
/// It is exhaustive on purpose: a new outcome must break whatever acts on decisions.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Allowed, whatever the row.
    Allow,
    /// Denied, whatever the row.
    Deny,
    /// It depends on the row: this is what is left to be found true of it.
    Depends(Residual),
    /// It could not be worked out. Neither allowed nor denied: the call fails.
    Fail(Failure),
}

/// Why a decision could not be worked out.
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
    /// [`Loaded`](super::Loaded).
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

/// One of three truth values. A rule allows only when it is [`Truth::True`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Definitely so.
    True,
    /// Definitely not so.
    False,
    /// A null, or a viewer that is not there, stands in the way of knowing.
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
