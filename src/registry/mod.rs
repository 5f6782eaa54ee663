//! The registry of an application: its entities, DTOs, input types and repositories, listed by `app!`.

pub(crate) mod check;
mod info;
mod input;
mod method;

use std::fmt;

use crate::dto::{Dto, ShapeRules as _};
use crate::entity::{Entity, RowAction};
use crate::input::{Incoming, Settable};
use crate::policy::{Context, Decision, decide};

pub use check::DatabaseSchema;
pub use info::{DtoInfo, EntityInfo, FieldInfo, FieldSource, RuleInfo, Stated};
pub use input::{InputFieldInfo, InputInfo, PresetInfo};
pub use method::{Action, Guard, MethodInfo, Repository, RepositoryInfo};

/// The DTOs, entities, input types and repositories of an application whose viewer is `V`, listed with
/// [`app!`](crate::app).
///
/// [`Db::check`](crate::Db::check) compares it with the live schema when the program starts, and
/// the access matrix of the crate `clearance-matrix` is made from it.
pub struct App<V: 'static> {
    entities: &'static [fn() -> EntityEntry<V>],
    dtos: &'static [fn() -> DtoEntry<V>],
    inputs: &'static [fn() -> InputEntry<V>],
    repositories: &'static [fn() -> RepositoryInfo],
}

/// A function that decides a set of rules for a viewer, or for nobody, in the order of their
/// declaration.
#[doc(hidden)]
pub type Decide<V> = fn(Option<&V>, &Context) -> Vec<Decision>;

/// An entity, and its rules for a viewer `V`.
#[doc(hidden)]
pub struct EntityEntry<V> {
    pub info: EntityInfo,
    /// Decides the operations, in the order of [`RowAction::ALL`].
    pub decide: Decide<V>,
    /// Decides the row as updated, if that is declared apart.
    pub decide_updated: Decide<V>,
    /// Decides the `filter_if` columns, in their order.
    pub decide_filters: Decide<V>,
}

/// A DTO, and its rules for a viewer `V`.
#[doc(hidden)]
pub struct DtoEntry<V> {
    pub info: DtoInfo,
    /// Decides the fields, in their order.
    pub decide: Decide<V>,
    pub entity: EntityEntry<V>,
}

/// An input type, and its rules for a viewer `V`.
#[doc(hidden)]
pub struct InputEntry<V> {
    pub info: InputInfo,
    pub decide: fn(&V, &Context) -> Settable,
    pub decide_system: fn() -> Settable,
    /// Decides whether the DTO that the input reads shows the column of each field; `None` if the DTO
    /// has no field of that name.
    pub decide_seen: fn(&V, &Context) -> Vec<Option<Decision>>,
    pub entity: EntityEntry<V>,
}

/// Lists the DTOs, the input types and the repositories of an application in one place.
///
/// Each of them must have the stated viewer. The entity of a listed DTO or input type is included
/// automatically; `entities: [..]`, after the viewer, lists the others. `inputs: [..]`, the types with
/// `derive(Input)` and `derive(Patch)`, may be omitted if there are none.
///
/// # Example
///
/// ```
/// # use clearance::{Db, Dto, Entity, Input, Result, Viewer, repository};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, name: String }
/// # #[derive(Dto)]
/// # #[dto(entity = User, default = visible)]
/// # struct Profile { id: i64 }
/// # #[derive(Input)]
/// # #[input(entity = User)]
/// # struct NewUser { #[writable] name: String }
/// # struct Users { db: Db }
/// # #[repository(viewer = Member)]
/// # impl Users {
/// #     #[authenticated(access)]
/// #     pub async fn all(&self) -> Result<Vec<Profile>> {
/// #         self.db.reader(&access).all(Profile::select()).await
/// #     }
/// # }
/// clearance::app! {
///     pub static APP = {
///         viewer: Member,
///         dtos: [Profile],
///         inputs: [NewUser],
///         repositories: [Users],
///     };
/// }
///
/// assert_eq!(APP.repositories()[0].methods()[0].name(), "all");
/// assert!(APP.inputs()[0].fields()[0].is_required());
/// ```
#[macro_export]
macro_rules! app {
    (
        $(#[$attribute:meta])*
        $visibility:vis static $name:ident = {
            viewer: $viewer:ty,
            $(entities: [$($entity:ty),* $(,)?],)?
            dtos: [$($dto:ty),* $(,)?],
            $(inputs: [$($input:ty),* $(,)?],)?
            repositories: [$($repository:ty),* $(,)?] $(,)?
        };
    ) => {
        $(#[$attribute])*
        $visibility static $name: $crate::App<$viewer> = $crate::App::__new(
            &[$($($crate::__private::entity_info::<$viewer, $entity>),*)?],
            &[$($crate::__private::dto_info::<$viewer, $dto>),*],
            &[$($($crate::__private::input_info::<$viewer, $input>),*)?],
            &[$($crate::__private::repository_info::<$repository>),*],
        );
    };
}

impl<V: 'static> App<V> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        entities: &'static [fn() -> EntityEntry<V>],
        dtos: &'static [fn() -> DtoEntry<V>],
        inputs: &'static [fn() -> InputEntry<V>],
        repositories: &'static [fn() -> RepositoryInfo],
    ) -> Self {
        Self {
            entities,
            dtos,
            inputs,
            repositories,
        }
    }

    /// Returns a description of each DTO.
    #[must_use]
    pub fn dtos(&self) -> Vec<DtoInfo> {
        self.dtos.iter().map(|entry| entry().info).collect()
    }

    /// Returns a description of each input type.
    #[must_use]
    pub fn inputs(&self) -> Vec<InputInfo> {
        self.inputs.iter().map(|entry| entry().info).collect()
    }

    /// Returns a description of each repository.
    #[must_use]
    pub fn repositories(&self) -> Vec<RepositoryInfo> {
        self.repositories.iter().map(|info| info()).collect()
    }

    /// Returns a description of each entity: those that DTOs show and inputs write, and those that are
    /// listed.
    #[must_use]
    pub fn entities(&self) -> Vec<EntityInfo> {
        self.entity_entries()
            .into_iter()
            .map(|entry| entry.info)
            .collect()
    }

    pub(crate) fn entity_entries(&self) -> Vec<EntityEntry<V>> {
        let shown = self.dtos.iter().map(|entry| entry().entity);
        let written = self.inputs.iter().map(|entry| entry().entity);
        let listed = self.entities.iter().map(|entry| entry());
        let mut entries: Vec<EntityEntry<V>> = Vec::new();
        for entry in shown.chain(written).chain(listed) {
            if entries
                .iter()
                .all(|known| known.info.id() != entry.info.id())
            {
                entries.push(entry);
            }
        }
        entries
    }

    pub(crate) fn input_entries(&self) -> Vec<InputEntry<V>> {
        self.inputs.iter().map(|entry| entry()).collect()
    }

    pub(crate) fn dto_entries(&self) -> Vec<DtoEntry<V>> {
        self.dtos.iter().map(|entry| entry()).collect()
    }
}

impl<V> fmt::Debug for App<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("dtos", &self.dtos.len())
            .field("inputs", &self.inputs.len())
            .field("repositories", &self.repositories.len())
            .finish_non_exhaustive()
    }
}

/// Describes an entity; called by [`app!`](crate::app).
pub fn entity_info<V, E>() -> EntityEntry<V>
where
    E: Entity<Viewer = V>,
{
    EntityEntry {
        info: EntityInfo::of::<E>(),
        decide: |viewer, context| {
            let rows = E::__table().rows();
            RowAction::ALL
                .map(|action| rows.of(action).decide(viewer, context))
                .into()
        },
        decide_updated: |viewer, context| {
            let updated = E::__table().rows().updated.iter();
            updated
                .map(|stated| stated.decide(viewer, context))
                .collect()
        },
        decide_filters: |viewer, context| {
            let filters = E::__table().filters().iter();
            filters
                .map(|(_, rules)| decide(rules, viewer, context))
                .collect()
        },
    }
}

/// Describes a DTO; called by [`app!`](crate::app).
pub fn dto_info<V, D>() -> DtoEntry<V>
where
    D: Dto,
    D::Entity: Entity<Viewer = V>,
{
    DtoEntry {
        info: DtoInfo::of::<D>(),
        decide: |viewer, context| D::__shape().decide(viewer, context).fields,
        entity: entity_info::<V, D::Entity>(),
    }
}

/// Describes an input type; called by [`app!`](crate::app).
pub fn input_info<V, I>() -> InputEntry<V>
where
    I: Incoming,
    I::Entity: Entity<Viewer = V>,
{
    InputEntry {
        info: InputInfo::of::<I>(),
        decide: |viewer, context| Settable::of(I::__shape(), viewer, context),
        decide_system: || Settable::of_system(I::__shape()),
        decide_seen: |viewer, context| {
            let shape = I::__shape();
            let fields = shape.fields().iter();
            fields
                .map(|field| {
                    let rules = shape.read(field)?.rules();
                    Some(decide(rules, Some(viewer), context))
                })
                .collect()
        },
        entity: entity_info::<V, I::Entity>(),
    }
}

/// Describes a repository; called by [`app!`](crate::app).
pub fn repository_info<R: Repository>() -> RepositoryInfo {
    R::__repository()
}
