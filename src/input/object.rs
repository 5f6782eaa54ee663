//! A JSON object parsed member by member, with all of its errors.
//!
//! The cost of parsing is linear in the length of the body (decision 54): a value remains the text it
//! came as until the type of its field is known, duplicate keys are found by hash, and parsing stops
//! once no request of any type could be valid.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Assign;
use crate::error::FieldError;
use crate::limits::{BODY_DEPTH, FIELD_ERRORS, MEMBERS};

/// The members of a body that are not yet taken, and the errors of those that are.
#[derive(Debug, Default)]
pub struct Object {
    members: HashMap<String, Box<RawValue>>,
    errors: Vec<FieldError>,
}

/// The reason why a body could not be parsed as a JSON object.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// The body is not JSON, or nested too deeply.
    Syntax,
    /// The body is JSON, but not an object.
    Kind,
    /// Parsing stopped at a limit, with the errors found up to there.
    Beyond(Vec<FieldError>),
}

impl Object {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Malformed> {
        if !is_shallow(body) {
            return Err(Malformed::Syntax);
        }
        let mut object = Self::default();
        let mut is_full = false;
        let mut json = serde_json::Deserializer::from_slice(body);
        let members = Members {
            object: &mut object,
            is_full: &mut is_full,
        };
        let read = json.deserialize_map(members).and_then(|()| json.end());
        match read {
            Ok(()) => Ok(object),
            Err(_) if is_full => Err(Malformed::Beyond(object.errors)),
            Err(error) if error.is_data() => Err(Malformed::Kind),
            Err(_) => Err(Malformed::Syntax),
        }
    }

    /// Takes the member under this key as a field, or returns `None` and records the error.
    pub fn take<T: Member>(&mut self, key: &'static str) -> Option<T> {
        let Some(value) = self.members.remove(key) else {
            let absent = T::absent();
            if absent.is_none() {
                self.refuse(key, "is missing");
            }
            return absent;
        };
        let is_null = value.get() == "null";
        // The parser's own message is dropped: it would repeat the value.
        let taken = T::present(value.get());
        if taken.is_none() {
            let message = if is_null {
                "must not be null"
            } else {
                "has a value of another kind or out of range"
            };
            self.refuse(key, message);
        }
        taken
    }

    fn refuse(&mut self, key: &str, message: &'static str) {
        self.errors.push(FieldError::new(key, message));
    }

    /// Returns the errors, including one for each member that is left, once every known member was
    /// taken.
    pub(crate) fn finish(mut self) -> Vec<FieldError> {
        let mut unknown: Vec<String> = std::mem::take(&mut self.members).into_keys().collect();
        unknown.sort();
        for key in unknown {
            self.refuse(&key, "is not a field of this request");
        }
        self.errors
    }
}

/// Returns whether no list or object is nested deeper than [`BODY_DEPTH`]. For input that is not JSON
/// the result is arbitrary.
fn is_shallow(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > BODY_DEPTH {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// A type of field that a member can fill.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot be read from JSON",
    label = "a client cannot send this",
    note = "a stored field has the type of its column, or `Assign` of it; add `#[derive(serde::Deserialize)]` to the type of an `#[unstored]` field"
)]
pub trait Member: Sized {
    /// Returns the value of a field without a member; `None` if the member is required.
    fn absent() -> Option<Self>;

    /// Parses a member's JSON; `None` if it is of another kind.
    fn present(json: &str) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Member for T {
    fn absent() -> Option<Self> {
        None
    }

    fn present(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Member for Assign<T> {
    fn absent() -> Option<Self> {
        Some(Self::Absent)
    }

    fn present(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self::Value)
    }
}

struct Members<'a> {
    object: &'a mut Object,
    /// Set if parsing stopped before the end of the body.
    is_full: &'a mut bool,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
            if self.object.members.len() == MEMBERS {
                self.object.refuse("", "has too many members");
                *self.is_full = true;
            } else {
                match self.object.members.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(value);
                    }
                    // Two programs that read the body could see different values of the key.
                    Entry::Occupied(place) => {
                        let twice = FieldError::new(place.key(), "stands there twice");
                        self.object.errors.push(twice);
                        *self.is_full = self.object.errors.len() > FIELD_ERRORS;
                    }
                }
            }
            if *self.is_full {
                return Err(A::Error::custom("the rest is not read"));
            }
        }
        Ok(())
    }
}

/// The fuzz target of bodies; see `fuzz/fuzz_targets/body.rs`.
#[cfg(fuzzing)]
#[expect(clippy::panic, reason = "a panic is how a fuzz target fails")]
pub(crate) fn fuzz(data: &[u8]) {
    use crate::error::Error;

    let plain = serde_json::from_slice::<serde_json::Value>(data);
    match (Object::read(data), plain) {
        (Ok(mut object), plain) => {
            assert!(object.members.len() <= MEMBERS);
            // The kept parts of a body are no longer than the body.
            let kept = object.members.iter();
            let kept = kept.map(|(key, value)| key.len() + value.get().len());
            assert!(kept.sum::<usize>() <= data.len());
            if let Ok(plain) = plain {
                assert_eq!(
                    plain.as_object().map(serde_json::Map::len),
                    Some(object.members.len())
                );
                let number = plain.get("number").and_then(serde_json::Value::as_i64);
                if let (Some(number), true) = (number, object.errors.is_empty()) {
                    assert_eq!(object.take("number"), Some(number));
                }
            }
            let _ = object.take::<Assign<Option<String>>>("text");
            let _ = object.take::<Vec<serde_json::Value>>("list");
            let answer = Error::unprocessable(object.finish()).to_response();
            assert!(answer.body().len() < 64 * 1024);
        }
        (Err(Malformed::Syntax), Ok(_)) if is_shallow(data) => {
            panic!("a body of JSON was taken for something else")
        }
        (Err(Malformed::Beyond(errors)), _) => assert!(errors.len() <= FIELD_ERRORS + 1),
        (Err(Malformed::Syntax | Malformed::Kind), _) => {}
    }
}
