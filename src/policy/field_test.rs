//! The tests of filters on one field, reduced to the same conditions on its column as rules.

use super::decision::Failure;
use super::reduce::{compare_with, listed, null};
use super::text::{TextTest, text};
use super::{Op, Reduced};
use crate::schema::{Comparand, Kind, Value};

/// The test that a condition of a filter makes on one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FieldTest {
    Compare(Op, Value),
    Null(bool),
    Among(Vec<Value>, bool),
    Text(TextTest, String),
}

impl FieldTest {
    pub(crate) fn among<T: Comparand>(values: impl IntoIterator<Item = T>, wanted: bool) -> Self {
        let values = values.into_iter().map(|value| value.__value()).collect();
        Self::Among(values, wanted)
    }

    /// Returns the condition that the column is set and passes the test, or is set and does not.
    pub(crate) fn reduce(
        &self,
        column: usize,
        kind: Kind,
        wanted: bool,
    ) -> Result<Reduced, Failure> {
        match self {
            Self::Null(is_null) => Ok(Reduced::Left(null(column, kind, *is_null == wanted))),
            Self::Compare(op, value) => {
                let op = if wanted { *op } else { op.negated() };
                compare_with(op, column, kind, value.clone())
            }
            Self::Among(values, among) => listed(column, kind, values.clone(), *among == wanted),
            Self::Text(test, needle) => text(*test, column, kind, needle, wanted),
        }
    }
}
