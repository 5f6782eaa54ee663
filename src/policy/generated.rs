//! The functions that generated code calls for a rule: they compute its values, and let the compiler check its
//! types.

use std::marker::PhantomData;

use super::loaded::{RuleList, RuleValue};
use super::rule::Computed;
use crate::schema::family::{
    Bool, Flag, Id, Instant, Integer, NotBothOptional, Ordered, Set, Text,
};
use crate::schema::{Comparand, SameFamily, Scalar, TextEnum};

/// An operand of a rule, with its family and whether it can be unset.
pub struct TypedOperand<F, P> {
    computed: Computed,
    of: PhantomData<(F, P)>,
}

/// A list of a rule, with the family of its values.
pub struct TypedList<F> {
    computed: Computed,
    of: PhantomData<F>,
}

/// Returns an operand. A rule's evaluation and its checks both call this one function, so that the
/// compiler refuses an operand in the same words twice, and shows them once.
#[must_use]
pub fn value<T: RuleValue + ?Sized>(value: &T) -> TypedOperand<T::Family, T::Presence> {
    TypedOperand {
        computed: value.__computed(),
        of: PhantomData,
    }
}

#[must_use]
pub fn list<T: RuleList + ?Sized>(list: &T) -> TypedList<<T::Item as Comparand>::Family> {
    TypedList {
        computed: list.__computed(),
        of: PhantomData,
    }
}

impl<F, P> TypedOperand<F, P> {
    #[must_use]
    pub fn computed(self) -> Computed {
        self.computed
    }
}

impl<F> TypedList<F> {
    #[must_use]
    pub fn computed(self) -> Computed {
        self.computed
    }
}

// The checks are methods of a value of known families: a function that took the operands and checked
// them at once would make the compiler infer one family from the other, and then report a mismatch
// inside this library instead of the advice above.

/// The family of a column that is used as a condition by itself.
pub struct Tested<F>(PhantomData<F>);

/// The families of the two sides of a comparison, and whether each can be unset.
pub struct Compared<A, B, P>(PhantomData<(A, B, P)>);

/// The families of a list's values, and of the value that is looked for in it.
pub struct Listed<L, T>(PhantomData<(L, T)>);

#[must_use]
pub const fn tested<T: Comparand>(_: &T) -> Tested<T::Family> {
    Tested(PhantomData)
}

#[must_use]
pub fn compared<A, B, P, Q>(
    _: TypedOperand<A, P>,
    _: TypedOperand<B, Q>,
) -> Compared<A, B, (P, Q)> {
    Compared(PhantomData)
}

#[must_use]
pub fn listed<L, T, P>(_: TypedList<L>, _: TypedOperand<T, P>) -> Listed<L, T> {
    Listed(PhantomData)
}

/// The family of a type that can be compared. The compiler has refused any other operand by itself.
pub trait KnownFamily {}

impl KnownFamily for Bool {}
impl KnownFamily for Integer {}
impl KnownFamily for Text {}
impl KnownFamily for Id {}
impl KnownFamily for Instant {}
#[diagnostic::do_not_recommend]
impl<T: TextEnum> KnownFamily for Set<T> {}

impl<F: KnownFamily> Tested<F> {
    pub fn check_flag(self)
    where
        F: Flag,
    {
    }
}

impl<A: KnownFamily, B: KnownFamily, P> Compared<A, B, P> {
    pub fn check_eq(self)
    where
        A: SameFamily<B>,
        P: NotBothOptional,
    {
    }

    pub fn check_order(self)
    where
        A: SameFamily<B> + Ordered,
        P: NotBothOptional,
    {
    }

    pub fn check_same(self)
    where
        A: SameFamily<B>,
    {
    }
}

impl<L: KnownFamily, T: KnownFamily> Listed<L, T> {
    pub fn check_contains(self)
    where
        L: SameFamily<T>,
    {
    }
}

/// The checks of operands that were refused: a second error would only repeat the first.
pub trait RefusedOperands: Sized {
    fn check_flag(self) {}
    fn check_eq(self) {}
    fn check_order(self) {}
    fn check_same(self) {}
    fn check_contains(self) {}
}

impl<F> RefusedOperands for Tested<F> {}
impl<A, B, P> RefusedOperands for Compared<A, B, P> {}
impl<L, T> RefusedOperands for Listed<L, T> {}

pub fn check_option<T: Scalar>(_: &Option<T>) {}
