//! JSON serialisation of floating-point numbers. A number that JSON lacks (NaN, infinities) is an
//! error: serde would write it as null, which is how a hidden value may be written.

use serde::ser::{Error as _, Serialize, Serializer};

/// A DTO field about to be serialised.
#[doc(hidden)]
#[derive(Debug)]
pub struct Writing<'a, T>(pub &'a T);

/// The fallback for fields of any type, serialised unchanged. For floating-point types an inherent
/// method takes precedence over this one.
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
                "a field holds a number that JSON cannot represent",
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
