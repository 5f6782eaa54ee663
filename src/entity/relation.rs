//! Relations as entities declare them: each with the read rules of the other side, for references and nested DTOs.

use std::any::Any;
use std::marker::PhantomData;

use super::Entity;
use crate::policy::{Context, Decision};
use crate::schema::{Relation, Schema};

/// A relation of an entity, with the read rules of the entity on its other side.
#[doc(hidden)]
pub struct RelationSpec {
    pub(super) relation: Relation,
    pub(super) read: ReadRules,
}

/// A function that evaluates the read rules of an entity for a viewer of any type, before any row; `None` if they
/// are written for another type of viewer.
pub(super) type ReadRules = fn(&dyn Any, &Context) -> Option<Decision>;

impl RelationSpec {
    #[must_use]
    pub const fn __belongs_to<F: Entity>(name: &'static str, own_field: &'static str) -> Self {
        Self::of::<F>(Relation::belongs_to(name, own_field, schema_of::<F>))
    }

    #[must_use]
    pub const fn __has_many<F: Entity>(name: &'static str, their_field: &'static str) -> Self {
        Self::of::<F>(Relation::has_many(name, their_field, schema_of::<F>))
    }

    #[must_use]
    pub const fn __has_many_on<F: Entity>(
        name: &'static str,
        pairs: Vec<(&'static str, &'static str)>,
    ) -> Self {
        Self::of::<F>(Relation::has_many_on(name, pairs, schema_of::<F>))
    }

    const fn of<F: Entity>(relation: Relation) -> Self {
        Self {
            relation,
            read: |viewer, context| {
                let viewer = viewer.downcast_ref::<F::Viewer>()?;
                Some(F::__table().rows().read.decide(Some(viewer), context))
            },
        }
    }
}

fn schema_of<F: Entity>() -> &'static Schema {
    F::__table()
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

    use super::{Entity, Related};
    use crate::entity::Column;
    use crate::schema::{Comparand, SameFamily};

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
