//! Conditions of bounded size and depth: callers join them, and code that recurses into them needs a bounded
//! stack.

use crate::error::{Error, Result};
use crate::events;
use crate::limits::{CONDITION_DEPTH, CONDITIONS};

/// A condition that can be composed of others.
pub(crate) trait Logic: Sized {
    /// Returns the form of the condition.
    fn form(&self) -> Form;

    /// Joins conditions.
    fn joined(by: Junction, parts: Vec<Self>) -> Self;

    /// Splits the condition into its parts if it is joined by `by`, and else returns itself.
    fn into_parts(self, by: Junction) -> Vec<Self>;

    /// Negates the condition; a double negation cancels.
    fn opposite(self) -> Self;
}

/// The operator that joins conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Junction {
    All,
    Any,
}

/// The form of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Joined(Junction),
    Opposite,
    Plain,
}

/// A condition within the limits, or the mark of one that exceeded them.
///
/// INVARIANT (bounded): the condition has at most [`CONDITIONS`] parts, nested [`CONDITION_DEPTH`] deep, so
/// that walking, comparing and dropping it takes a bounded stack. A condition that would exceed that is
/// dropped before it is built.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounded<T>(Option<Within<T>>);

#[derive(Debug, Clone, PartialEq)]
struct Within<T> {
    condition: T,
    parts: usize,
    depth: usize,
}

impl<T> Bounded<T> {
    /// Wraps a condition that is not composed of others.
    pub(crate) const fn plain(condition: T) -> Self {
        Self(Some(Within {
            condition,
            parts: 1,
            depth: 1,
        }))
    }

    /// Returns the condition, for a query of `dto`; one that exceeded the limits is an error.
    pub(crate) fn within(&self, dto: &'static str) -> Result<&T> {
        self.get().ok_or_else(|| beyond(dto, "conditions"))
    }

    /// Returns the condition, or `None` where it exceeded the limits.
    pub(crate) const fn get(&self) -> Option<&T> {
        match &self.0 {
            Some(within) => Some(&within.condition),
            None => None,
        }
    }

    /// Replaces the condition by another one of the same size; `None` where it exceeded the limits.
    pub(crate) fn try_map(self, map: impl FnOnce(T) -> Result<T>) -> Result<Option<Self>> {
        let mapped = self.0.map(|within| {
            let condition = map(within.condition)?;
            Ok(Self(Some(Within {
                condition,
                ..within
            })))
        });
        mapped.transpose()
    }

    /// Wraps the condition in another one, which adds one to the depth.
    pub(crate) fn inside(self, around: impl FnOnce(T) -> T) -> Self {
        let inner = self.0.filter(|inner| inner.depth < CONDITION_DEPTH);
        Self(inner.map(|inner| Within {
            condition: around(inner.condition),
            parts: inner.parts,
            depth: inner.depth + 1,
        }))
    }
}

impl<T: Logic> Bounded<T> {
    pub(crate) fn and(self, other: Self) -> Self {
        self.join(other, Junction::All)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.join(other, Junction::Any)
    }

    /// Negates the condition.
    pub(crate) fn opposite(self) -> Self {
        match self.0 {
            Some(inner) if inner.condition.form() == Form::Opposite => Self(Some(Within {
                condition: inner.condition.opposite(),
                parts: inner.parts,
                depth: inner.depth - 1,
            })),
            inner => Self(inner).inside(T::opposite),
        }
    }

    fn join(self, other: Self, by: Junction) -> Self {
        let (Some(one), Some(other)) = (self.0, other.0) else {
            return Self(None);
        };
        let parts = one.parts + other.parts;
        let depth = 1 + one.depth_among(by).max(other.depth_among(by));
        if parts > CONDITIONS || depth > CONDITION_DEPTH {
            return Self(None);
        }
        let mut joined = one.condition.into_parts(by);
        joined.extend(other.condition.into_parts(by));
        Self(Some(Within {
            condition: T::joined(by, joined),
            parts,
            depth,
        }))
    }
}

impl<T: Logic> Within<T> {
    /// Returns its depth as a part among others that are joined by `by`.
    fn depth_among(&self, by: Junction) -> usize {
        if self.condition.form() == Form::Joined(by) {
            self.depth - 1
        } else {
            self.depth
        }
    }
}

/// Builds the error of a query that exceeds `limit`, and logs it.
pub(crate) fn beyond(dto: &'static str, limit: &'static str) -> Error {
    events::beyond_limit(dto, limit);
    Error::invalid()
}

/// Joins `parts` into a balanced tree, so that none is nested deep: databases and drivers recurse once per
/// level of a statement. Few parts stay a plain chain.
pub(crate) fn balanced<T>(mut parts: Vec<T>, join: &impl Fn(T, T) -> T) -> Option<T> {
    const ROW: usize = 8;
    if parts.len() <= ROW {
        return parts.into_iter().reduce(join);
    }
    let right = parts.split_off(parts.len().div_ceil(2));
    match (balanced(parts, join), balanced(right, join)) {
        (Some(left), Some(right)) => Some(join(left, right)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_01_many_parts_are_joined_in_few_steps() {
        let depth = |count| balanced(vec![1_usize; count], &|one, other| one.max(other) + 1);
        assert_eq!(depth(0), None);
        assert_eq!(depth(1), Some(1));
        assert_eq!(depth(8), Some(8));
        assert_eq!(depth(16), Some(9));
        assert!(depth(100_000).is_some_and(|depth| depth < 30));
        let texts = (0..20).map(|number| number.to_string()).collect();
        let row = balanced(texts, &|one: String, other| format!("{one} {other}"));
        let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(row, Some(expected.join(" ")));
    }
}
