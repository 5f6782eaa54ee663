//! Families of values that can be compared with each other, and what they allow: an order, a sum, a test of text.

use std::marker::PhantomData;

use super::TextEnum;

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
