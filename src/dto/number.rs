//! Numbers as JSON has them. One that it does not have would be written as null, as a hidden value may be.

use serde::ser::{Error as _, Serialize, Serializer};

/// A field of a DTO that is to be written.
#[doc(hidden)]
#[derive(Debug)]
pub struct Writing<'a, T>(pub &'a T);

/// A field of any type, which is written as it is. Where the type is a number a method of its own comes
/// before this one.
#[doc(hidden)]
pub trait AsItIs<T> {
    fn __written(&self) -> &T;
}

impl<T> AsItIs<T> for Writing<'_, T> {
    fn __written(&self) -> &T {
        self.0
    }
}

#[doc(hidden)]
impl Writing<'_, f64> {
    #[must_use]
    pub const fn __written(&self) -> &Self {
        self
    }
}

#[doc(hidden)]
impl Writing<'_, Option<f64>> {
    #[must_use]
    pub const fn __written(&self) -> &Self {
        self
    }
}

impl Serialize for Writing<'_, f64> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            self.0.serialize(serializer)
        } else {
            Err(S::Error::custom(
                "a field holds a number that JSON does not have",
            ))
        }
    }
}

impl Serialize for Writing<'_, Option<f64>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(number) => Writing(number).serialize(serializer),
        }
    }
}
