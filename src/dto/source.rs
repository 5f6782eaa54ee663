//! The source of a DTO field's value (a column, other columns, or related rows), and predicates across
//! relations.

use std::fmt;

use super::{Condition, DecisionSource, Dto, FieldSpec, Modes, NamedField, Scope, Shape};
use crate::bounded::Tree;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Reduced, Residual, every};
use crate::schema::{Kind, Relation, Schema};
use crate::viewer::Viewer;

/// The source of a field's value.
pub(crate) enum ShapeSource<V: Viewer> {
    /// The column of its name.
    Column,
    /// The result of a function on these columns.
    Computed {
        function: &'static str,
        inputs: Vec<&'static str>,
    },
    /// The rows of a relation, shown as another DTO.
    Related {
        relation: &'static str,
        shown: fn() -> ShownAs,
        across: Across<V>,
    },
}

/// The DTO that related rows are shown as.
pub(crate) struct ShownAs {
    pub(crate) shape: u64,
    pub(crate) name: &'static str,
    /// The DTOs as which this one shows related rows in turn.
    pub(crate) nested: Vec<fn() -> ShownAs>,
}

impl ShownAs {
    pub(crate) fn of<D: Dto>() -> Self {
        let shape = D::__shape();
        let nested = shape
            .fields()
            .iter()
            .filter_map(|field| match field.source() {
                ShapeSource::Related { shown, .. } => Some(*shown),
                ShapeSource::Column | ShapeSource::Computed { .. } => None,
            });
        Self {
            shape: shape.id(),
            name: shape.name(),
            nested: nested.collect(),
        }
    }

    /// Returns the name of a DTO that is nested in itself, here or further down.
    pub(crate) fn endless(&self, above: &[u64]) -> Option<&'static str> {
        if above.contains(&self.shape) {
            return Some(self.name);
        }
        let above = [above, &[self.shape]].concat();
        self.nested.iter().find_map(|shown| shown().endless(&above))
    }
}

/// The question that a query puts, through a relation, to the DTO on its other side.
pub(crate) enum RelationQuery<'a> {
    /// Under which predicate a condition definitely holds (`true`), or definitely does not (`false`)?
    Condition(&'a Tree<Condition>, bool),
    /// Under which predicate is this field visible?
    Field(NamedField),
    /// Which rows may be shown at all, whatever their fields?
    Nothing,
}

/// The answer to a [`RelationQuery`], over the columns of the other side.
pub(crate) struct RelationAnswer {
    /// The predicate that selects the rows that this viewer could be shown there.
    pub(crate) within: Reduced,
    /// The predicate of the condition, or that of the field's visibility.
    pub(crate) holds: Reduced,
    /// The column of the field in question.
    pub(crate) column: Option<(usize, Kind)>,
}

/// A function that puts a question to the DTO on the other side of a relation, for the viewer `V`.
type Across<V> = fn(
    &dyn DecisionSource<V>,
    Modes,
    &'static Relation,
    &'static Schema,
    &RelationQuery<'_>,
) -> Result<RelationAnswer>;

/// Answers a question about the rows of `D`; see [`Across`].
pub(super) fn across<D: Dto>(
    asking: &dyn DecisionSource<<D::Entity as Entity>::Viewer>,
    modes: Modes,
    relation: &'static Relation,
    own: &'static Schema,
    question: &RelationQuery<'_>,
) -> Result<RelationAnswer> {
    let shape = D::__shape();
    let decided = asking.decided(shape)?;
    let scope = Scope {
        shape,
        decided: &decided,
        modes,
        asking,
    };
    let rows = match &decided.rows {
        Decision::Allow => Reduced::Always,
        Decision::Deny | Decision::Fail(_) => Reduced::Never,
        Decision::Depends(residual) => Reduced::Left(residual.clone()),
    };
    if rows == Reduced::Never {
        return Ok(RelationAnswer {
            within: rows,
            holds: Reduced::Never,
            column: None,
        });
    }
    let pairs = relation
        .pairs(own)
        .ok_or_else(|| Error::internal("a relation names a field that its table does not have"))?;
    let joins = pairs.iter().map(|pair| scope.column_shown(pair.theirs));
    let joins = joins.collect::<Result<Vec<_>>>()?;
    let parts = std::iter::once(rows).chain(joins);
    let within =
        every(parts.map(Ok)).map_err(|_| Error::internal("a rule could not be evaluated"))?;
    let (holds, column) = match question {
        RelationQuery::Condition(condition, wanted) => (scope.reduce(condition, *wanted)?, None),
        RelationQuery::Field(field) => {
            scope.may_name(*field)?;
            (scope.visible(*field)?, scope.column(*field))
        }
        RelationQuery::Nothing => (Reduced::Always, None),
    };
    Ok(RelationAnswer {
        within,
        holds,
        column,
    })
}

impl<V: Viewer> fmt::Debug for ShapeSource<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column => f.write_str("Column"),
            Self::Computed { inputs, .. } => f.debug_tuple("Computed").field(inputs).finish(),
            Self::Related { relation, .. } => f.debug_tuple("Related").field(relation).finish(),
        }
    }
}

/// Returns, for each field, the fields of the same DTO that its value would reveal: the columns it is
/// computed from, or those that join it to its related rows. A field is hidden if one of these is.
pub(super) fn links<E: Entity>(fields: &[FieldSpec<E>]) -> Vec<Vec<usize>> {
    let schema = E::__table();
    fields
        .iter()
        .map(|field| {
            let told: Vec<&str> = match field.source() {
                ShapeSource::Column => return Vec::new(),
                ShapeSource::Computed { inputs, .. } => inputs.clone(),
                ShapeSource::Related { relation, .. } => schema
                    .relation(relation)
                    .map(|relation| relation.own_fields(schema))
                    .unwrap_or_default(),
            };
            let columns = fields.iter().enumerate();
            columns
                .filter(|(_, other)| other.is_column() && told.contains(&other.field()))
                .map(|(index, _)| index)
                .collect()
        })
        .collect()
}

/// Joins the decision on each field with those on the fields that its value would reveal.
pub(super) fn joined(links: &[Vec<usize>], own: Vec<Decision>) -> Vec<Decision> {
    if links.iter().all(Vec::is_empty) {
        return own;
    }
    let joined = links.iter().enumerate().map(|(field, links)| {
        let decisions = std::iter::once(&field).chain(links);
        all(decisions.filter_map(|index| own.get(*index)))
    });
    joined.collect()
}

/// Joins decisions with AND.
fn all<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Decision {
    let mut left: Vec<Residual> = Vec::new();
    for decision in decisions {
        match decision {
            Decision::Allow => {}
            Decision::Deny => return Decision::Deny,
            Decision::Fail(failure) => return Decision::Fail(*failure),
            Decision::Depends(residual) if !left.contains(residual) => left.push(residual.clone()),
            Decision::Depends(_) => {}
        }
    }
    match left.len() {
        0 => Decision::Allow,
        1 => left.pop().map_or(Decision::Deny, Decision::Depends),
        _ => Decision::Depends(Residual::All(left)),
    }
}

impl<E: Entity> Shape<E> {
    /// Returns a mistake in the shape that does not depend on the viewer, as advice to its author.
    pub(super) fn found_mistake(
        name: &str,
        fields: &[FieldSpec<E>],
        links: &[Vec<usize>],
    ) -> Option<String> {
        fields.iter().zip(links).find_map(|(field, links)| {
            let mut told = links.iter().filter_map(|index| fields.get(*index));
            let cannot_hide = field.output() == super::Output::Shown;
            let hidden = told.find(|told| {
                let opaque = told.rules().iter().any(crate::policy::Rule::is_opaque);
                opaque || (cannot_hide && !told.rules().is_empty())
            })?;
            let (field, told) = (field.field(), hidden.field());
            Some(if cannot_hide {
                format!("`{name}::{field}` is hidden wherever `{told}` is: give it the type `Field<..>`")
            } else {
                format!("`{name}::{field}` is hidden wherever `{told}` is, whose rule runs in Rust only: remove one of the two")
            })
        })
    }
}
