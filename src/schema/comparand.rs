//! Types that rules and filters can compare, checked by the compiler at the user's own tokens.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{TextEnum, Value};
use crate::viewer::Subject;

/// A value that a rule or a filter can compare a field with: any value of a column except floating point
/// numbers, bytes and secrets, on whose comparison engines do not agree.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared in a rule or a filter",
    note = "compare bool, i8 to i64, u8 to u32, text, Uuid, DateTime<Utc>, a `#[derive(TextEnum)]` enum, or an Option of one of these"
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

/// Families of values that can be compared with each other.
#[doc(hidden)]
pub(crate) mod family {
    use std::marker::PhantomData;

    #[derive(Debug)]
    pub struct Bool;
    #[derive(Debug)]
    pub struct Integer;
    #[derive(Debug)]
    pub struct Text;
    #[derive(Debug)]
    pub struct Id;
    #[derive(Debug)]
    pub struct Instant;
    #[derive(Debug)]
    pub struct Set<T>(PhantomData<T>);

    /// The family of a field that a client named: a value of another kind is an invalid query.
    #[derive(Debug)]
    pub struct Any;

    /// The family of floating point numbers and bytes, on whose comparison engines do not agree.
    #[derive(Debug)]
    pub struct Incomparable;

    /// The family of no value.
    #[derive(Debug)]
    pub struct NoValue;

    #[derive(Debug)]
    pub struct Required;
    #[derive(Debug)]
    pub struct Optional;
}

use family::{
    Any, Bool, Id, Incomparable, Instant, Integer, NoValue, Optional, Required, Set, Text,
};

/// A requirement on a comparison: its two sides belong to one family.
#[diagnostic::on_unimplemented(
    message = "the two sides of this comparison are of different kinds",
    note = "integers compare with integers, text with text, and an enum with the same enum"
)]
pub trait SameFamily<F> {}

// Two for each, because with a single one the compiler infers the other side from it, and reports two types
// that differ inside this library instead of the advice above.
impl SameFamily<Self> for Bool {}
impl SameFamily<NoValue> for Bool {}
impl SameFamily<Self> for Integer {}
impl SameFamily<NoValue> for Integer {}
impl SameFamily<Self> for Text {}
impl SameFamily<NoValue> for Text {}
impl SameFamily<Self> for Id {}
impl SameFamily<NoValue> for Id {}
impl SameFamily<Self> for Instant {}
impl SameFamily<NoValue> for Instant {}
impl SameFamily<Self> for Incomparable {}
impl SameFamily<NoValue> for Incomparable {}
impl<T> SameFamily<Self> for Set<T> {}
impl<T> SameFamily<NoValue> for Set<T> {}
impl<F> SameFamily<F> for Any {}

/// Families with an order that is the same on every engine.
#[diagnostic::on_unimplemented(
    message = "`<`, `<=`, `>` and `>=` have no meaning here",
    note = "integers, text, instants and `#[derive(Roles)]` enums have an order that every engine agrees on"
)]
pub trait Ordered {}

impl Ordered for Integer {}
impl Ordered for Text {}
impl Ordered for Instant {}
impl Ordered for Any {}
#[diagnostic::do_not_recommend]
impl<T: TextEnum + Ord> Ordered for Set<T> {}

/// Families with a lowest and a highest value in a query.
#[diagnostic::on_unimplemented(
    message = "this field has no lowest and highest value",
    note = "`min` and `max` are for integers, text and instants"
)]
pub trait Extremal {}

impl Extremal for Integer {}
impl Extremal for Text {}
impl Extremal for Instant {}
impl Extremal for Any {}

/// Families of texts.
#[diagnostic::on_unimplemented(
    message = "this field is not a text",
    note = "`contains`, `starts_with` and `ends_with` are for text and `#[derive(TextEnum)]` enums"
)]
pub trait Textual {}

impl Textual for Text {}
impl<T: TextEnum> Textual for Set<T> {}
impl Textual for Any {}

/// Families whose values have a sum.
#[diagnostic::on_unimplemented(
    message = "this field has no sum",
    note = "`sum` and `avg` are for integers"
)]
pub trait Numeric {}

impl Numeric for Integer {}
impl Numeric for Any {}

/// The family of values that are conditions by themselves.
#[diagnostic::on_unimplemented(
    message = "this column is no condition by itself",
    label = "this is not a bool",
    note = "compare it, as in `row.field == x`, or test it with `row.field.is_some()`"
)]
pub trait Flag {}

impl Flag for Bool {}

/// A requirement on a comparison: at most one of its sides can be unset.
#[diagnostic::on_unimplemented(
    message = "both sides of this comparison can be unset, and two unset values must not grant anything",
    label = "this comparison",
    note = "write `same(a, b)`: it holds only where both sides are set and equal"
)]
pub trait NotBothOptional {}

impl NotBothOptional for (Required, Required) {}
impl NotBothOptional for (Required, Optional) {}
impl NotBothOptional for (Optional, Required) {}

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
