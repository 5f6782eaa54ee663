//! Text tests of filters (starts with, contains, ends with), reduced to conditions that every engine
//! evaluates byte by byte.

use super::decision::Failure;
use super::reduce::among;
use super::{Reduced, Residual};
use crate::schema::{Kind, Value};

/// The place in a column's text at which a text is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// At its start: the column is no less than the text itself, and less than the first text after all
    /// that begin with it, which is this one, or null if nothing comes after.
    AtStart(Value),
    /// At any place.
    Anywhere,
    /// At its end.
    AtEnd,
}

/// A text test of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

impl TextTest {
    fn holds(self, text: &str, needle: &str) -> bool {
        match self {
            Self::Contains => text.contains(needle),
            Self::StartsWith => text.starts_with(needle),
            Self::EndsWith => text.ends_with(needle),
        }
    }
}

/// Builds the condition that the column is set and passes the test, or is set and does not.
pub(super) fn text(
    test: TextTest,
    column: usize,
    kind: Kind,
    needle: &str,
    wanted: bool,
) -> Result<Reduced, Failure> {
    match kind {
        Kind::Enum(names) => {
            return among(column, names, |known| {
                Ok(test.holds(known, needle) == wanted)
            });
        }
        Kind::Text => {}
        Kind::Bool | Kind::Int | Kind::Float | Kind::Bytes | Kind::Uuid | Kind::Timestamp => {
            return Err(Failure::KindMismatch);
        }
    }
    if needle.is_empty() {
        // Every text has it.
        return Ok(if wanted {
            Reduced::Left(Residual::Null {
                column,
                wanted: false,
            })
        } else {
            Reduced::Never
        });
    }
    let place = match test {
        TextTest::StartsWith => {
            Place::AtStart(first_after(needle).map_or(Value::Null, Value::Text))
        }
        TextTest::Contains => Place::Anywhere,
        TextTest::EndsWith => Place::AtEnd,
    };
    Ok(Reduced::Left(Residual::Text {
        column,
        place,
        needle: Value::Text(needle.to_owned()),
        wanted,
    }))
}

/// Returns the first text after all that begin with `prefix`. UTF-8 keeps the order of code points, so the
/// last one that has a successor is incremented. `None` if nothing comes after.
pub(crate) fn first_after(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match last {
            // The range between the two is that of the surrogates, which are no characters.
            '\u{d7ff}' => Some('\u{e000}'),
            last => u32::from(last).checked_add(1).and_then(char::from_u32),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}
