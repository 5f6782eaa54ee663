//! The functions that generated code calls for a rule: they compute its values, and let the compiler check its
//! types.

use std::marker::PhantomData;

use super::loaded::{RuleList, RuleValue};
use super::rule::Computed;
use crate::schema::family::{Flag, NotBothOptional, Ordered};
use crate::schema::{Comparand, SameFamily, Scalar};

#[must_use]
pub fn value<T: RuleValue + ?Sized>(value: &T) -> Computed {
    value.__computed()
}

#[must_use]
pub fn list<T: RuleList + ?Sized>(list: &T) -> Computed {
    list.__computed()
}

// The checks are methods of a value of known types: a function that took the operands and checked them
// at once would make the compiler infer one family from the other, and then report a mismatch inside
// this library instead of the advice above.

/// A column that is used as a condition by itself.
pub struct Tested<T: ?Sized>(PhantomData<fn(&T)>);

/// The two sides of a comparison.
pub struct Compared<A: ?Sized, B: ?Sized>(PhantomData<fn(&A, &B)>);

/// A list, and the value that is looked for in it.
pub struct Listed<L: ?Sized, T: ?Sized>(PhantomData<fn(&L, &T)>);

#[must_use]
pub const fn tested<T: Comparand>(_: &T) -> Tested<T> {
    Tested(PhantomData)
}

#[must_use]
pub const fn compared<A: RuleValue + ?Sized, B: RuleValue + ?Sized>(
    _: &A,
    _: &B,
) -> Compared<A, B> {
    Compared(PhantomData)
}

#[must_use]
pub const fn listed<L: RuleList + ?Sized, T: Comparand + ?Sized>(_: &L, _: &T) -> Listed<L, T> {
    Listed(PhantomData)
}

impl<T: Comparand + ?Sized> Tested<T> {
    pub fn check_flag(self)
    where
        T::Family: Flag,
    {
    }
}

impl<A: RuleValue + ?Sized, B: RuleValue + ?Sized> Compared<A, B> {
    pub fn check_eq(self)
    where
        A::Family: SameFamily<B::Family>,
        (A::Presence, B::Presence): NotBothOptional,
    {
    }

    pub fn check_order(self)
    where
        A::Family: SameFamily<B::Family> + Ordered,
        (A::Presence, B::Presence): NotBothOptional,
    {
    }

    pub fn check_same(self)
    where
        A::Family: SameFamily<B::Family>,
    {
    }
}

impl<L: RuleList + ?Sized, T: Comparand + ?Sized> Listed<L, T> {
    pub fn check_contains(self)
    where
        <L::Item as Comparand>::Family: SameFamily<T::Family>,
    {
    }
}

pub fn check_option<T: Scalar>(_: &Option<T>) {}
