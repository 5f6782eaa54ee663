//! Types that rules and filters can compare, checked by the compiler at the user's own tokens.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::family::{Bool, Id, Incomparable, Instant, Integer, Optional, Required, Set, Text};
use super::{TextEnum, Value};
use crate::viewer::Subject;

/// A value that a rule or a filter can compare a field with: any value of a column except floating point
/// numbers, bytes and secrets, on whose comparison engines do not agree.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared in a rule or a filter",
    note = "it compares bool, i8 to i64, u8 to u32, text, Uuid, DateTime<Utc>, a `#[derive(TextEnum)]` enum, or an Option of one of these; add `#[derive(TextEnum)]` to an enum without fields"
)]
pub trait Comparand {
    /// The family of types that it can be compared with.
    #[doc(hidden)]
    type Family;
    /// A marker for values that can be unset, or cannot.
    #[doc(hidden)]
    type Presence;

    #[doc(hidden)]
    fn __value(&self) -> Value;
}

/// A type of a DTO's field that a query can compare.
#[diagnostic::on_unimplemented(
    message = "a query cannot compare a field of type `{Self}`",
    note = "it compares bool, integers, text, Uuid, DateTime<Utc> and `#[derive(TextEnum)]` enums, in an Option or a `Field` or plainly"
)]
pub trait Comparable {
    /// The family of types that it can be compared with.
    #[doc(hidden)]
    type Family;
}

macro_rules! comparands {
    ($($type:ty: $family:ty, |$this:ident| $value:expr;)*) => {$(
        impl Comparand for $type {
            type Family = $family;
            type Presence = Required;

            fn __value(&self) -> Value {
                let $this = self;
                $value
            }
        }

        impl Comparable for $type {
            type Family = $family;
        }

        impl Comparand for &$type {
            type Family = $family;
            type Presence = Required;

            fn __value(&self) -> Value {
                <$type as Comparand>::__value(self)
            }
        }
    )*};
}

comparands! {
    bool: Bool, |this| Value::Bool(*this);
    i8: Integer, |this| Value::Int((*this).into());
    i16: Integer, |this| Value::Int((*this).into());
    i32: Integer, |this| Value::Int((*this).into());
    i64: Integer, |this| Value::Int(*this);
    u8: Integer, |this| Value::Int((*this).into());
    u16: Integer, |this| Value::Int((*this).into());
    u32: Integer, |this| Value::Int((*this).into());
    str: Text, |this| Value::Text(this.to_owned());
    String: Text, |this| Value::Text(this.clone());
    Subject: Text, |this| Value::Text(this.as_str().to_owned());
    Uuid: Id, |this| Value::Uuid(*this);
    DateTime<Utc>: Instant, |this| Value::Timestamp(this.timestamp_micros());
}

#[diagnostic::do_not_recommend]
impl<T: TextEnum> Comparand for T {
    type Family = Set<T>;
    type Presence = Required;

    fn __value(&self) -> Value {
        Value::Text(self.name().to_owned())
    }
}

impl Comparable for f64 {
    type Family = Incomparable;
}

impl Comparable for Vec<u8> {
    type Family = Incomparable;
}

#[diagnostic::do_not_recommend]
impl<T: TextEnum> Comparable for T {
    type Family = Set<T>;
}

impl<T: Comparable> Comparable for Option<T> {
    type Family = T::Family;
}

impl<T: Comparand> Comparand for Option<T> {
    type Family = T::Family;
    type Presence = Optional;

    fn __value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Comparand::__value)
    }
}

/// A list in which a rule can look for a field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list that a rule can search",
    note = "use a Vec, a slice or an array of values that can be compared"
)]
pub trait ComparandList {
    #[doc(hidden)]
    type Item: Comparand;

    #[doc(hidden)]
    fn __values(&self) -> Vec<Value>;
}

impl<T: Comparand> ComparandList for [T] {
    type Item = T;

    fn __values(&self) -> Vec<Value> {
        self.iter().map(Comparand::__value).collect()
    }
}

impl<T: Comparand, const N: usize> ComparandList for [T; N] {
    type Item = T;

    fn __values(&self) -> Vec<Value> {
        self.as_slice().__values()
    }
}

impl<T: Comparand> ComparandList for Vec<T> {
    type Item = T;

    fn __values(&self) -> Vec<Value> {
        self.as_slice().__values()
    }
}

impl<T: Comparand> ComparandList for std::collections::HashSet<T> {
    type Item = T;

    fn __values(&self) -> Vec<Value> {
        self.iter().map(Comparand::__value).collect()
    }
}

impl<T: Comparand> ComparandList for std::collections::BTreeSet<T> {
    type Item = T;

    fn __values(&self) -> Vec<Value> {
        self.iter().map(Comparand::__value).collect()
    }
}

impl<T: ComparandList + ?Sized> ComparandList for &T {
    type Item = T::Item;

    fn __values(&self) -> Vec<Value> {
        (**self).__values()
    }
}
