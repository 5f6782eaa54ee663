//! The run-time description of an entity: its table, and the rules of its rows.

use std::fmt;
use std::ops::Deref;

use super::Entity;
use super::relation::{ReadRules, RelationSpec};
use crate::policy::{Context, Decision, Rule, decide};
use crate::schema::{ColumnSpec, Relation, Schema};

/// The table of an entity: its [`Schema`] and its row rules.
pub struct Table<E: Entity> {
    schema: Schema,
    /// The read rules on the other side of each relation, in the order of those of the schema.
    others: Vec<ReadRules>,
    rows: RowRules<E>,
    filters: Vec<ColumnRules<E>>,
}

/// A column that a query may filter by although its DTO does not show it: its field, and the rules that
/// must allow the filter.
type ColumnRules<E> = (&'static str, Vec<Rule<<E as Entity>::Viewer, E>>);

/// The rules of an entity for each operation on its rows.
#[doc(hidden)]
pub struct RowRules<E: Entity> {
    /// The rules of the tenant, which are part of every operation's rules.
    pub tenant: Vec<Rule<E::Viewer, E>>,
    pub read: Operation<E>,
    pub create: Operation<E>,
    pub update: Operation<E>,
    /// The rules for a row as an update leaves it; none if those of `update` apply.
    pub updated: Option<Operation<E>>,
    pub delete: Operation<E>,
}

/// An operation on a row.
///
/// It is exhaustive on purpose: a new action must break every `match` on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowAction {
    /// Read it.
    Read,
    /// Insert it.
    Create,
    /// Change it.
    Update,
    /// Delete it.
    Delete,
}

impl RowAction {
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Update, Self::Delete];

    /// Returns the action as one word: `read`, `create`, `update` or `delete`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Returns the attribute that states the rule of the action.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::Read => "read_if",
            Self::Create => "create_if",
            Self::Update => "update_if",
            Self::Delete => "delete_if",
        }
    }
}

/// The statement of an entity about one operation.
pub enum Operation<E: Entity> {
    /// Nothing is stated, so the operation is denied.
    Denied,
    /// Every row of the tenant is open, for the stated reason.
    Open {
        /// The reason why every row may be open.
        reason: &'static str,
        /// The rules of the tenant; none if the entity has no tenants.
        tenant: Vec<Rule<E::Viewer, E>>,
    },
    /// The rules, all of which must allow the operation.
    Rules(Vec<Rule<E::Viewer, E>>),
}

impl<E: Entity> Table<E> {
    #[doc(hidden)]
    #[must_use]
    pub fn __new(
        entity: &'static str,
        name: &'static str,
        columns: Vec<ColumnSpec>,
        key: usize,
        relations: Vec<RelationSpec>,
        rows: RowRules<E>,
    ) -> Self {
        let (relations, others) = relations
            .into_iter()
            .map(|spec| (spec.relation, spec.read))
            .unzip();
        Self {
            schema: Schema::new(entity, name, columns, key, relations),
            others,
            rows,
            filters: Vec::new(),
        }
    }

    /// Describes the key. Its type is that of the entity's key, which the compiler refuses there if no
    /// column can have it.
    #[doc(hidden)]
    #[must_use]
    pub const fn __key(field: &'static str, name: &'static str) -> ColumnSpec {
        ColumnSpec::__new::<E::Key>(field, name, true)
    }

    /// Returns the table with rules for filters by columns.
    #[doc(hidden)]
    #[must_use]
    pub fn __filters(mut self, filters: Vec<ColumnRules<E>>) -> Self {
        self.filters = filters;
        self
    }

    /// Returns the table, marked as one that viewers are made from; see `viewer_of`.
    #[doc(hidden)]
    #[must_use]
    pub fn __viewer_of(mut self) -> Self {
        self.schema.mark_viewer_of();
        self
    }

    /// Returns the columns that have a `filter_if` rule, by field.
    pub(crate) fn filters(&self) -> &[ColumnRules<E>] {
        &self.filters
    }

    /// Evaluates the read rules on the other side of `relation` for `viewer`, before any row; `None` if they are
    /// written for another type of viewer.
    pub(crate) fn readable(
        &self,
        relation: &Relation,
        viewer: &E::Viewer,
        context: &Context,
    ) -> Option<Decision> {
        let mut relations = self.schema.relations().iter();
        let index = relations.position(|known| known.name() == relation.name())?;
        self.others.get(index)?(viewer, context)
    }

    /// Returns the rules of its rows.
    #[doc(hidden)]
    #[must_use]
    pub const fn rows(&self) -> &RowRules<E> {
        &self.rows
    }
}

impl<E: Entity> RowRules<E> {
    /// Returns the rules for a row as an update leaves it: those of `update`, unless others are stated.
    pub(crate) fn updated(&self) -> &Operation<E> {
        self.updated.as_ref().unwrap_or(&self.update)
    }

    pub(crate) const fn of(&self, action: RowAction) -> &Operation<E> {
        match action {
            RowAction::Read => &self.read,
            RowAction::Create => &self.create,
            RowAction::Update => &self.update,
            RowAction::Delete => &self.delete,
        }
    }
}

impl<E: Entity> Deref for Table<E> {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        &self.schema
    }
}

impl<E: Entity> Operation<E> {
    /// Evaluates the stated rules for `viewer` (or nobody), before any row.
    pub(crate) fn decide(&self, viewer: Option<&E::Viewer>, context: &Context) -> Decision {
        match self {
            Self::Denied => Decision::Deny,
            Self::Open { tenant: rules, .. } | Self::Rules(rules) => decide(rules, viewer, context),
        }
    }

    pub(crate) fn rules(&self) -> &[Rule<E::Viewer, E>] {
        match self {
            Self::Denied => &[],
            Self::Open { tenant: rules, .. } | Self::Rules(rules) => rules,
        }
    }
}

impl<E: Entity> fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("entity", &self.schema.entity())
            .field("name", &self.schema.name())
            .finish_non_exhaustive()
    }
}

impl<E: Entity> fmt::Debug for RowRules<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowRules")
            .field("tenant", &self.tenant)
            .field("read", &self.read)
            .field("create", &self.create)
            .field("update", &self.update)
            .field("updated", &self.updated)
            .field("delete", &self.delete)
            .finish()
    }
}

impl<E: Entity> fmt::Debug for Operation<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("Denied"),
            Self::Open { reason, tenant } => f
                .debug_struct("Open")
                .field("reason", reason)
                .field("tenant", tenant)
                .finish(),
            Self::Rules(rules) => f.debug_tuple("Rules").field(rules).finish(),
        }
    }
}
