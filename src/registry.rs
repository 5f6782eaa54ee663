//! What an application consists of: its DTOs and its repositories.

use crate::dto::{Dto, Output};
use crate::entity::{ColumnSpec, Entity, Operation};
use crate::policy::{Expr, Operand, Rule, Source};

/// The DTOs and repositories of an application, listed with [`app!`](crate::app).
///
/// [`Db::check`](crate::Db::check) compares it with the live schema when the program starts.
#[derive(Debug)]
pub struct App {
    dtos: &'static [fn() -> DtoInfo],
    repositories: &'static [fn() -> RepositoryInfo],
}

/// Lists the DTOs and the repositories of an application in one place.
///
/// Every DTO must speak of the stated viewer.
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
            dtos: [$($dto:ty),* $(,)?],
            repositories: [$($repository:ty),* $(,)?] $(,)?
        };
    ) => {
        $(#[$attribute])*
        $visibility static $name: $crate::App = $crate::App::__new(
            &[$($crate::__private::dto_info::<$viewer, $dto>),*],
            &[$($crate::__private::repository_info::<$repository>),*],
        );
    };
}

impl App {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        dtos: &'static [fn() -> DtoInfo],
        repositories: &'static [fn() -> RepositoryInfo],
    ) -> Self {
        Self { dtos, repositories }
    }

    /// What is known of each DTO.
    #[must_use]
    pub fn dtos(&self) -> Vec<DtoInfo> {
        self.dtos.iter().map(|info| info()).collect()
    }

    /// What is known of each repository.
    #[must_use]
    pub fn repositories(&self) -> Vec<RepositoryInfo> {
        self.repositories.iter().map(|info| info()).collect()
    }
}

/// A DTO and its entity, as the registry knows them.
#[derive(Debug, Clone)]
pub struct DtoInfo {
    name: &'static str,
    entity: &'static str,
    table: &'static str,
    columns: &'static [ColumnSpec],
    fields: Vec<FieldInfo>,
    /// Fields that rules name, with the rule, for the check at start.
    named: Vec<(&'static str, Source)>,
}

/// A field of a DTO, as the registry knows it.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    field: &'static str,
    rules: Vec<Source>,
    output: Output,
}

impl DtoInfo {
    fn of<D: Dto>() -> Self {
        let table = D::Entity::__table();
        let shape = D::__shape();
        let mut named = Vec::new();
        let rows = table.rows();
        for operation in [&rows.read, &rows.create, &rows.update, &rows.delete] {
            for rule in operation_rules(operation) {
                name_fields(rule, &mut named);
            }
        }
        let fields = shape
            .fields()
            .iter()
            .map(|field| {
                for rule in field.rules() {
                    name_fields(rule, &mut named);
                }
                FieldInfo {
                    field: field.field(),
                    rules: field.rules().iter().map(Rule::source).collect(),
                    output: field.output(),
                }
            })
            .collect();
        Self {
            name: shape.name(),
            entity: table.entity(),
            table: table.name(),
            columns: table.columns(),
            fields,
            named,
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
        self.entity
    }

    /// The table of its entity.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// The columns of its entity.
    #[must_use]
    pub const fn columns(&self) -> &'static [ColumnSpec] {
        self.columns
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> &[FieldInfo] {
        &self.fields
    }

    pub(crate) fn named(&self) -> &[(&'static str, Source)] {
        &self.named
    }
}

impl FieldInfo {
    /// The name of the field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The rules that must all allow it; none means that it is always visible.
    #[must_use]
    pub fn rules(&self) -> &[Source] {
        &self.rules
    }

    /// What stands in its place when it is hidden.
    #[must_use]
    pub const fn output(&self) -> Output {
        self.output
    }
}

fn operation_rules<E: Entity>(operation: &'static Operation<E>) -> &'static [Rule<E::Viewer, E>] {
    operation.rules()
}

/// Collects the fields of the row that a rule names.
fn name_fields<V, E>(rule: &Rule<V, E>, named: &mut Vec<(&'static str, Source)>) {
    let mut rest = vec![rule.expr()];
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::Free(_) | Expr::Opaque(_) => {}
            Expr::Flag(field)
            | Expr::IsSome(field)
            | Expr::IsNone(field)
            | Expr::Contains { field, .. } => named.push((field, rule.source())),
            Expr::Compare { left, right, .. } => {
                for operand in [left, right] {
                    match operand {
                        Operand::Field(field) => named.push((field, rule.source())),
                        Operand::Input(_) => {}
                    }
                }
            }
            Expr::Related { .. } => {}
            Expr::Not(inner) => rest.push(inner),
            Expr::All(parts) | Expr::Any(parts) => rest.extend(parts),
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
}

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
        }
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
pub fn dto_info<V, D>() -> DtoInfo
where
    D: Dto,
    D::Entity: Entity<Viewer = V>,
{
    DtoInfo::of::<D>()
}

/// Called by [`app!`](crate::app).
pub fn repository_info<R: Repository>() -> RepositoryInfo {
    R::__repository()
}
