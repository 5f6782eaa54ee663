//! Conditions of bounded size and depth: callers join them, and code that recurses into them needs a bounded
//! stack.

use std::convert::Infallible;
use std::fmt;

use crate::error::{Error, Result};
use crate::events;
use crate::limits::{CONDITION_DEPTH, CONDITIONS};

/// A condition: one that is not composed of others, or a composition.
#[derive(Clone, PartialEq)]
pub(crate) enum Tree<T> {
    Plain(T),
    Not(Box<Tree<T>>),
    All(Vec<Tree<T>>),
    Any(Vec<Tree<T>>),
}

/// The operator that joins conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Junction {
    All,
    Any,
}

impl<T> Tree<T> {
    /// Returns the condition with each plain part replaced.
    fn try_map<U, E>(self, map: &impl Fn(T) -> Result<U, E>) -> Result<Tree<U>, E> {
        let each = |parts: Vec<Self>| -> Result<Vec<Tree<U>>, E> {
            parts.into_iter().map(|part| part.try_map(map)).collect()
        };
        Ok(match self {
            Self::Plain(condition) => Tree::Plain(map(condition)?),
            Self::Not(inner) => Tree::Not(Box::new(inner.try_map(map)?)),
            Self::All(parts) => Tree::All(each(parts)?),
            Self::Any(parts) => Tree::Any(each(parts)?),
        })
    }

    const fn is_joined(&self, by: Junction) -> bool {
        match by {
            Junction::All => matches!(self, Self::All(_)),
            Junction::Any => matches!(self, Self::Any(_)),
        }
    }

    fn joined(by: Junction, parts: Vec<Self>) -> Self {
        match by {
            Junction::All => Self::All(parts),
            Junction::Any => Self::Any(parts),
        }
    }

    /// Splits the condition into its parts if it is joined by `by`, and else returns itself.
    fn into_parts(self, by: Junction) -> Vec<Self> {
        match (self, by) {
            (Self::All(parts), Junction::All) | (Self::Any(parts), Junction::Any) => parts,
            (other, _) => vec![other],
        }
    }

    /// Negates the condition; a double negation cancels.
    fn opposite(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Tree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(condition) => condition.fmt(f),
            Self::Not(inner) => f.debug_tuple("Not").field(inner).finish(),
            Self::All(parts) => f.debug_tuple("All").field(parts).finish(),
            Self::Any(parts) => f.debug_tuple("Any").field(parts).finish(),
        }
    }
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
    condition: Tree<T>,
    parts: usize,
    depth: usize,
}

impl<T> Bounded<T> {
    /// Wraps a condition that is not composed of others.
    pub(crate) const fn plain(condition: T) -> Self {
        Self(Some(Within {
            condition: Tree::Plain(condition),
            parts: 1,
            depth: 1,
        }))
    }

    /// Returns the condition that always holds: all of no others.
    pub(crate) const fn always() -> Self {
        Self(Some(Within {
            condition: Tree::All(Vec::new()),
            parts: 1,
            depth: 1,
        }))
    }

    /// Returns the condition, for a query of `dto`; one that exceeded the limits is an error.
    pub(crate) fn within(&self, dto: &'static str) -> Result<&Tree<T>> {
        self.get().ok_or_else(|| beyond(dto, "conditions"))
    }

    /// Returns the condition, or `None` where it exceeded the limits.
    pub(crate) const fn get(&self) -> Option<&Tree<T>> {
        match &self.0 {
            Some(within) => Some(&within.condition),
            None => None,
        }
    }

    /// Replaces each plain part by another one; `None` where the condition exceeded the limits.
    pub(crate) fn try_map<U, E>(
        self,
        map: impl Fn(T) -> Result<U, E>,
    ) -> Result<Option<Bounded<U>>, E> {
        let mapped = self.0.map(|within| {
            Ok(Bounded(Some(Within {
                condition: within.condition.try_map(&map)?,
                parts: within.parts,
                depth: within.depth,
            })))
        });
        mapped.transpose()
    }

    /// Replaces each plain part by another one.
    pub(crate) fn map<U>(self, map: impl Fn(T) -> U) -> Bounded<U> {
        let Ok(mapped) = self.try_map(|condition| Ok::<_, Infallible>(map(condition)));
        mapped.unwrap_or(Bounded(None))
    }

    /// Wraps the condition in a plain one, which adds one to the depth.
    pub(crate) fn inside(self, around: impl FnOnce(Tree<T>) -> T) -> Self {
        self.deeper(|condition| Tree::Plain(around(condition)))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        self.join(other, Junction::All)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.join(other, Junction::Any)
    }

    /// Negates the condition.
    pub(crate) fn opposite(self) -> Self {
        match self.0 {
            Some(inner) if matches!(inner.condition, Tree::Not(_)) => Self(Some(Within {
                condition: inner.condition.opposite(),
                parts: inner.parts,
                depth: inner.depth - 1,
            })),
            inner => Self(inner).deeper(Tree::opposite),
        }
    }

    fn deeper(self, around: impl FnOnce(Tree<T>) -> Tree<T>) -> Self {
        let inner = self.0.filter(|inner| inner.depth < CONDITION_DEPTH);
        Self(inner.map(|inner| Within {
            condition: around(inner.condition),
            parts: inner.parts,
            depth: inner.depth + 1,
        }))
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
            condition: Tree::joined(by, joined),
            parts,
            depth,
        }))
    }
}

impl<T> Within<T> {
    /// Returns its depth as a part among others that are joined by `by`.
    fn depth_among(&self, by: Junction) -> usize {
        if self.condition.is_joined(by) {
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
