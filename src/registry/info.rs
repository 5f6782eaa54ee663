//! What the registry knows of entities and DTOs, without their types.

use std::any::TypeId;

use crate::dto::{self, Dto, FieldSpec, Output, ShownAs};
use crate::entity::{ColumnSpec, Entity, Operation, RowAction, Schema};
use crate::policy::{Expr, Operand, Rule, Source};
use crate::viewer::Viewer;

/// A rule, as the registry knows it: without the types that it speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleInfo {
    source: Source,
    negated: bool,
    opaque: bool,
    expr: Expr,
}

impl RuleInfo {
    pub(super) fn of<V, E>(rule: &Rule<V, E>) -> Self {
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

    /// The fields that it names, each with the table that should have it, when it is a rule for
    /// rows of `schema`.
    pub(crate) fn named(&self, schema: &'static Schema) -> Vec<(&'static Schema, &'static str)> {
        let mut named = Vec::new();
        name_fields(&self.expr, schema, &mut named);
        named
    }

    /// The columns of the row as a write makes it that it reads, when it is a rule for writing rows
    /// of `schema`. Related rows are read as they are stored.
    pub(crate) fn written(&self, schema: &'static Schema) -> Vec<&'static ColumnSpec> {
        let mut named = Vec::new();
        name_own(&self.expr, schema, &mut named);
        let placed = named.into_iter().filter_map(|field| schema.place(field));
        placed
            .filter_map(|(place, _)| schema.at(place))
            .filter(|(_, before)| !before)
            .map(|(column, _)| column)
            .collect()
    }

    /// The fields of the row itself that it names, as it is or as it was, each once.
    #[cfg(feature = "matrix")]
    pub(crate) fn fields(&self, schema: &'static Schema) -> Vec<&'static str> {
        let named = self.named(schema).into_iter();
        let mut own: Vec<_> = named
            .filter(|(table, _)| std::ptr::eq(*table, schema))
            .filter_map(|(_, field)| schema.place(field))
            .map(|(_, column)| column.field())
            .collect();
        own.sort_unstable();
        own.dedup();
        own
    }
}

/// An entity, as the registry knows it.
#[derive(Debug, Clone)]
pub struct EntityInfo {
    id: TypeId,
    schema: &'static Schema,
    operations: Vec<(RowAction, Stated)>,
    updated: Vec<RuleInfo>,
    filters: Vec<(&'static str, Vec<RuleInfo>)>,
}

/// What an entity states of one operation, without its types.
#[derive(Debug, Clone, PartialEq)]
pub enum Stated {
    /// Nothing, so it is denied.
    Denied,
    /// Every row is open but for the rules of the tenant.
    Open {
        /// Why that is right.
        reason: &'static str,
        /// The rules of the tenant; none where the entity has no tenants.
        tenant: Vec<RuleInfo>,
    },
    /// All of these rules must allow it.
    Rules(Vec<RuleInfo>),
}

impl EntityInfo {
    pub(super) fn of<E: Entity>() -> Self {
        let table = E::__table();
        let operations = RowAction::ALL.map(|action| {
            let stated = match table.rows().of(action) {
                Operation::Denied => Stated::Denied,
                Operation::Open { reason, tenant } => Stated::Open {
                    reason,
                    tenant: tenant.iter().map(RuleInfo::of).collect(),
                },
                Operation::Rules(rules) => Stated::Rules(rules.iter().map(RuleInfo::of).collect()),
            };
            (action, stated)
        });
        let filters = table.filters().iter();
        Self {
            id: TypeId::of::<E>(),
            schema: table,
            operations: operations.into(),
            updated: table
                .rows()
                .updated
                .iter()
                .flat_map(Operation::rules)
                .map(RuleInfo::of)
                .collect(),
            filters: filters
                .map(|(field, rules)| (*field, rules.iter().map(RuleInfo::of).collect()))
                .collect(),
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

    /// The rules that must all allow what an update makes of a row. None where they are those of
    /// the update, asked once more of the row as it will be.
    #[must_use]
    pub fn updated(&self) -> &[RuleInfo] {
        &self.updated
    }

    /// The fields that a query may filter by although its DTO does not show them, each with the
    /// rules that must all allow it.
    #[must_use]
    pub fn filters(&self) -> &[(&'static str, Vec<RuleInfo>)] {
        &self.filters
    }

    /// Whether it states anything of a write.
    pub(crate) fn is_written(&self) -> bool {
        self.operations.iter().any(|(action, stated)| match action {
            RowAction::Read => false,
            RowAction::Create | RowAction::Update | RowAction::Delete => *stated != Stated::Denied,
        })
    }

    /// The rules that are asked of a row as it will be, each with what is done to it.
    pub(crate) fn written_rules(&self) -> impl Iterator<Item = (RowAction, &RuleInfo)> {
        let updated = self.updated.iter().map(|rule| (RowAction::Update, rule));
        let stated = self.operations.iter().filter(|(action, _)| match action {
            RowAction::Create => true,
            // Where nothing else is stated of what may become of a row.
            RowAction::Update => self.updated.is_empty(),
            RowAction::Read | RowAction::Delete => false,
        });
        let stated = stated.flat_map(|(action, stated)| {
            let rules = stated.rules().iter();
            rules.map(|rule| (*action, rule))
        });
        stated.chain(updated)
    }

    /// Every rule that it states.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &RuleInfo> {
        let rows = self.operations.iter();
        let filters = self.filters.iter();
        rows.flat_map(|(_, stated)| stated.rules())
            .chain(&self.updated)
            .chain(filters.flat_map(|(_, rules)| rules))
    }

    pub(crate) const fn id(&self) -> TypeId {
        self.id
    }
}

impl Stated {
    /// The rules, where there are some.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        match self {
            Self::Denied => &[],
            Self::Open { tenant: rules, .. } | Self::Rules(rules) => rules,
        }
    }
}

/// A DTO and its entity, as the registry knows them.
#[derive(Debug, Clone)]
pub struct DtoInfo {
    name: &'static str,
    entity: EntityInfo,
    fields: Vec<FieldInfo>,
    mistake: Option<String>,
}

/// A field of a DTO, as the registry knows it.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    field: &'static str,
    source: FieldSource,
    told_by: Vec<&'static str>,
    key: &'static str,
    rules: Vec<RuleInfo>,
    output: Output,
}

/// Where the value of a DTO's field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSource {
    /// The column of its name.
    Column,
    /// What a function makes of columns.
    Computed {
        /// The function, as it is written.
        function: &'static str,
        /// The fields of the entity that it is given.
        inputs: Vec<&'static str>,
    },
    /// Related rows.
    Related {
        /// The relation, by its name on the entity.
        relation: &'static str,
        /// The DTO that shows them.
        shown_as: &'static str,
    },
}

impl FieldSource {
    fn of<V: Viewer>(source: &dto::Source<V>) -> Self {
        match source {
            dto::Source::Column => Self::Column,
            dto::Source::Computed { function, inputs } => Self::Computed {
                function,
                inputs: inputs.clone(),
            },
            dto::Source::Related {
                relation, shown, ..
            } => Self::Related {
                relation,
                shown_as: shown().name,
            },
        }
    }
}

impl DtoInfo {
    pub(super) fn of<D: Dto>() -> Self {
        let shape = D::__shape();
        let fields = shape
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| FieldInfo {
                field: field.field(),
                source: FieldSource::of(field.source()),
                told_by: shape
                    .told_by(index)
                    .filter(|told| !told.rules().is_empty())
                    .map(FieldSpec::field)
                    .collect(),
                key: field.key(),
                rules: field.rules().iter().map(RuleInfo::of).collect(),
                output: field.output(),
            })
            .collect();
        Self {
            name: shape.name(),
            entity: EntityInfo::of::<D::Entity>(),
            fields,
            mistake: match ShownAs::of::<D>().endless(&[]) {
                None => shape.mistake().map(str::to_owned),
                Some(endless) => Some(format!(
                    "`{endless}` is nested in itself, which would have no end: nest a DTO without that field"
                )),
            },
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

    pub(crate) const fn schema(&self) -> &'static Schema {
        self.entity.schema
    }

    /// What is wrong with it whoever asks.
    pub(crate) fn mistake(&self) -> Option<&str> {
        self.mistake.as_deref()
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

    /// The field of the entity that it shows, unless it is made of others.
    pub(crate) fn column(&self) -> Option<&'static str> {
        match self.source {
            FieldSource::Column => Some(self.field),
            FieldSource::Computed { .. } | FieldSource::Related { .. } => None,
        }
    }

    /// Where its value comes from.
    #[must_use]
    pub const fn source(&self) -> &FieldSource {
        &self.source
    }

    /// The fields of the same DTO that it would tell of and that can be hidden: where one is, so
    /// is it.
    #[must_use]
    pub fn told_by(&self) -> &[&'static str] {
        &self.told_by
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

/// Collects the fields of the row itself that a rule for rows of `schema` names.
fn name_own(expr: &Expr, schema: &'static Schema, named: &mut Vec<&'static str>) {
    match expr {
        Expr::Related { relation, .. } => {
            if let Some(relation) = schema.relation(relation) {
                named.extend(relation.own_fields(schema));
            }
        }
        Expr::Not(inner) => name_own(inner, schema, named),
        Expr::All(parts) | Expr::Any(parts) => {
            for part in parts {
                name_own(part, schema, named);
            }
        }
        Expr::Free(_)
        | Expr::Opaque(_)
        | Expr::Flag(_)
        | Expr::IsSome(_)
        | Expr::IsNone(_)
        | Expr::Contains { .. }
        | Expr::Compare { .. } => {
            let mut found = Vec::new();
            name_fields(expr, schema, &mut found);
            named.extend(found.into_iter().map(|(_, field)| field));
        }
    }
}

/// Collects the fields that a rule for rows of `schema` names. A relation that there is not stands
/// among them by its own name, which no table has.
fn name_fields(
    expr: &Expr,
    schema: &'static Schema,
    named: &mut Vec<(&'static Schema, &'static str)>,
) {
    match expr {
        Expr::Free(_) | Expr::Opaque(_) => {}
        Expr::Flag(field)
        | Expr::IsSome(field)
        | Expr::IsNone(field)
        | Expr::Contains { field, .. } => named.push((schema, field)),
        Expr::Compare { left, right, .. } => {
            for operand in [left, right] {
                match operand {
                    Operand::Field(field) => named.push((schema, field)),
                    Operand::Input(_) => {}
                }
            }
        }
        Expr::Related {
            relation,
            condition,
        } => match schema
            .relations()
            .iter()
            .find(|known| known.name() == *relation)
        {
            None => named.push((schema, relation)),
            Some(relation) => {
                let own = relation.own_fields(schema).into_iter();
                named.extend(own.map(|field| (schema, field)));
                name_fields(condition, relation.target(), named);
            }
        },
        Expr::Not(inner) => name_fields(inner, schema, named),
        Expr::All(parts) | Expr::Any(parts) => {
            for part in parts {
                name_fields(part, schema, named);
            }
        }
    }
}
