//! The content of a cursor: the position at which a page ended (keyset pagination).
//!
//! A long text would make a cursor too long for a URL. So a cursor holds the beginning of the text and
//! a digest, and the next page looks up the rest by the key, as this viewer sees the row then (decision
//! 54).

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::dto::Direction;
use crate::policy::{Kind, Value, first_after};
use crate::sql::{HeldValue, OrderKey, Position, Rest, is_of};

/// The maximum number of bytes of a value that a cursor holds.
const LONGEST: usize = 256;

/// The position at which a page ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// The values of the row, one for each order key.
    pub(super) values: Vec<Kept>,
    pub(super) key: Value,
}

/// A value as a cursor keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kept {
    Whole(Value),
    /// The beginning of a long text or byte string, and the digest of the whole.
    Beginning(Value, Digest),
    /// Nothing, because the stored value has no Rust equivalent, such as `infinity`.
    Nothing,
}

pub(super) type Digest = [u8; SHA256_OUTPUT_LEN];

impl Mark {
    /// Makes the mark of a row with these values; `None` stands for a value that cannot be read.
    pub(super) fn of(values: Vec<Option<Value>>, key: Value) -> Self {
        Self {
            values: values.into_iter().map(Kept::of).collect(),
            key,
        }
    }

    /// Returns whether the mark has values of the kinds that the order requires.
    pub(super) fn fits(&self, kinds: &[Kind], key: Kind) -> bool {
        self.values.len() == kinds.len()
            && self
                .values
                .iter()
                .zip(kinds)
                .all(|(kept, kind)| match kept {
                    Kept::Whole(value) => *value == Value::Null || is_of(value, *kind),
                    Kept::Beginning(begins, _) => is_of(begins, *kind),
                    Kept::Nothing => true,
                })
            && is_of(&self.key, key)
    }

    /// Returns whether the mark holds each value whole.
    pub(super) fn is_whole(&self) -> bool {
        let mut values = self.values.iter();
        values.all(|kept| matches!(kept, Kept::Whole(_)))
    }

    /// Returns the position of the row. Values missing from the mark are taken from `now`, the row
    /// found under its key.
    ///
    /// If the row has another value by now, or is gone, the end of the page among the values with the
    /// same beginning is unknown. The next page then starts with the first of them: it may repeat some
    /// rows, but skips none.
    pub(super) fn position(self, order: &[OrderKey], now: Option<&[Option<Value>]>) -> Position {
        let mut values = Vec::with_capacity(self.values.len());
        for (place, kept) in self.values.into_iter().enumerate() {
            let found = now.and_then(|now| now.get(place));
            let (begins, whole) = match (kept, found) {
                (Kept::Whole(value), _) => {
                    values.push(HeldValue::Value(value));
                    continue;
                }
                (Kept::Nothing, Some(None)) => {
                    values.push(HeldValue::Stored);
                    continue;
                }
                (Kept::Nothing, _) => {
                    return Position {
                        values,
                        rest: Rest::Every,
                    };
                }
                (Kept::Beginning(begins, whole), _) => (begins, whole),
            };
            if let Some(Some(found)) = found
                && digested(found) == Some(whole)
            {
                values.push(HeldValue::Value(found.clone()));
                continue;
            }
            let ascends = order
                .get(place)
                .is_none_or(|key| key.direction == Direction::Ascending);
            let rest = match (ascends, end(&begins)) {
                (true, _) => {
                    values.push(HeldValue::Value(begins));
                    Rest::Every
                }
                (false, Some(end)) => {
                    values.push(HeldValue::Value(end));
                    Rest::None
                }
                (false, None) => Rest::Every,
            };
            return Position { values, rest };
        }
        Position {
            values,
            rest: Rest::Behind(self.key),
        }
    }
}

impl Kept {
    fn of(value: Option<Value>) -> Self {
        let Some(value) = value else {
            return Self::Nothing;
        };
        match (beginning(&value), digested(&value)) {
            (Some(begins), Some(whole)) => Self::Beginning(begins, whole),
            _ => Self::Whole(value),
        }
    }
}

/// Returns the beginning of a value that is too long for a cursor.
fn beginning(value: &Value) -> Option<Value> {
    match value {
        Value::Text(text) if text.len() > LONGEST => {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
            let begins = text.get(..end.unwrap_or_default()).unwrap_or_default();
            Some(Value::Text(begins.to_owned()))
        }
        Value::Bytes(bytes) if bytes.len() > LONGEST => {
            let begins = bytes.get(..LONGEST).unwrap_or_default();
            Some(Value::Bytes(begins.to_owned()))
        }
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => None,
    }
}

fn digested(value: &Value) -> Option<Digest> {
    let bytes = match value {
        Value::Text(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => return None,
    };
    digest(&SHA256, bytes).as_ref().try_into().ok()
}

/// Returns the first value after all values with this beginning, if there is one.
fn end(begins: &Value) -> Option<Value> {
    match begins {
        Value::Text(text) => first_after(text).map(Value::Text),
        Value::Bytes(bytes) => {
            let mut end = bytes.clone();
            while let Some(last) = end.pop() {
                if let Some(next) = last.checked_add(1) {
                    end.push(next);
                    return Some(Value::Bytes(end));
                }
            }
            None
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => None,
    }
}
