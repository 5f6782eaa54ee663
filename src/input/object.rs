//! A JSON object taken apart member by member, with all that is wrong with it.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::Assign;
use crate::error::FieldError;

/// The members of a body that are not yet taken, and what was wrong with those that are.
#[derive(Debug, Default)]
pub struct Object {
    members: Vec<(String, Value)>,
    errors: Vec<FieldError>,
}

/// Why a body is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is no JSON.
    Syntax,
    /// It is JSON of another kind.
    Kind,
}

impl Object {
    pub(super) fn read(body: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(body).map_err(|error| {
            if error.is_data() {
                Malformed::Kind
            } else {
                Malformed::Syntax
            }
        })
    }

    /// The member under this key as a field, or `None` with the reason noted.
    pub fn take<T: Member>(&mut self, key: &'static str) -> Option<T> {
        let Some(place) = self.members.iter().position(|(known, _)| known == key) else {
            let absent = T::absent();
            if absent.is_none() {
                self.refuse(key, "is missing");
            }
            return absent;
        };
        let (_, value) = self.members.swap_remove(place);
        let is_null = value.is_null();
        // What the parser says of a value would repeat the value.
        let taken = T::present(value);
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

    /// What is wrong, once every known member was taken.
    pub(super) fn finish(mut self) -> Vec<FieldError> {
        self.members.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (key, _) in std::mem::take(&mut self.members) {
            self.refuse(&key, "is not a field of this request");
        }
        self.errors
    }
}

/// A field that a member can fill.
pub trait Member: Sized {
    /// What the field is without a member; `None` where it must be there.
    fn absent() -> Option<Self>;

    /// What a member makes of it, or `None` where it is of another kind.
    fn present(value: Value) -> Option<Self>;
}

impl<T: DeserializeOwned> Member for T {
    fn absent() -> Option<Self> {
        None
    }

    fn present(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok()
    }
}

impl<T: DeserializeOwned> Member for Assign<T> {
    fn absent() -> Option<Self> {
        Some(Self::Absent)
    }

    fn present(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok().map(Self::Value)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        // More members than that are no request of any type; looking for doubles is quadratic.
        const MOST: usize = 1_024;
        let mut object = Object::default();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if object.members.len() == MOST {
                return Err(A::Error::custom("too many members"));
            }
            // Two programs that read the body could see different values of it.
            if object.members.iter().any(|(known, _)| *known == key) {
                object.refuse(&key, "stands there twice");
            } else {
                object.members.push((key, value));
            }
        }
        Ok(object)
    }
}
