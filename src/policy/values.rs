//! Lists for `IN` conditions, with a lookup that does not depend on their length.

use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use crate::schema::{Cell, Value};

/// The values that a column is compared with by `IN`, none of them null.
///
/// Clones share the list. A long list is hashed at its first lookup, so that a row costs the same whatever
/// the length (decision 55).
#[derive(Clone)]
pub struct Values(Arc<Inner>);

struct Inner {
    list: Vec<Value>,
    hashed: OnceLock<Hashed>,
}

/// The values by kind, without the kinds that no rule compares.
#[derive(Default)]
struct Hashed {
    truths: HashSet<bool>,
    integers: HashSet<i64>,
    instants: HashSet<i64>,
    texts: HashSet<Box<str>>,
    uuids: HashSet<Uuid>,
}

impl Values {
    /// The maximum length of a list that is searched linearly.
    const FEW: usize = 16;

    /// Returns whether the cell holds one of them.
    pub(crate) fn contain(&self, cell: Cell<'_>) -> bool {
        if self.len() <= Self::FEW {
            self.iter().any(|value| value.is_in(cell))
        } else {
            let hashed = self.0.hashed.get_or_init(|| Hashed::of(self));
            hashed.contains(cell)
        }
    }
}

impl Hashed {
    fn of(list: &[Value]) -> Self {
        let mut hashed = Self::default();
        for value in list {
            match value {
                Value::Bool(value) => {
                    hashed.truths.insert(*value);
                }
                Value::Int(value) => {
                    hashed.integers.insert(*value);
                }
                Value::Timestamp(value) => {
                    hashed.instants.insert(*value);
                }
                Value::Text(value) => {
                    hashed.texts.insert(value.as_str().into());
                }
                Value::Uuid(value) => {
                    hashed.uuids.insert(*value);
                }
                Value::Null | Value::Float(_) | Value::Bytes(_) => {}
            }
        }
        hashed
    }

    fn contains(&self, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Bool(value) => self.truths.contains(&value),
            Cell::Int(value) => self.integers.contains(&value),
            Cell::Timestamp(value) => self.instants.contains(&value),
            Cell::Text(value) => self.texts.contains(value),
            Cell::Uuid(value) => self.uuids.contains(&value),
            Cell::Null | Cell::Float(_) | Cell::Bytes(_) => false,
        }
    }
}

impl From<Vec<Value>> for Values {
    fn from(list: Vec<Value>) -> Self {
        Self(Arc::new(Inner {
            list,
            hashed: OnceLock::new(),
        }))
    }
}

impl FromIterator<Value> for Values {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

impl Deref for Values {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0.list
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn av_09_a_long_list_is_hashed_once_and_says_the_same_as_a_short_one() {
        let value = |number: i64| match number % 4 {
            0 => Value::Int(number),
            1 => Value::Text(number.to_string()),
            2 => Value::Uuid(Uuid::from_u128(number.unsigned_abs().into())),
            _ => Value::Timestamp(number),
        };
        let many: Values = (0..100_000).map(value).collect();
        assert!(many.0.hashed.get().is_none());
        for number in [0, 1, 2, 3, 77_777, 99_999, 100_000, 100_001, -1] {
            let asked = value(number);
            let listed = many.contains(&asked);
            assert_eq!(many.contain(asked.as_cell()), listed, "{asked:?}");
            assert_eq!(listed, (0..100_000).contains(&number));
        }
        // A number is no instant, and a text of digits is no number.
        for (asked, listed) in [
            (Cell::Int(0), true),
            (Cell::Timestamp(0), false),
            (Cell::Text("0"), false),
            (Cell::Null, false),
        ] {
            assert_eq!(many.contain(asked), listed, "{asked:?}");
        }
        // Copies share what was made, and few are gone through.
        assert!(many.clone().0.hashed.get().is_some());
        let few: Values = (0..4).map(value).collect();
        assert!(few.contain(Cell::Text("1")) && !few.contain(Cell::Text("5")));
        assert!(few.0.hashed.get().is_none());
    }
}
