//! Conditions that callers join, which no number of calls makes deeper or larger than every place
//! that walks them can take.

use crate::audit;
use crate::error::{Error, Result};
use crate::limits::{CONDITION_DEPTH, CONDITIONS};

/// A condition that is made of others.
pub(crate) trait Logic: Sized {
    /// How it is made.
    fn form(&self) -> Form;

    /// These, joined.
    fn joined(by: By, parts: Vec<Self>) -> Self;

    /// Its parts where it is joined so, and else itself.
    fn into_parts(self, by: By) -> Vec<Self>;

    /// Its opposite; of an opposite, what that is the opposite of.
    fn opposite(self) -> Self;
}

/// How parts are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    All,
    Any,
}

/// How a condition is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Joined(By),
    Opposite,
    Plain,
}

/// A condition within the limits, or the mark of one that was beyond them.
///
/// INVARIANT (bounded): what is in it has at most [`CONDITIONS`] parts, [`CONDITION_DEPTH`] deep, so
/// that walking, comparing and dropping it takes a bounded stack. A condition that would be beyond is
/// let go before it is made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounded<T>(Option<Within<T>>);

#[derive(Debug, Clone, PartialEq)]
struct Within<T> {
    condition: T,
    parts: usize,
    depth: usize,
}

impl<T> Bounded<T> {
    /// A condition that is not made of others.
    pub(crate) const fn plain(condition: T) -> Self {
        Self(Some(Within {
            condition,
            parts: 1,
            depth: 1,
        }))
    }

    /// The condition, for a query of `dto`; one that was beyond the limits is not valid.
    pub(crate) fn within(&self, dto: &'static str) -> Result<&T> {
        self.get().ok_or_else(|| beyond(dto, "conditions"))
    }

    /// The condition, or `None` where it was beyond the limits.
    pub(crate) const fn get(&self) -> Option<&T> {
        match &self.0 {
            Some(within) => Some(&within.condition),
            None => None,
        }
    }

    /// The same with another condition of its size; `None` where it was beyond the limits.
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

    /// A condition that has this one inside.
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
        self.join(other, By::All)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.join(other, By::Any)
    }

    /// The opposite.
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

    fn join(self, other: Self, by: By) -> Self {
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
    /// How deep it is as one among others that are joined so.
    fn depth_among(&self, by: By) -> usize {
        if self.condition.form() == Form::Joined(by) {
            self.depth - 1
        } else {
            self.depth
        }
    }
}

/// The answer to a query that asks for more than `limit` allows.
pub(crate) fn beyond(dto: &'static str, limit: &'static str) -> Error {
    audit::beyond_limit(dto, limit);
    Error::invalid()
}

/// Joins `parts` so that none stands deeper than a few joints: a statement is read and written by
/// programs that take a step down for each. Few parts stay a plain row.
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
