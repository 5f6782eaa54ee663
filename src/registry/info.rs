//! Type-erased descriptions of entities and DTOs, with their rules as data.

use std::any::TypeId;

use crate::dto::{self, Dto, FieldSpec, Output, ShownAs};
use crate::entity::{Entity, Operation, RowAction};
use crate::policy::{Expr, Operand, Rule, Source};
use crate::schema::{ColumnSpec, Schema};
use crate::viewer::Viewer;

/// A rule, type-erased: its expression as data, and its place in the source.
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

    /// Returns the text of the rule and its place in the source.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Returns whether the rule states when something is *not* allowed, as `hidden_if` does.
    #[must_use]
    pub const fn is_negated(&self) -> bool {
        self.negated
    }

    /// Returns whether a part of the rule runs in Rust only.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Returns the rule as data, which is not covered by semantic versioning.
    #[doc(hidden)]
    #[must_use]
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Returns the fields that the rule names, each with the table that should have it, for a rule
    /// about rows of `schema`.
    pub(crate) fn named(&self, schema: &'static Schema) -> Vec<(&'static Schema, &'static str)> {
        let mut named = Vec::new();
        name_fields(&self.expr, schema, &mut named);
        named
    }

    /// Returns the columns that the rule reads from the row as written, for a rule about writing rows
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
}

/// An entity, type-erased.
#[derive(Debug, Clone)]
pub struct EntityInfo {
    id: TypeId,
    schema: &'static Schema,
    operations: Vec<(RowAction, Stated)>,
    updated: Vec<RuleInfo>,
    filters: Vec<(&'static str, Vec<RuleInfo>)>,
}

/// The declaration of one operation of an entity, type-erased.
#[derive(Debug, Clone, PartialEq)]
pub enum Stated {
    /// No declaration, so the operation is denied.
    Denied,
    /// Every row is open, subject to the tenant's rules.
    Open {
        /// The reason why the rows are open.
        reason: &'static str,
        /// The rules of the tenant; empty if the entity has no tenants.
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

    /// Returns the table: its name, columns and key.
    #[must_use]
    pub const fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// Returns the declaration of each operation.
    #[must_use]
    pub fn operations(&self) -> &[(RowAction, Stated)] {
        &self.operations
    }

    /// Returns the rules that must all allow the row as updated. Empty if they are the rules of the
    /// update, evaluated once more on the updated row.
    #[must_use]
    pub fn updated(&self) -> &[RuleInfo] {
        &self.updated
    }

    /// Returns the fields that a query may filter by although its DTO does not show them, each with the
    /// rules that must all allow it.
    #[must_use]
    pub fn filters(&self) -> &[(&'static str, Vec<RuleInfo>)] {
        &self.filters
    }

    /// Returns whether the entity declares any write operation.
    pub(crate) fn is_written(&self) -> bool {
        self.operations.iter().any(|(action, stated)| match action {
            RowAction::Read => false,
            RowAction::Create | RowAction::Update | RowAction::Delete => *stated != Stated::Denied,
        })
    }

    /// Returns the rules that are evaluated on a row as written, each with its operation.
    pub(crate) fn written_rules(&self) -> impl Iterator<Item = (RowAction, &RuleInfo)> {
        let updated = self.updated.iter().map(|rule| (RowAction::Update, rule));
        let stated = self.operations.iter().filter(|(action, _)| match action {
            RowAction::Create => true,
            // Unless rules for the updated row are declared apart.
            RowAction::Update => self.updated.is_empty(),
            RowAction::Read | RowAction::Delete => false,
        });
        let stated = stated.flat_map(|(action, stated)| {
            let rules = stated.rules().iter();
            rules.map(|rule| (*action, rule))
        });
        stated.chain(updated)
    }

    /// Returns every rule of the entity.
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
    /// Returns the rules, if there are any.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        match self {
            Self::Denied => &[],
            Self::Open { tenant: rules, .. } | Self::Rules(rules) => rules,
        }
    }
}

/// A DTO and its entity, type-erased.
#[derive(Debug, Clone)]
pub struct DtoInfo {
    name: &'static str,
    entity: EntityInfo,
    fields: Vec<FieldInfo>,
    mistake: Option<String>,
}

/// A field of a DTO, type-erased.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    field: &'static str,
    source: FieldSource,
    told_by: Vec<&'static str>,
    key: &'static str,
    rules: Vec<RuleInfo>,
    output: Output,
}

/// The source of a DTO field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSource {
    /// The column of its name.
    Column,
    /// The result of a function on columns.
    Computed {
        /// The path of the function, as written.
        function: &'static str,
        /// The fields of the entity that the function takes.
        inputs: Vec<&'static str>,
    },
    /// Related rows.
    Related {
        /// The name of the relation on the entity.
        relation: &'static str,
        /// The DTO that shows them.
        shown_as: &'static str,
    },
}

impl FieldSource {
    fn of<V: Viewer>(source: &dto::ShapeSource<V>) -> Self {
        match source {
            dto::ShapeSource::Column => Self::Column,
            dto::ShapeSource::Computed { function, inputs } => Self::Computed {
                function,
                inputs: inputs.clone(),
            },
            dto::ShapeSource::Related {
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
                    "`{endless}` is nested in itself, which would never end: nest a DTO without that field"
                )),
            },
        }
    }

    /// Returns the name of the DTO's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the name of its entity's type.
    #[must_use]
    pub const fn entity(&self) -> &'static str {
        self.entity.schema.entity()
    }

    /// Returns the table of its entity.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.entity.schema.name()
    }

    /// Returns the columns of its entity.
    #[must_use]
    pub fn columns(&self) -> &'static [ColumnSpec] {
        self.entity.schema.columns()
    }

    /// Returns its fields.
    #[must_use]
    pub fn fields(&self) -> &[FieldInfo] {
        &self.fields
    }

    pub(crate) const fn schema(&self) -> &'static Schema {
        self.entity.schema
    }

    /// Returns a mistake in the DTO's definition that does not depend on the viewer.
    pub(crate) fn mistake(&self) -> Option<&str> {
        self.mistake.as_deref()
    }
}

impl FieldInfo {
    /// Returns the name of the field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the field of the entity that it shows, unless it is computed or shows related rows.
    pub(crate) fn column(&self) -> Option<&'static str> {
        match self.source {
            FieldSource::Column => Some(self.field),
            FieldSource::Computed { .. } | FieldSource::Related { .. } => None,
        }
    }

    /// Returns the source of its value.
    #[must_use]
    pub const fn source(&self) -> &FieldSource {
        &self.source
    }

    /// Returns those fields of the same DTO that its value would reveal and that can be hidden: it is
    /// hidden if one of them is.
    #[must_use]
    pub fn told_by(&self) -> &[&'static str] {
        &self.told_by
    }

    /// Returns the key under which the field is serialised.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Returns the rules that must all allow the field; a field with none is always visible.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        &self.rules
    }

    /// Returns the output in place of the field if it is hidden.
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

/// Collects the fields that a rule for rows of `schema` names. A nonexistent relation is among them
/// under its own name, which no table has as a field.
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
