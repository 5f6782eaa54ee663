//! What a client sends to be written: closed types that it can fill, and nothing beside them.
//!
//! A handler takes an [`Untrusted`] body and gives it to a repository method. Only an access that
//! may write opens it, so that the order is always the same: who asks, whether they may call,
//! whether they may set these fields, whether the values are valid, and then the write
//! ([ASVS 5.0](https://github.com/OWASP/ASVS) 15.3.3, 2.2.1). Somebody who is not signed in learns
//! nothing of what a valid body would be.

mod assign;
mod object;
mod settable;
mod shape;
mod untrusted;

pub use assign::Assign;
pub(crate) use object::Object;
#[cfg(fuzzing)]
pub(crate) use object::fuzz as fuzz_body;
pub(crate) use settable::{Part, Settable};
pub(crate) use shape::{InputField, InputShape, Preset};
pub use untrusted::{Untrusted, Valid};

use crate::entity::Entity;
use crate::error::FieldError;
use crate::policy::Value;

/// What a client may send: an [`Input`] or a [`Patch`].
pub trait Incoming: Sized + Send + 'static {
    /// The entity whose rows it writes.
    type Entity: Entity;

    #[doc(hidden)]
    fn __shape() -> &'static InputShape<Self::Entity>;

    #[doc(hidden)]
    fn __parse(object: &mut Object) -> Option<Self>;

    /// What each field of the shape is assigned.
    #[doc(hidden)]
    fn __values(&self) -> Vec<Option<Value>>;

    #[doc(hidden)]
    fn __validate(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

/// What a client may say of a new row, written with `#[derive(Input)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says nothing of a new row",
    note = "add `#[derive(Input)]` and `#[input(entity = ..)]` to the struct of what a client sends"
)]
pub trait Input: Incoming {}

/// What a client may change of a row, written with `#[derive(Patch)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` changes nothing of a row",
    note = "add `#[derive(Patch)]` and `#[patch(entity = .., reads = ..)]` to the struct of what a client sends"
)]
pub trait Patch: Incoming {}

/// Tells whether a body without this key is refused. The parser itself is asked: such a key is one
/// that it misses in an empty body.
pub(crate) fn is_required<T: Incoming>() -> impl Fn(&str) -> bool {
    let mut empty = Object::default();
    drop(T::__parse(&mut empty));
    let missed = empty.finish();
    move |key| {
        let named = FieldError::new(key, "");
        missed.iter().any(|error| error.field() == named.field())
    }
}

/// What generated code calls.
pub(crate) mod generated {
    pub use super::object::Object;
    pub use super::shape::{
        Assigned, InputField, InputShape, NoColumn, NotShown, Preset, assignable, assigned,
        column_of, shown_by,
    };
    #[cfg(feature = "garde")]
    pub use super::untrusted::validate;
    pub use crate::error::FieldError;
}
