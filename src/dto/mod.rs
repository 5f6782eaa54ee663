//! Data transfer objects: the fields that may leave a repository, each with its visibility rule.

mod aggregate;
mod cells;
pub(crate) mod column_type;
mod decisions;
mod field;
mod field_name;
mod filter;
mod function;
pub(crate) mod nested;
pub(crate) mod number;
mod record;
mod related;
mod shape;
mod source;
mod visibility;

pub(crate) use aggregate::AggregateSpec;
pub(crate) use aggregate::sealed::AggregateAnswers;
pub use aggregate::{Aggregate, AggregateValue, Aggregates, Grouping, Having};
#[doc(hidden)]
pub use cells::ReadFields;
pub(crate) use decisions::{DecisionSource, FieldDecisions, ShapeRules};
pub use field::{Field, Fits, Hideable};
pub(crate) use field_name::{Condition, NameOrigin, NamedField, OrderBy};
pub use field_name::{Direction, FieldName, Filter, IntoFilter, Order, Untyped};
pub(crate) use filter::{Modes, Scope};
pub(crate) use function::{Aggregated, Found, Function};
pub use nested::Nested;
#[doc(hidden)]
pub use nested::VisitNested;
pub use record::Record;
pub use related::{RelatedName, RelatedValue};
pub use shape::{FieldSpec, Output, Shape, ShapeBuilder};
pub(crate) use source::{RelationQuery, ShapeSource, ShownAs};
#[doc(hidden)]
pub use visibility::Visibility;

pub use crate::entity::mask::{Mask, Maskable};

use crate::entity::Entity;
use crate::error::Result;

/// A data transfer object, written with `#[derive(Dto)]`: the fields of an entity that may leave
/// a repository, each with its rule.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a DTO",
    note = "add `#[derive(Dto)]` and `#[dto(entity = ..)]` to the struct that lists what may leave"
)]
pub trait Dto: Sized + Send + 'static {
    /// The entity whose rows the DTO shows.
    type Entity: Entity;

    #[doc(hidden)]
    fn __shape() -> &'static Shape<Self::Entity>;

    #[doc(hidden)]
    fn __from_cells(cells: &mut impl ReadFields) -> Result<Self>;

    #[doc(hidden)]
    fn __from_row(row: Self::Entity, visible: Visibility) -> Result<Self>;

    /// Calls `visitor` with the DTO as which this field shows related rows; `None` if it shows none.
    #[doc(hidden)]
    fn __nested<T>(field: usize, visitor: T) -> Option<T::Output>
    where
        T: VisitNested<<Self::Entity as Entity>::Viewer>,
    {
        let _ = (field, visitor);
        None
    }
}
