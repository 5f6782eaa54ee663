//! The description of data: values and their kinds, columns, tables and relations, without any rule.

mod columns;
mod comparand;
#[doc(hidden)]
pub(crate) mod family;
mod relation;
mod scalar;
mod table;
mod value;

pub use columns::Columns;
pub use comparand::{Comparable, Comparand, ComparandList};
pub use family::SameFamily;
pub use relation::{Cardinality, Relation};
pub use scalar::{Scalar, Storable, TextEnum};
pub use table::{ColumnSpec, Schema};
pub use value::{Cell, Kind, Value};
