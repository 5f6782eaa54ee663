//! The run-time description of a table: its columns, its key and its relations.

use super::{Kind, Relation, Storable};

/// The columns and the key of a table, without the type of its rows.
#[derive(Debug)]
pub struct Schema {
    entity: &'static str,
    name: &'static str,
    columns: Vec<ColumnSpec>,
    key: usize,
    relations: Vec<Relation>,
    /// Set if viewers are made from its rows: the key of a row, as text, is the subject of its viewer.
    viewer_of: bool,
}

/// One column of a table.
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

/// The prefix by which a rule names a field of the row as it was before an update.
const BEFORE: &str = "before.";

impl Schema {
    pub(crate) const fn new(
        entity: &'static str,
        name: &'static str,
        columns: Vec<ColumnSpec>,
        key: usize,
        relations: Vec<Relation>,
    ) -> Self {
        Self {
            entity,
            name,
            columns,
            key,
            relations,
            viewer_of: false,
        }
    }

    /// Marks the table as one that viewers are made from; see `viewer_of`.
    pub(crate) const fn mark_viewer_of(&mut self) {
        self.viewer_of = true;
    }

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

    /// Returns the relation of this name.
    pub(crate) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations
            .iter()
            .find(|relation| relation.name() == name)
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
