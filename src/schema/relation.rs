//! Relations: the equijoins between tables.

use std::fmt;

use super::Schema;

/// A relation that an entity declares with `belongs_to` or `has_many`, as rules and nested DTOs
/// use it.
pub struct Relation {
    name: &'static str,
    cardinality: Cardinality,
    join: Join,
    /// A function rather than a reference, because two tables may be related to each other.
    target: fn() -> &'static Schema,
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

impl Relation {
    /// Describes a relation to the one row whose key the own field holds.
    pub(crate) const fn belongs_to(
        name: &'static str,
        own_field: &'static str,
        target: fn() -> &'static Schema,
    ) -> Self {
        Self {
            name,
            cardinality: Cardinality::One,
            join: Join::OwnField(own_field),
            target,
        }
    }

    /// Describes a relation to the rows whose field holds the own key.
    pub(crate) const fn has_many(
        name: &'static str,
        their_field: &'static str,
        target: fn() -> &'static Schema,
    ) -> Self {
        Self {
            name,
            cardinality: Cardinality::Many,
            join: Join::TheirField(their_field),
            target,
        }
    }

    /// Describes a relation to the rows whose fields equal these own ones, each pair theirs first.
    pub(crate) const fn has_many_on(
        name: &'static str,
        pairs: Vec<(&'static str, &'static str)>,
        target: fn() -> &'static Schema,
    ) -> Self {
        Self {
            name,
            cardinality: Cardinality::Many,
            join: Join::Pairs(pairs),
            target,
        }
    }

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
        (self.target)()
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
