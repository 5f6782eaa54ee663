//! The values that rules compare and columns hold.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::DateTime;
use uuid::Uuid;

/// The kind of value that a column holds, as far as rules and the database agree on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// True or false.
    Bool,
    /// A signed integer of 64 bits.
    Int,
    /// A floating point number of 64 bits. Stored and shown; no rule compares it, because
    /// engines differ on its comparisons.
    Float,
    /// Text, compared byte by byte.
    Text,
    /// Text out of a declared set, given from the lowest to the highest.
    Enum(&'static [&'static str]),
    /// Bytes. Stored and shown; no rule compares them.
    Bytes,
    /// A UUID.
    Uuid,
    /// An instant in UTC, to the microsecond.
    Timestamp,
}

impl Kind {
    /// Returns the declared set of text out of one; none for any other kind.
    pub(crate) const fn names(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Enum(names) => Some(names),
            Self::Bool
            | Self::Int
            | Self::Float
            | Self::Text
            | Self::Bytes
            | Self::Uuid
            | Self::Timestamp => None,
        }
    }
}

/// A value that a rule compares a row with, or that a query or a write carries.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Null: in a rule, every comparison with it is unknown.
    Null,
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Int`].
    Int(i64),
    /// See [`Kind::Float`].
    Float(f64),
    /// See [`Kind::Text`] and [`Kind::Enum`].
    Text(String),
    /// See [`Kind::Bytes`].
    Bytes(Vec<u8>),
    /// See [`Kind::Uuid`].
    Uuid(Uuid),
    /// See [`Kind::Timestamp`]: microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

/// A borrowed [`Value`], as one column of one row holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Cell<'a> {
    /// See [`Value::Null`].
    Null,
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Int`].
    Int(i64),
    /// See [`Kind::Float`].
    Float(f64),
    /// See [`Kind::Text`] and [`Kind::Enum`].
    Text(&'a str),
    /// See [`Kind::Bytes`].
    Bytes(&'a [u8]),
    /// See [`Kind::Uuid`].
    Uuid(Uuid),
    /// See [`Kind::Timestamp`]: microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl Value {
    /// Borrows the value as a cell.
    #[inline]
    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Int(value) => Cell::Int(*value),
            Self::Float(value) => Cell::Float(*value),
            Self::Text(value) => Cell::Text(value),
            Self::Bytes(value) => Cell::Bytes(value),
            Self::Uuid(value) => Cell::Uuid(*value),
            Self::Timestamp(value) => Cell::Timestamp(*value),
        }
    }

    /// Returns the value as text: a UUID with hyphens, an instant by RFC 3339, bytes in hexadecimal digits.
    /// None for null.
    pub(crate) fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::Bytes(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Uuid(value) => value.to_string(),
            Self::Timestamp(micros) => DateTime::from_timestamp_micros(*micros)?.to_rfc3339(),
        })
    }

    /// Returns whether the cell holds this value; never for a null, a float or bytes, which no rule
    /// compares.
    #[inline]
    pub(crate) fn is_in(&self, cell: Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Bool(value), Cell::Bool(cell)) => *value == cell,
            (Self::Int(value), Cell::Int(cell))
            | (Self::Timestamp(value), Cell::Timestamp(cell)) => *value == cell,
            (Self::Text(value), Cell::Text(cell)) => value == cell,
            (Self::Uuid(value), Cell::Uuid(cell)) => value.as_u128() == cell.as_u128(),
            (
                Self::Null
                | Self::Bool(_)
                | Self::Int(_)
                | Self::Float(_)
                | Self::Text(_)
                | Self::Bytes(_)
                | Self::Uuid(_)
                | Self::Timestamp(_),
                _,
            ) => false,
        }
    }
}

impl Cell<'_> {
    /// Converts the cell to an owned value.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(value) => Value::Text(value.to_owned()),
            Self::Bytes(value) => Value::Bytes(value.to_owned()),
            Self::Uuid(value) => Value::Uuid(value),
            Self::Timestamp(value) => Value::Timestamp(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_1_a_cell_holds_its_own_value_and_no_other() {
        let text = ["a".to_owned(), "b".to_owned()];
        let kinds = |which: u8| {
            [
                Value::Null,
                Value::Bool(which == 0),
                Value::Int(which.into()),
                Value::Text(text[usize::from(which)].clone()),
                Value::Uuid(uuid::Uuid::from_u128(which.into())),
                Value::Timestamp(which.into()),
                Value::Float(which.into()),
                Value::Bytes(vec![which]),
            ]
        };
        let [bytes, more] = [vec![0], vec![1]];
        let cells = |which: u8| {
            [
                Cell::Null,
                Cell::Bool(which == 0),
                Cell::Int(which.into()),
                Cell::Text(&text[usize::from(which)]),
                Cell::Uuid(uuid::Uuid::from_u128(which.into())),
                Cell::Timestamp(which.into()),
                Cell::Float(which.into()),
                Cell::Bytes(if which == 0 { &bytes } else { &more }),
            ]
        };
        for (one, other) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for (kind, value) in kinds(one).iter().enumerate() {
                for (cell_kind, cell) in cells(other).into_iter().enumerate() {
                    let compared = (1..=5).contains(&kind);
                    let same = compared && kind == cell_kind && one == other;
                    assert_eq!(value.is_in(cell), same, "{value:?} in {cell:?}");
                }
            }
        }
    }
}
