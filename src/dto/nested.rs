//! Fields that show related rows as another DTO, and visits of these DTOs by what loads their rows.

use super::{Dto, Field};
use crate::entity::{Entity, Many, One};

/// A type of field that shows related rows as the DTO `Self::Dto`: `Option<D>` for a `belongs_to`,
/// `Vec<D>` for a `has_many`, or a [`Field`] of either.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot show related rows",
    note = "write `Option<D>` for a `belongs_to` and `Vec<D>` for a `has_many`, where `D` is a DTO of the related entity",
    note = "where the relation can be hidden, write `Field<..>` of one of these"
)]
pub trait Nested: Sized {
    /// The DTO that shows one related row.
    type Dto: Dto;
    /// The number of rows that there can be: one or many.
    #[doc(hidden)]
    type Cardinality;

    /// Makes the field of these rows; `rows` is `None` if they are hidden. Returns `None` if the type
    /// cannot represent that.
    #[doc(hidden)]
    fn __found(rows: Option<Vec<Self::Dto>>) -> Option<Self>;
}

impl<D: Dto> Nested for Vec<D> {
    type Dto = D;
    type Cardinality = Many;

    fn __found(rows: Option<Vec<D>>) -> Option<Self> {
        rows
    }
}

impl<D: Dto> Nested for Option<D> {
    type Dto = D;
    type Cardinality = One;

    fn __found(rows: Option<Vec<D>>) -> Option<Self> {
        Some(rows.and_then(|mut rows| rows.pop()))
    }
}

impl<N: Nested> Nested for Field<N> {
    type Dto = N::Dto;
    type Cardinality = N::Cardinality;

    fn __found(rows: Option<Vec<N::Dto>>) -> Option<Self> {
        match rows {
            None => Some(Self::Hidden),
            Some(rows) => N::__found(Some(rows)).map(Self::Visible),
        }
    }
}

/// A visitor of the DTO as which a field shows related rows, for the viewer `V`: code that is generic over the DTO,
/// called by one that knows the field only.
#[doc(hidden)]
pub trait VisitNested<V> {
    /// The result of the visit.
    type Output;

    /// Visits the DTO of one related row.
    fn visit<D: Dto<Entity: Entity<Viewer = V>>>(self) -> Self::Output;
}

/// The functions that generated code calls.
#[doc(hidden)]
pub(crate) mod generated {
    use super::{Dto, Entity, Nested};
    use crate::entity::Related;
    use crate::error::{Error, Result};

    /// Lets the compiler check that a nested DTO shows the rows that its relation leads to.
    pub fn check_nested<N, E, C>(_: Related<E, C>)
    where
        E: Entity,
        N: Nested<Cardinality = C, Dto: Dto<Entity = E>>,
    {
    }

    /// Returns the error for a DTO made in memory: a row in memory has no related rows.
    pub fn not_at_hand<T>() -> Result<T> {
        Err(Error::misuse(
            "a nested DTO needs a query: rows in memory have no related rows",
        ))
    }
}
