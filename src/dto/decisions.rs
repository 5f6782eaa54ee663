//! The decisions of a shape's rules for one viewer, and the source that a query asks for them.

use std::sync::Arc;

use super::visibility::MAX_FIELDS;
use super::{FieldSpec, Shape, Visibility, source};
use crate::entity::Entity;
use crate::error::Result;
use crate::policy::{Context, Decision, Facts, Failure, Residual, decide};

/// The decisions of a shape's rules for one viewer.
#[derive(Debug, Clone)]
pub(crate) struct FieldDecisions {
    pub(crate) rows: Decision,
    pub(crate) fields: Vec<Decision>,
    /// The columns of the entity that have a `filter_if` rule, by field.
    pub(crate) columns: Vec<(&'static str, Decision)>,
    /// The fields that are visible in every row, as a bit set.
    always: u128,
    /// The conditions to evaluate for each row.
    asked: Vec<FieldRead>,
}

/// A condition on the row, and the fields that it makes visible, as a bit set.
#[derive(Debug, Clone)]
struct FieldRead {
    residual: Residual,
    /// The field from whose rules the residual comes.
    field: usize,
    shows: u128,
}

impl FieldDecisions {
    pub(crate) fn new(
        rows: Decision,
        fields: Vec<Decision>,
        columns: Vec<(&'static str, Decision)>,
    ) -> Self {
        let mut always = 0;
        let mut asked: Vec<FieldRead> = Vec::new();
        for (field, decision) in fields.iter().enumerate().take(MAX_FIELDS) {
            let bit = 1 << field;
            match decision {
                Decision::Allow => always |= bit,
                Decision::Deny | Decision::Fail(_) => {}
                Decision::Depends(residual) => {
                    // An opaque part names a function by its index in its own field's rules.
                    let same = asked
                        .iter_mut()
                        .find(|known| known.residual == *residual && !residual.is_opaque());
                    match same {
                        Some(known) => known.shows |= bit,
                        None => asked.push(FieldRead {
                            residual: residual.clone(),
                            field,
                            shows: bit,
                        }),
                    }
                }
            }
        }
        Self {
            rows,
            fields,
            columns,
            always,
            asked,
        }
    }

    /// Returns whether some residual runs over the whole row in Rust.
    pub(crate) fn is_opaque(&self) -> bool {
        std::iter::once(&self.rows)
            .chain(&self.fields)
            .any(|decision| matches!(decision, Decision::Depends(residual) if residual.is_opaque()))
    }

    /// Returns whether some decision depends on related rows.
    pub(crate) fn is_related(&self) -> bool {
        std::iter::once(&self.rows)
            .chain(&self.fields)
            .any(|decision| match decision {
                Decision::Depends(residual) => residual.is_related(),
                Decision::Allow | Decision::Deny | Decision::Fail(_) => false,
            })
    }
}

/// A source of decisions for the viewer `V`, at the instant of one answer. Queries hold it while they wait for the
/// database, and their futures move between threads.
pub(crate) trait DecisionSource<V>: Sync {
    /// Returns the decisions of a shape's rules.
    fn decided(&self, shape: &dyn ShapeRules<V>) -> Result<Arc<FieldDecisions>>;
}

/// The rules of a shape for the viewer `V`, without the type of its entity: a relation leads from one to another.
pub(crate) trait ShapeRules<V> {
    /// Returns the identity of the shape within the process.
    fn id(&self) -> u64;

    /// Returns the name of the DTO.
    fn name(&self) -> &'static str;

    /// Reports the shape's mistake, if it has one.
    fn check(&self) -> Result<()>;

    /// Returns whether a decision made before any row may differ from one instant to the next.
    fn reads_time(&self) -> bool;

    /// Returns whether any result of the rules may differ from one instant to the next.
    fn may_read_time(&self) -> bool;

    /// Evaluates the rules for `viewer` (or nobody), each once.
    fn decide(&self, viewer: Option<&V>, context: &Context) -> FieldDecisions;

    /// Returns the decisions for a query to which no rule applies: everything is allowed.
    fn decide_all_allowed(&self) -> FieldDecisions;

    /// Returns the first rule that failed to evaluate, by its field, or as that of the rows.
    fn failure(&self, decided: &FieldDecisions) -> Option<(&'static str, Failure)>;
}

impl<E: Entity> ShapeRules<E::Viewer> for Shape<E> {
    fn id(&self) -> u64 {
        Self::id(self)
    }

    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn reads_time(&self) -> bool {
        Self::reads_time(self)
    }

    fn may_read_time(&self) -> bool {
        Self::may_read_time(self)
    }

    fn decide(&self, viewer: Option<&E::Viewer>, context: &Context) -> FieldDecisions {
        let rows = E::__table().rows().read.decide(viewer, context);
        // If no row can be read no field rule matters, so none is evaluated.
        let fields = if rows == Decision::Deny {
            Vec::new()
        } else {
            let own = self
                .fields()
                .iter()
                .map(|field| decide(field.rules(), viewer, context));
            source::joined(self.links(), own.collect())
        };
        let columns = if rows == Decision::Deny {
            Vec::new()
        } else {
            let filters = E::__table().filters().iter();
            filters
                .map(|(field, rules)| (*field, decide(rules, viewer, context)))
                .collect()
        };
        FieldDecisions::new(rows, fields, columns)
    }

    fn decide_all_allowed(&self) -> FieldDecisions {
        let fields = self.fields().iter().map(|_| Decision::Allow).collect();
        let filters = E::__table().filters().iter();
        let columns = filters
            .map(|(field, _)| (*field, Decision::Allow))
            .collect();
        FieldDecisions::new(Decision::Allow, fields, columns)
    }

    fn failure(&self, decided: &FieldDecisions) -> Option<(&'static str, Failure)> {
        let fields = self.fields().iter().map(FieldSpec::field);
        let columns = decided
            .columns
            .iter()
            .map(|(field, decision)| (*field, decision));
        let mut decisions = std::iter::once(("rows", &decided.rows))
            .chain(fields.zip(&decided.fields))
            .chain(columns);
        decisions.find_map(|(name, decision)| match decision {
            Decision::Fail(failure) => Some((name, *failure)),
            Decision::Allow | Decision::Deny | Decision::Depends(_) => None,
        })
    }
}

impl<E: Entity> Shape<E> {
    /// Evaluates the residuals on `row` and returns which of its fields are visible.
    pub(crate) fn visibility(
        &self,
        decided: &FieldDecisions,
        row: &impl Facts<E>,
        viewer: Option<&E::Viewer>,
        context: &Context,
    ) -> Visibility {
        let mut bits = decided.always;
        for asked in &decided.asked {
            let rules = self
                .fields()
                .get(asked.field)
                .map_or(&[][..], FieldSpec::rules);
            if asked.residual.holds(row, rules, viewer, context) {
                bits |= asked.shows;
            }
        }
        Visibility::from_bits(bits)
    }
}
