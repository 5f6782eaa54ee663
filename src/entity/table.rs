//! The run-time description of an entity: its table, columns, relations and row rules.

use std::fmt;
use std::ops::Deref;

use super::{Entity, Relation, Storable};
use crate::policy::{Context, Decision, Kind, Rule, decide};

/// The table of an entity: its [`Schema`] and its row rules.
pub struct Table<E: Entity> {
    schema: Schema,
    rows: RowRules<E>,
    filters: Vec<ColumnRules<E>>,
}

/// A column that a query may filter by although its DTO does not show it: its field, and the rules that
/// must allow the filter.
type ColumnRules<E> = (&'static str, Vec<Rule<<E as Entity>::Viewer, E>>);

/// The columns and the key of a table, without the type of its rows.
#[derive(Debug)]
pub struct Schema {
    entity: &'static str,
    name: &'static str,
    columns: Vec<ColumnSpec>,
    key: usize,
    pub(super) relations: Vec<Relation>,
    /// Set if viewers are made from its rows: the key of a row, as text, is the subject of its viewer.
    viewer_of: bool,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct ColumnSpec {
    field: &'static str,
    name: &'static str,
    kind: Kind,
    nullable: bool,
    lookup: bool,
    /// Set if a lookup of one value may find several rows.
    many: bool,
}

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

/// The prefix by which a rule names a field of the row as it was before an update.
const BEFORE: &str = "before.";

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
    pub const fn __new(
        entity: &'static str,
        name: &'static str,
        columns: Vec<ColumnSpec>,
        key: usize,
        relations: Vec<Relation>,
        rows: RowRules<E>,
    ) -> Self {
        Self {
            schema: Schema {
                entity,
                name,
                columns,
                key,
                relations,
                viewer_of: false,
            },
            rows,
            filters: Vec::new(),
        }
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
        self.schema.viewer_of = true;
        self
    }

    /// Returns the columns that have a `filter_if` rule, by field.
    pub(crate) fn filters(&self) -> &[ColumnRules<E>] {
        &self.filters
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

impl Schema {
    /// Returns the name of the entity's type.
    #[must_use]
    pub const fn entity(&self) -> &'static str {
        self.entity
    }

    /// Returns the name of the table in the database.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its columns, in the order of the entity's fields.
    #[must_use]
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// Returns its relations to other tables.
    #[must_use]
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// Returns the index and the column of a field, by its name in Rust.
    pub(crate) fn position(&self, field: &str) -> Option<(usize, &ColumnSpec)> {
        self.columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.field == field)
    }

    /// Returns the place and the column of a field that a rule names. The places of the row as it was
    /// before an update (`before.field`) follow those of the row itself.
    pub(crate) fn place(&self, field: &str) -> Option<(usize, &ColumnSpec)> {
        match field.strip_prefix(BEFORE) {
            None => self.position(field),
            Some(field) => {
                let (index, column) = self.position(field)?;
                Some((index + self.columns.len(), column))
            }
        }
    }

    /// Returns the column at a place, and whether it belongs to the row as it was.
    pub(crate) fn at(&self, place: usize) -> Option<(&ColumnSpec, bool)> {
        let before = place >= self.columns.len();
        let index = if before {
            place - self.columns.len()
        } else {
            place
        };
        Some((self.column(index)?, before))
    }

    /// Returns the fields of the columns whose bits are set.
    pub(crate) fn marked(&self, bits: u128) -> impl Iterator<Item = &'static str> {
        let columns = self.columns.iter().enumerate();
        columns
            .filter(move |(index, _)| bits >> index & 1 == 1)
            .map(|(_, column)| column.field())
    }

    pub(crate) fn column(&self, index: usize) -> Option<&ColumnSpec> {
        self.columns.get(index)
    }

    pub(crate) const fn key(&self) -> usize {
        self.key
    }

    pub(crate) const fn is_viewer_of(&self) -> bool {
        self.viewer_of
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

impl ColumnSpec {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new<T: Storable>(field: &'static str, name: &'static str, lookup: bool) -> Self {
        Self {
            field,
            name,
            kind: T::KIND,
            nullable: T::NULLABLE,
            lookup,
            many: false,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn __many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Returns the name of the field in Rust.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the name of the column in the database.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the kind of value that the column holds.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns whether the column may be null.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Returns whether the column may be looked up by equality.
    #[must_use]
    pub const fn is_lookup(&self) -> bool {
        self.lookup
    }

    /// Returns whether its entity declares that a lookup of one value may find several rows.
    #[must_use]
    pub const fn finds_many(&self) -> bool {
        self.many
    }
}

impl<E: Entity> fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("entity", &self.schema.entity)
            .field("name", &self.schema.name)
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
