//! What an application consists of: its DTOs and its repositories.

use std::any::{Any, TypeId};
use std::fmt;

use crate::dto::{Dto, Output};
use crate::entity::{ColumnSpec, Entity, Operation, RowAction, Schema};
use crate::policy::{Context, Decision, Expr, Operand, Rule, Source, decide};

/// The DTOs, entities and repositories of an application whose viewer is `V`, listed with
/// [`app!`](crate::app).
///
/// [`Db::check`](crate::Db::check) compares it with the live schema when the program starts, and
/// the access matrix (feature `matrix`) is made from it.
pub struct App<V: 'static> {
    entities: &'static [fn() -> EntityEntry<V>],
    dtos: &'static [fn() -> DtoEntry<V>],
    repositories: &'static [fn() -> RepositoryInfo],
}

/// What the rules of something come to for a viewer, or for nobody, each under its place.
type Decide<V> = fn(Option<&V>, &Context) -> Vec<Decision>;

/// An entity, and its rules for a viewer `V`.
#[doc(hidden)]
pub struct EntityEntry<V> {
    pub(crate) info: EntityInfo,
    /// In the order of [`RowAction::ALL`].
    #[cfg_attr(not(feature = "matrix"), expect(dead_code, reason = "the matrix asks"))]
    pub(crate) decide: Decide<V>,
}

/// A DTO, and its rules for a viewer `V`.
#[doc(hidden)]
pub struct DtoEntry<V> {
    pub(crate) info: DtoInfo,
    /// In the order of its fields.
    #[cfg_attr(not(feature = "matrix"), expect(dead_code, reason = "the matrix asks"))]
    pub(crate) decide: Decide<V>,
    pub(crate) entity: EntityEntry<V>,
}

/// Lists the DTOs and the repositories of an application in one place.
///
/// Every DTO must speak of the stated viewer. The entity of a listed DTO is known through it;
/// `entities: [..]`, behind the viewer, lists those that no DTO shows.
///
/// # Example
///
/// ```
/// # use clearance::{Db, Dto, Entity, Result, Viewer, repository};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64 }
/// # #[derive(Dto)]
/// # #[dto(entity = User, default = visible)]
/// # struct Profile { id: i64 }
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
///         repositories: [Users],
///     };
/// }
///
/// assert_eq!(APP.repositories()[0].methods()[0].name(), "all");
/// ```
#[macro_export]
macro_rules! app {
    (
        $(#[$attribute:meta])*
        $visibility:vis static $name:ident = {
            viewer: $viewer:ty,
            $(entities: [$($entity:ty),* $(,)?],)?
            dtos: [$($dto:ty),* $(,)?],
            repositories: [$($repository:ty),* $(,)?] $(,)?
        };
    ) => {
        $(#[$attribute])*
        $visibility static $name: $crate::App<$viewer> = $crate::App::__new(
            &[$($($crate::__private::entity_info::<$viewer, $entity>),*)?],
            &[$($crate::__private::dto_info::<$viewer, $dto>),*],
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
        repositories: &'static [fn() -> RepositoryInfo],
    ) -> Self {
        Self {
            entities,
            dtos,
            repositories,
        }
    }

    /// What is known of each DTO.
    #[must_use]
    pub fn dtos(&self) -> Vec<DtoInfo> {
        self.dtos.iter().map(|entry| entry().info).collect()
    }

    /// What is known of each repository.
    #[must_use]
    pub fn repositories(&self) -> Vec<RepositoryInfo> {
        self.repositories.iter().map(|info| info()).collect()
    }

    /// What is known of each entity: those that DTOs show, and those that are listed.
    #[must_use]
    pub fn entities(&self) -> Vec<EntityInfo> {
        self.entity_entries()
            .into_iter()
            .map(|entry| entry.info)
            .collect()
    }

    pub(crate) fn entity_entries(&self) -> Vec<EntityEntry<V>> {
        let shown = self.dtos.iter().map(|entry| entry().entity);
        let listed = self.entities.iter().map(|entry| entry());
        let mut entries: Vec<EntityEntry<V>> = Vec::new();
        for entry in shown.chain(listed) {
            if entries.iter().all(|known| known.info.id != entry.info.id) {
                entries.push(entry);
            }
        }
        entries
    }

    #[cfg(feature = "matrix")]
    pub(crate) fn dto_entries(&self) -> Vec<DtoEntry<V>> {
        self.dtos.iter().map(|entry| entry()).collect()
    }
}

impl<V> fmt::Debug for App<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("dtos", &self.dtos.len())
            .field("repositories", &self.repositories.len())
            .finish_non_exhaustive()
    }
}

/// A rule, as the registry knows it: without the types that it speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleInfo {
    source: Source,
    negated: bool,
    opaque: bool,
    expr: Expr,
}

impl RuleInfo {
    fn of<V, E>(rule: &Rule<V, E>) -> Self {
        Self {
            source: rule.source(),
            negated: rule.is_negated(),
            opaque: rule.is_opaque(),
            expr: rule.expr().clone(),
        }
    }

    /// Where it stands and how it was written.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Whether it states when something is *not* allowed, as `hidden_if` does.
    #[must_use]
    pub const fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether a part of it runs in Rust only.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// The rule as data.
    #[must_use]
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    /// The fields of the row that it names, each once.
    pub(crate) fn fields(&self) -> Vec<&'static str> {
        let mut named = Vec::new();
        name_fields(&self.expr, &mut named);
        named.sort_unstable();
        named.dedup();
        named
    }
}

/// An entity, as the registry knows it.
#[derive(Debug, Clone)]
pub struct EntityInfo {
    id: TypeId,
    schema: &'static Schema,
    operations: Vec<(RowAction, Stated)>,
}

/// What an entity states of one operation, without its types.
#[derive(Debug, Clone, PartialEq)]
pub enum Stated {
    /// Nothing, so it is denied.
    Denied,
    /// Every row is open, for this reason.
    Open(&'static str),
    /// All of these rules must allow it.
    Rules(Vec<RuleInfo>),
}

impl EntityInfo {
    fn of<E: Entity>() -> Self {
        let table = E::__table();
        let operations = RowAction::ALL.map(|action| {
            let stated = match table.rows().of(action) {
                Operation::Denied => Stated::Denied,
                Operation::Open { reason, .. } => Stated::Open(reason),
                Operation::Rules(rules) => Stated::Rules(rules.iter().map(RuleInfo::of).collect()),
            };
            (action, stated)
        });
        Self {
            id: TypeId::of::<E>(),
            schema: table,
            operations: operations.into(),
        }
    }

    /// Its table: name, columns and key.
    #[must_use]
    pub const fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// What it states of each operation.
    #[must_use]
    pub fn operations(&self) -> &[(RowAction, Stated)] {
        &self.operations
    }

    #[cfg(feature = "matrix")]
    pub(crate) const fn id(&self) -> TypeId {
        self.id
    }
}

impl Stated {
    /// The rules, where there are some.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        match self {
            Self::Denied | Self::Open(_) => &[],
            Self::Rules(rules) => rules,
        }
    }
}

/// A DTO and its entity, as the registry knows them.
#[derive(Debug, Clone)]
pub struct DtoInfo {
    name: &'static str,
    entity: EntityInfo,
    fields: Vec<FieldInfo>,
}

/// A field of a DTO, as the registry knows it.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    field: &'static str,
    key: &'static str,
    rules: Vec<RuleInfo>,
    output: Output,
}

impl DtoInfo {
    fn of<D: Dto>() -> Self {
        let shape = D::__shape();
        let fields = shape
            .fields()
            .iter()
            .map(|field| FieldInfo {
                field: field.field(),
                key: field.key(),
                rules: field.rules().iter().map(RuleInfo::of).collect(),
                output: field.output(),
            })
            .collect();
        Self {
            name: shape.name(),
            entity: EntityInfo::of::<D::Entity>(),
            fields,
        }
    }

    /// The name of the DTO's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The name of its entity's type.
    #[must_use]
    pub const fn entity(&self) -> &'static str {
        self.entity.schema.entity()
    }

    /// The table of its entity.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.entity.schema.name()
    }

    /// The columns of its entity.
    #[must_use]
    pub fn columns(&self) -> &'static [ColumnSpec] {
        self.entity.schema.columns()
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> &[FieldInfo] {
        &self.fields
    }

    /// The fields that its rules and those of its entity name, each with the rule.
    pub(crate) fn named(&self) -> Vec<(&'static str, Source)> {
        let rows = self.entity.operations.iter();
        let rows = rows.flat_map(|(_, stated)| stated.rules());
        rows.chain(self.fields.iter().flat_map(FieldInfo::rules))
            .flat_map(|rule| {
                let source = rule.source;
                rule.fields().into_iter().map(move |field| (field, source))
            })
            .collect()
    }

    #[cfg(feature = "matrix")]
    pub(crate) const fn entity_id(&self) -> TypeId {
        self.entity.id
    }
}

impl FieldInfo {
    /// The name of the field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The key under which it is serialised.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// The rules that must all allow it; none means that it is always visible.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        &self.rules
    }

    /// What stands in its place when it is hidden.
    #[must_use]
    pub const fn output(&self) -> Output {
        self.output
    }
}

/// Collects the fields of the row that a rule names.
fn name_fields(expr: &Expr, named: &mut Vec<&'static str>) {
    match expr {
        Expr::Free(_) | Expr::Opaque(_) => {}
        Expr::Flag(field)
        | Expr::IsSome(field)
        | Expr::IsNone(field)
        | Expr::Contains { field, .. } => named.push(field),
        Expr::Compare { left, right, .. } => {
            for operand in [left, right] {
                match operand {
                    Operand::Field(field) => named.push(field),
                    Operand::Input(_) => {}
                }
            }
        }
        // Those of the condition belong to another entity.
        Expr::Related { .. } => {}
        Expr::Not(inner) => name_fields(inner, named),
        Expr::All(parts) | Expr::Any(parts) => {
            for part in parts {
                name_fields(part, named);
            }
        }
    }
}

/// A repository, as the registry knows it.
#[derive(Debug, Clone)]
pub struct RepositoryInfo {
    name: &'static str,
    methods: Vec<MethodInfo>,
}

/// A method of a repository, with its guard.
#[derive(Debug, Clone)]
pub struct MethodInfo {
    name: &'static str,
    guard: Guard,
    action: Action,
    file: &'static str,
    line: u32,
    allows: Option<Allows>,
}

/// What the condition of a method comes to for a viewer of its type.
type Allows = fn(&dyn Any, &Context) -> Option<bool>;

/// Who a repository method is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Any verified viewer.
    Authenticated,
    /// The viewers that this expression picks.
    Authorize(&'static str),
    /// Everybody, for this reason.
    Public(&'static str),
}

/// What a repository method may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read rows.
    Read,
    /// Read and write rows.
    Write,
}

impl RepositoryInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(name: &'static str, methods: Vec<MethodInfo>) -> Self {
        Self { name, methods }
    }

    /// The name of the repository's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its methods.
    #[must_use]
    pub fn methods(&self) -> &[MethodInfo] {
        &self.methods
    }
}

impl MethodInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        name: &'static str,
        guard: Guard,
        action: Action,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            name,
            guard,
            action,
            file,
            line,
            allows: None,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn __allows(mut self, allows: Allows) -> Self {
        self.allows = Some(allows);
        self
    }

    /// What its condition comes to for `viewer`; `None` when that takes more than the viewer.
    #[cfg(feature = "matrix")]
    pub(crate) fn allows(&self, viewer: &dyn Any, context: &Context) -> Option<bool> {
        self.allows.and_then(|allows| allows(viewer, context))
    }

    /// The name of the method.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Who it is open to.
    #[must_use]
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// What it may do.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// `file:line`, the same on every machine.
    #[cfg(feature = "matrix")]
    pub(crate) fn place(&self) -> String {
        crate::policy::rule::place(self.file, self.line)
    }

    /// The source file and the line of the method.
    #[must_use]
    pub const fn location(&self) -> (&'static str, u32) {
        (self.file, self.line)
    }
}

/// A type whose methods `#[repository]` guards.
pub trait Repository {
    #[doc(hidden)]
    fn __repository() -> RepositoryInfo;
}

/// Called by [`app!`](crate::app).
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
    }
}

/// Called by [`app!`](crate::app).
pub fn dto_info<V, D>() -> DtoEntry<V>
where
    D: Dto,
    D::Entity: Entity<Viewer = V>,
{
    DtoEntry {
        info: DtoInfo::of::<D>(),
        decide: |viewer, context| {
            D::__shape()
                .fields()
                .iter()
                .map(|field| decide(field.rules(), viewer, context))
                .collect()
        },
        entity: entity_info::<V, D::Entity>(),
    }
}

/// Called by [`app!`](crate::app).
pub fn repository_info<R: Repository>() -> RepositoryInfo {
    R::__repository()
}
