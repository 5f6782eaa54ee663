//! The arguments of `Db::reader` and `Db::writer`: an access, or a pointer to one.
//!
//! A trait takes the place of the type itself so that the compiler can say where an access comes from.

use std::ops::Deref;

use super::access::Access;
use super::grant::MayWrite;

/// An [`Access`], or a pointer to one, that [`Db::reader`](crate::Db::reader) reads through.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an access",
    label = "expected an `&Access<..>`",
    note = "a method of a repository gets its access from its attribute: write `#[authenticated(access)]`, `#[authorize(access, if ..)]` or `#[public(access, reason = \"..\")]` above it, and pass `&access`",
    note = "elsewhere, take one with `Access::<Read<..>>::authenticated().await?`"
)]
pub trait AsAccess {
    /// The grant that the access proves, such as [`Read`](crate::Read).
    type Grant;

    #[doc(hidden)]
    fn __access(&self) -> &Access<Self::Grant>;
}

/// An [`Access`], or a pointer to one, that [`Db::writer`](crate::Db::writer) writes through.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an access that may write",
    label = "expected an `&Access<Write<..>>`",
    note = "a method of a repository gets its access from its attribute: write `#[authenticated(access: Write)]` or `#[authorize(access: Write, if ..)]` above it, and pass `&access`",
    note = "elsewhere, take one with `Access::<Write<..>>::authenticated().await?`"
)]
pub trait AsWriteAccess {
    /// The grant that the access proves: [`Write`](crate::Write) or [`System`](crate::System).
    type Grant: MayWrite;

    #[doc(hidden)]
    fn __access(&self) -> &Access<Self::Grant>;
}

impl<P> AsAccess for Access<P> {
    type Grant = P;

    fn __access(&self) -> &Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<A: Deref<Target: AsAccess> + ?Sized> AsAccess for A {
    type Grant = <A::Target as AsAccess>::Grant;

    fn __access(&self) -> &Access<Self::Grant> {
        (**self).__access()
    }
}

impl<P: MayWrite> AsWriteAccess for Access<P> {
    type Grant = P;

    fn __access(&self) -> &Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<A: Deref<Target: AsWriteAccess> + ?Sized> AsWriteAccess for A {
    type Grant = <A::Target as AsWriteAccess>::Grant;

    fn __access(&self) -> &Access<Self::Grant> {
        (**self).__access()
    }
}
