//! Relations: the equijoins between the tables of entities, for rules and nested DTOs.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use super::{Entity, Schema};
use crate::policy::{Context, Decision};
use crate::viewer::Viewer;

/// A relation that an entity declares with `belongs_to` or `has_many`, as rules and nested DTOs
/// use it.
pub struct Relation {
    name: &'static str,
    cardinality: Cardinality,
    join: Join,
    other: Side,
}

/// The entity on the other side, with its type erased.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Side {
    /// A function rather than a reference, because two tables may be related to each other.
    schema: fn() -> &'static Schema,
    read: fn(&dyn Any, &Context) -> Option<Decision>,
}

/// The number of rows that can be on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// One, or none.
    One,
    /// Any number.
    Many,
}

/// The pairs of fields that are equal on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Join {
    /// The own field holds the key of the other side.
    OwnField(&'static str),
    /// A field of the other side holds the own key.
    TheirField(&'static str),
    /// Fields of the other side, each with its own counterpart.
    Pairs(Vec<(&'static str, &'static str)>),
}

/// One equality of a join, by the indexes of the columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) theirs: usize,
    pub(crate) own: usize,
}

#[doc(hidden)]
impl Relation {
    #[must_use]
    pub const fn __belongs_to(name: &'static str, own_field: &'static str, other: Side) -> Self {
        Self {
            name,
            cardinality: Cardinality::One,
            join: Join::OwnField(own_field),
            other,
        }
    }

    #[must_use]
    pub const fn __has_many(name: &'static str, their_field: &'static str, other: Side) -> Self {
        Self {
            name,
            cardinality: Cardinality::Many,
            join: Join::TheirField(their_field),
            other,
        }
    }

    #[must_use]
    pub const fn __has_many_on(
        name: &'static str,
        pairs: Vec<(&'static str, &'static str)>,
        other: Side,
    ) -> Self {
        Self {
            name,
            cardinality: Cardinality::Many,
            join: Join::Pairs(pairs),
            other,
        }
    }
}

impl Relation {
    /// Returns its name on the entity that declares it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the number of rows that can be on the other side.
    #[must_use]
    pub const fn cardinality(&self) -> Cardinality {
        self.cardinality
    }

    /// Returns the table on the other side.
    #[must_use]
    pub fn target(&self) -> &'static Schema {
        (self.other.schema)()
    }

    /// Evaluates the read rules of the other side for `viewer`, before any row; `None` if they are written
    /// for another type of viewer.
    pub(crate) fn readable<V: Viewer>(&self, viewer: &V, context: &Context) -> Option<Decision> {
        (self.other.read)(viewer, context)
    }

    /// Returns the own field that holds the key of the one row on the other side.
    pub(crate) const fn own_key(&self) -> Option<&'static str> {
        match &self.join {
            Join::OwnField(field) => Some(field),
            Join::TheirField(_) | Join::Pairs(_) => None,
        }
    }

    /// Returns the columns that the join requires to be equal, or `None` if a name is no field of its
    /// table.
    pub(crate) fn pairs(&self, own: &Schema) -> Option<Vec<Pair>> {
        let target = self.target();
        let index = |schema: &Schema, field| schema.position(field).map(|(index, _)| index);
        match &self.join {
            Join::OwnField(field) => Some(vec![Pair {
                theirs: target.key(),
                own: index(own, field)?,
            }]),
            Join::TheirField(field) => Some(vec![Pair {
                theirs: index(target, field)?,
                own: own.key(),
            }]),
            Join::Pairs(pairs) => pairs
                .iter()
                .map(|(theirs, field)| {
                    Some(Pair {
                        theirs: index(target, theirs)?,
                        own: index(own, field)?,
                    })
                })
                .collect(),
        }
    }

    /// Returns the fields of the declaring entity that the join compares.
    pub(crate) fn own_fields(&self, own: &Schema) -> Vec<&'static str> {
        match &self.join {
            Join::OwnField(field) => vec![field],
            Join::TheirField(_) => own
                .column(own.key())
                .map(|column| vec![column.field()])
                .unwrap_or_default(),
            Join::Pairs(pairs) => pairs.iter().map(|(_, own)| *own).collect(),
        }
    }
}

/// Compares cardinality, join columns and target table, but not the name.
impl PartialEq for Relation {
    fn eq(&self, other: &Self) -> bool {
        self.cardinality == other.cardinality
            && self.join == other.join
            && std::ptr::eq(self.target(), other.target())
    }
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relation")
            .field("name", &self.name)
            .field("cardinality", &self.cardinality)
            .field("join", &self.join)
            .finish_non_exhaustive()
    }
}

/// A stand-in for the rows of `E` that a relation leads to, so that the compiler can check the conditions
/// of a rule on them.
#[doc(hidden)]
pub struct Related<E, C>(PhantomData<fn() -> (E, C)>);

/// One row, or none, on the other side.
#[doc(hidden)]
#[derive(Debug)]
pub struct One;

/// Any number of rows on the other side.
#[doc(hidden)]
#[derive(Debug)]
pub struct Many;

/// The functions that generated code calls.
#[doc(hidden)]
pub(crate) mod generated {
    use std::marker::PhantomData;

    use super::{Entity, Related, Schema, Side};
    use crate::entity::Column;
    use crate::policy::{Comparand, SameFamily};

    #[must_use]
    pub const fn side<E: Entity>() -> Side {
        Side {
            schema: schema_of::<E>,
            read: |viewer, context| {
                let viewer = viewer.downcast_ref::<E::Viewer>()?;
                Some(E::__table().rows().read.decide(Some(viewer), context))
            },
        }
    }

    fn schema_of<E: Entity>() -> &'static Schema {
        E::__table()
    }

    #[must_use]
    pub const fn related<E: Entity, C>() -> Related<E, C> {
        Related(PhantomData)
    }

    /// Lets the compiler check a condition on related rows.
    pub fn check_related<E: Entity, C>(_: Related<E, C>, _: impl Fn(&E)) {}

    /// Lets the compiler check that the column can hold the key of `F`.
    pub const fn check_key<F, E, T, U>(_: Column<E, T, U>)
    where
        F: Entity<Key: Comparand>,
        T: Comparand<Family: SameFamily<<F::Key as Comparand>::Family>>,
    {
    }

    /// Lets the compiler check that the two columns can be equal.
    pub const fn check_pair<E, T, U, F, S, W>(_: Column<E, T, U>, _: Column<F, S, W>)
    where
        S: Comparand,
        T: Comparand<Family: SameFamily<S::Family>>,
    {
    }
}

impl Schema {
    /// Returns the relation of this name.
    pub(crate) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }
}
