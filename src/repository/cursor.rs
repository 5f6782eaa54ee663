//! Cursors of keyset pagination: their content, and the query that they are bound to.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::grant::Principal;
use super::mark::{Kept, Mark};
use super::reader::{Reading, ViewerOf};
use super::select::Shown;
use crate::bounded::Tree;
use crate::dto::{Condition, Direction, FieldDecisions, Found, NamedField, OrderBy};
use crate::entity::{ColumnTest, Entity};
use crate::error::Result;
use crate::policy::{Decision, FieldTest, Op, TextTest, Value};
use crate::sql::StatementKey;
use crate::viewer::Viewer;

/// The position after a page, from which the next one continues; see
/// [`Reader::page`](super::Reader::page).
///
/// It is sealed: a client can neither read nor make one. It opens only for the viewer, the DTO, the
/// filter, the order and the row rules for which it was made, whatever the size of the page.
///
/// # Example
///
/// ```
/// use clearance::repository::Cursor;
///
/// // As it came in a query string. Whether it is good is found out when it is used.
/// let cursor = Cursor::from("AYx3..");
/// assert_eq!(cursor.as_str(), "AYx3..");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Returns the text to send to a client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Cursor {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Cursor {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// An injective encoder: every part begins with a tag or a length.
#[derive(Default)]
struct Encoder(Vec<u8>);

/// Encodes everything that a cursor of this query is bound to, so that no two queries encode alike.
///
/// Instants in rules are excluded: most are `context.now`, which no two requests share (decision 15).
pub(super) fn bound<D: Shown>(
    reading: &Reading<D>,
    asker: &Principal<'_, ViewerOf<D>>,
    engine: &str,
    lookups: &[(usize, Value)],
) -> Result<Vec<u8>> {
    let select = &reading.select;
    let mut encoder = Encoder::default();
    encoder.text(engine);
    match asker {
        Principal::Viewer(verified) => {
            encoder.tag(0);
            encoder.text(verified.viewer().subject().as_str());
        }
        Principal::Nobody => encoder.tag(1),
        Principal::System => encoder.tag(2),
    }
    encoder.text(std::any::type_name::<D>());
    encoder.text(D::Entity::__table().name());
    let shape = select.shape();
    encoder.text(shape.name());
    encoder.number(shape.fields().len());
    for field in shape.fields() {
        encoder.text(field.field());
    }
    encoder.number(lookups.len());
    for (column, value) in lookups {
        encoder.number(*column);
        encoder.value(value);
    }
    match select.condition()? {
        None => encoder.tag(0),
        Some(condition) => {
            encoder.tag(1);
            encoder.condition(condition);
        }
    }
    encoder.number(select.orders().len());
    for (by, direction) in select.orders() {
        let (OrderBy::Field(field) | OrderBy::Related { field, .. }) = by;
        encoder.number(field.index);
        match by {
            OrderBy::Field(_) => encoder.tag(0),
            OrderBy::Related { found, of, .. } => {
                encoder.tag(match found {
                    Found::Number => 1,
                    Found::Lowest => 2,
                    Found::Highest => 3,
                });
                encoder.number(of.map_or(0, |of| of.index));
            }
        }
        encoder.tag(match direction {
            Direction::Ascending => 0,
            Direction::Descending => 1,
        });
        encoder.visibility(&reading.decided, *field);
    }
    let modes = select.modes();
    encoder.tag(modes.refuse_hidden.into());
    encoder.tag(modes.constant_time.into());
    encoder.decision(&reading.decided.rows);
    Ok(encoder.0)
}

impl Encoder {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.tag(0),
            Value::Bool(value) => {
                self.tag(1);
                self.tag((*value).into());
            }
            Value::Int(value) => {
                self.tag(2);
                self.0.extend_from_slice(&value.to_le_bytes());
            }
            Value::Float(value) => {
                self.tag(3);
                self.0.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Value::Text(value) => {
                self.tag(4);
                self.text(value);
            }
            Value::Bytes(value) => {
                self.tag(5);
                self.bytes(value);
            }
            Value::Uuid(value) => {
                self.tag(6);
                self.0.extend_from_slice(value.as_bytes());
            }
            Value::Timestamp(value) => {
                self.tag(7);
                self.0.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    fn condition(&mut self, condition: &Tree<Condition>) {
        match condition {
            Tree::Plain(Condition::Field { field, test }) => {
                self.tag(0);
                self.number(field.index);
                self.test(test);
            }
            Tree::Plain(Condition::Column(ColumnTest { field, test })) => {
                self.tag(1);
                self.text(field);
                self.test(test);
            }
            Tree::Plain(Condition::Search(needle)) => {
                self.tag(2);
                self.text(needle);
            }
            Tree::Plain(Condition::Related { field, condition }) => {
                self.tag(6);
                self.number(field.index);
                self.condition(condition);
            }
            Tree::Not(inner) => {
                self.tag(3);
                self.condition(inner);
            }
            Tree::All(parts) | Tree::Any(parts) => {
                self.tag(4 + u8::from(matches!(condition, Tree::Any(_))));
                self.number(parts.len());
                for part in parts {
                    self.condition(part);
                }
            }
        }
    }

    fn test(&mut self, test: &FieldTest) {
        match test {
            FieldTest::Compare(op, value) => {
                self.tag(match op {
                    Op::Eq => 0,
                    Op::Ne => 1,
                    Op::Lt => 2,
                    Op::Le => 3,
                    Op::Gt => 4,
                    Op::Ge => 5,
                });
                self.value(value);
            }
            FieldTest::Null(wanted) => self.tag(6 + u8::from(*wanted)),
            FieldTest::Among(values, wanted) => {
                self.tag(8 + u8::from(*wanted));
                self.number(values.len());
                for value in values {
                    self.value(value);
                }
            }
            FieldTest::Text(test, needle) => {
                self.tag(match test {
                    TextTest::Contains => 10,
                    TextTest::StartsWith => 11,
                    TextTest::EndsWith => 12,
                });
                self.text(needle);
            }
        }
    }

    fn visibility(&mut self, decided: &FieldDecisions, field: NamedField) {
        match decided.fields.get(field.index) {
            None => self.tag(0),
            Some(decision) => {
                self.tag(1);
                self.decision(decision);
            }
        }
    }

    fn decision(&mut self, decision: &Decision) {
        let mut structure = StatementKey::default();
        structure.decision(decision);
        self.bytes(&structure.key);
        for value in structure.values {
            match value {
                Value::Timestamp(_) => {}
                Value::Null
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Text(_)
                | Value::Bytes(_)
                | Value::Uuid(_) => self.value(value),
            }
        }
    }
}

/// Encodes a mark as the content of a cursor.
pub(super) fn encode(mark: &Mark) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.number(mark.values.len());
    for kept in &mark.values {
        match kept {
            Kept::Whole(value) => {
                encoder.tag(0);
                encoder.value(value);
            }
            Kept::Beginning(begins, whole) => {
                encoder.tag(1);
                encoder.value(begins);
                encoder.0.extend_from_slice(whole);
            }
            Kept::Nothing => encoder.tag(2),
        }
    }
    encoder.value(&mark.key);
    encoder.0
}

/// Decodes the output of [`encode`]; `None` for anything else.
pub(super) fn decode(content: &[u8]) -> Option<Mark> {
    let mut decoder = Decoder(content);
    let count = decoder.number()?;
    let mut values = Vec::new();
    for _ in 0..count {
        let [tag] = decoder.take()?;
        values.push(match tag {
            0 => Kept::Whole(decoder.value()?),
            1 => Kept::Beginning(decoder.value()?, decoder.take()?),
            2 => Kept::Nothing,
            _ => return None,
        });
    }
    let key = decoder.value()?;
    decoder.0.is_empty().then_some(Mark { values, key })
}

/// The fuzz target of cursors; see `fuzz/fuzz_targets/cursor.rs`.
#[cfg(fuzzing)]
#[expect(clippy::unwrap_used, reason = "a panic is how a fuzz target fails")]
pub(crate) fn fuzz(data: &[u8]) {
    let sealer = crate::session::CursorSealer::of_process().unwrap();
    if let Ok(text) = std::str::from_utf8(data) {
        // The key is new, so nobody sealed this.
        assert!(sealer.open(b"bound", text).is_none());
    }
    if let Ok(text) = sealer.seal(b"bound", data) {
        assert_eq!(sealer.open(b"bound", &text).as_deref(), Some(data));
        assert!(sealer.open(b"other", &text).is_none());
    }
    if let Some(mark) = decode(data) {
        // Not `data` itself: a boolean that is neither 0 nor 1 is read as false.
        let written = encode(&mark);
        assert_eq!(decode(&written).map(|again| encode(&again)), Some(written));
    }
}

struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<usize> {
        u64::from_le_bytes(self.take()?).try_into().ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn value(&mut self) -> Option<Value> {
        let [tag] = self.take()?;
        Some(match tag {
            0 => Value::Null,
            1 => Value::Bool(self.take()? == [1]),
            2 => Value::Int(i64::from_le_bytes(self.take()?)),
            3 => Value::Float(f64::from_bits(u64::from_le_bytes(self.take()?))),
            4 => Value::Text(std::str::from_utf8(self.bytes()?).ok()?.to_owned()),
            5 => Value::Bytes(self.bytes()?.to_owned()),
            6 => Value::Uuid(uuid::Uuid::from_bytes(self.take()?)),
            7 => Value::Timestamp(i64::from_le_bytes(self.take()?)),
            _ => return None,
        })
    }
}
