//! The policy engine: rules over viewer, row and context as data, evaluated and partially evaluated.
//!
//! Architecture invariant: nothing here does I/O, awaits, or knows of SQL or HTTP. Matches name every
//! variant, so that the compiler points to all code that a new node of a rule concerns.
#![deny(clippy::wildcard_enum_match_arm)]

mod asked;
mod context;
mod decision;
mod eval;
pub(crate) mod explain;
mod expr;
mod facts;
mod field_test;
#[doc(hidden)]
pub(crate) mod generated;
mod loaded;
mod reduce;
mod residual;
pub(crate) mod rule;
mod text;
mod values;
mod written;

pub(crate) use asked::{AskedRow, AskedRule, ask};
pub use context::Context;
pub use decision::{Failure, Truth};
pub(crate) use eval::compare_values;
pub use explain::{RuleTrace, Step, trace};
pub(crate) use facts::Facts;
pub(crate) use field_test::FieldTest;
pub use loaded::{MaybeLoaded, RuleList, RuleValue};
pub(crate) use reduce::{compare_with, every, null, related, some};
pub(crate) use residual::Reduced;
pub use rule::Rule;
pub(crate) use text::{TextTest, first_after};
pub(crate) use written::{once_written, with_written};

pub use crate::schema::{Comparable, Comparand, ComparandList, Kind, SameFamily, Value};

// The representation of rules. No public function makes a rule of it, so that a new node of the grammar need
// break nobody: it is for generated code and for tests of the evaluator, and not covered by semantic
// versioning.
#[doc(hidden)]
pub use decision::Decision;
#[doc(hidden)]
pub use eval::{Relatives, evaluate, evaluate_update, evaluate_with};
#[doc(hidden)]
pub use expr::{Expr, Op, Operand};
#[doc(hidden)]
pub use reduce::decide;
#[doc(hidden)]
pub use residual::{Fulfilled, Residual, Term};
#[doc(hidden)]
pub use rule::Source;
#[doc(hidden)]
pub use text::Place;
#[doc(hidden)]
pub use values::Values;

#[doc(hidden)]
pub use crate::schema::{Cell, Columns};
