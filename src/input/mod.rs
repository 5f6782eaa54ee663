//! Input types: closed sets of fields that a client may send to be written (no mass assignment).
//!
//! A handler takes an [`Untrusted`](crate::Untrusted) body and passes it to a repository method. Only an access that may
//! write opens it, so that the order is always the same: authentication, the guard of the method, the
//! permission to set these fields, the validation of the values, and then the write ([ASVS
//! 5.0](https://github.com/OWASP/ASVS) 15.3.3, 2.2.1). A client that is not signed in learns nothing of
//! the form of a valid body.

mod assign;
#[cfg(feature = "garde")]
mod garde;
mod object;
pub(crate) mod settable;
mod shape;

pub use assign::Assign;
#[cfg(fuzzing)]
pub(crate) use object::fuzz as fuzz_body;
pub(crate) use object::{Malformed, Object};
pub(crate) use settable::{Part, Settable};
pub(crate) use shape::{InputField, InputShape, Preset};

use crate::entity::Entity;
use crate::error::FieldError;
use crate::schema::Value;

/// A type of body that a client may send: an [`Input`] or a [`Patch`].
pub trait Incoming: Sized + Send + 'static {
    /// The entity whose rows it writes.
    type Entity: Entity;

    #[doc(hidden)]
    fn __shape() -> &'static InputShape<Self::Entity>;

    #[doc(hidden)]
    fn __parse(object: &mut Object) -> Option<Self>;

    /// Returns the value assigned to each field of the shape.
    #[doc(hidden)]
    fn __values(&self) -> Vec<Option<Value>>;

    #[doc(hidden)]
    fn __validate(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

/// The fields of a new row that a client may set, written with `#[derive(Input)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot create a row",
    note = "add `#[derive(Input)]` and `#[input(entity = ..)]` to the struct that a client sends"
)]
pub trait Input: Incoming {}

/// The fields of a row that a client may change, written with `#[derive(Patch)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot update a row",
    note = "add `#[derive(Patch)]` and `#[patch(entity = .., reads = ..)]` to the struct that a client sends"
)]
pub trait Patch: Incoming {}

/// Returns a test for whether a body without this key is refused. It is derived from the parser itself:
/// such a key is one that the parser reports missing in an empty body.
pub(crate) fn is_required<T: Incoming>() -> impl Fn(&str) -> bool {
    let mut empty = Object::default();
    drop(T::__parse(&mut empty));
    let missed = empty.finish();
    move |key| {
        let named = FieldError::new(key, "");
        missed.iter().any(|error| error.field() == named.field())
    }
}

/// The items that generated code uses.
pub(crate) mod generated {
    #[cfg(feature = "garde")]
    pub use super::garde::validate;
    pub use super::object::Object;
    pub use super::shape::{
        Assigned, InputField, InputShape, NoColumn, NotShown, Preset, assignable, assigned,
        column_of, shown_by,
    };
    pub use crate::error::FieldError;
}
