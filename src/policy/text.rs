//! Text inside of text: what a filter asks, brought to conditions that every engine answers
//! byte by byte.

use super::decision::Failure;
use super::reduce::among;
use super::{Kind, Op, Reduced, Residual, Term, Value};

/// Where in a column's text something is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At any place.
    Anywhere,
    /// At its end.
    AtEnd,
}

/// What a filter asks of a text.
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

/// The column is set and fulfils the test, or is set and does not.
pub(crate) fn text(
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
        TextTest::StartsWith => return Ok(Reduced::Left(starts_with(column, needle, wanted))),
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

/// A prefix is a range of texts in the order of their bytes, which an index can serve: no less
/// than the prefix, and less than the first text after all that begin with it.
fn starts_with(column: usize, prefix: &str, wanted: bool) -> Residual {
    let bound = |op: Op, text: String| Residual::Compare {
        op: if wanted { op } else { op.negated() },
        column,
        with: Term::Value(Value::Text(text)),
    };
    let from = bound(Op::Ge, prefix.to_owned());
    match first_after(prefix) {
        None => from,
        Some(end) => {
            let parts = vec![from, bound(Op::Lt, end)];
            if wanted {
                Residual::All(parts)
            } else {
                Residual::Any(parts)
            }
        }
    }
}

/// The first text after all that begin with `prefix`. UTF-8 keeps the order of code points, so
/// the last one that has a successor is raised. `None` when nothing comes after.
fn first_after(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match last {
            // Between the two stand the surrogates, which are no text.
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
