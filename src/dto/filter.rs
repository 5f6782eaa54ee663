//! Reduction of filters to predicates on columns, each joined with the visibility rule of its field.

use super::field_name::{Condition, NameOrigin, NamedField};
use super::source::{RelationAnswer, RelationQuery, ShapeSource};
use super::{DecisionSource, FieldDecisions, Shape};
use crate::bounded::Tree;
use crate::entity::{ColumnTest, Entity};
use crate::error::{Error, Result};
use crate::events;
use crate::policy::{
    Decision, Failure, FieldTest, Fulfilled, Reduced, Residual, TextTest, every, related, some,
};
use crate::schema::{Cardinality, Kind, Relation, Schema};

/// The options of a query that govern fields hidden from this viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Modes {
    /// A query that names a field that may be hidden is refused.
    pub(crate) refuse_hidden: bool,
    /// No comparison is made, and no index used, in rows where the value is hidden.
    pub(crate) constant_time: bool,
}

/// The fields that conditions and orders name, with the decisions of their rules.
pub(crate) struct Scope<'a, E: Entity> {
    pub(crate) shape: &'a Shape<E>,
    pub(crate) decided: &'a FieldDecisions,
    pub(crate) modes: Modes,
    pub(crate) asking: &'a dyn DecisionSource<E::Viewer>,
}

impl<E: Entity> Scope<'_, E> {
    /// Reduces `condition` to the predicate under which a row definitely evaluates it to `wanted`.
    ///
    /// A condition on a hidden field is unknown whether negated or not, so the field's own rule is
    /// joined to it after negation has been pushed down to the field.
    pub(crate) fn reduce(&self, condition: &Tree<Condition>, wanted: bool) -> Result<Reduced> {
        self.check(condition)?;
        // `every` and `some` carry a rule's failure; a filter's own error is kept beside it.
        let mut refused = None;
        let reduced = self.walk(condition, wanted, &mut refused);
        match (refused, reduced) {
            (Some(error), _) => Err(error),
            (None, Ok(reduced)) => Ok(reduced),
            (None, Err(_)) => Err(Error::misuse(
                "a filter compares a field with a value of another kind",
            )),
        }
    }

    /// Checks each named field for whether the query may name it, regardless of how the others
    /// evaluate.
    fn check(&self, condition: &Tree<Condition>) -> Result<()> {
        match condition {
            Tree::Plain(Condition::Field { field, .. } | Condition::Related { field, .. }) => {
                self.may_name(*field)
            }
            Tree::Plain(Condition::Column(ColumnTest { field, .. })) => {
                self.may_depend(self.column_decision(field)?, field)
            }
            Tree::Plain(Condition::Search(_)) => Ok(()),
            Tree::Not(inner) => self.check(inner),
            Tree::All(parts) | Tree::Any(parts) => {
                parts.iter().try_for_each(|part| self.check(part))
            }
        }
    }

    /// Refuses the name of a field that is not visible in every row, if the query refuses hidden fields.
    /// The error is the same as for an unknown field.
    pub(crate) fn may_name(&self, field: NamedField) -> Result<()> {
        match (
            self.decided.fields.get(field.index),
            self.shape.fields().get(field.index),
        ) {
            (Some(decision), Some(spec)) => self.may_depend(decision, spec.field()),
            _ => Err(Error::internal(
                "a query names a field that its DTO does not have",
            )),
        }
    }

    fn may_depend(&self, decision: &Decision, field: &'static str) -> Result<()> {
        if self.modes.refuse_hidden && *decision != Decision::Allow {
            events::hidden_field_named(self.shape.name(), field);
            return Err(Error::invalid());
        }
        Ok(())
    }

    fn walk(
        &self,
        condition: &Tree<Condition>,
        wanted: bool,
        refused: &mut Option<Error>,
    ) -> Result<Reduced, Failure> {
        match condition {
            Tree::Plain(condition) => self.plain(condition, wanted, refused),
            Tree::Not(inner) => self.walk(inner, !wanted, refused),
            Tree::All(parts) | Tree::Any(parts) => {
                let all = matches!(condition, Tree::All(_)) == wanted;
                let parts = parts.iter().map(|part| self.walk(part, wanted, refused));
                if all { every(parts) } else { some(parts) }
            }
        }
    }

    fn plain(
        &self,
        condition: &Condition,
        wanted: bool,
        refused: &mut Option<Error>,
    ) -> Result<Reduced, Failure> {
        let mut kept = |answer: Result<Reduced>| match answer {
            Ok(reduced) => reduced,
            Err(error) => {
                *refused = Some(error);
                Reduced::Never
            }
        };
        match condition {
            Condition::Field { field, test } => {
                let visible = kept(self.visible(*field));
                let holds = self
                    .column(*field)
                    .ok_or(Failure::UnknownInput)
                    .and_then(|(column, kind)| self.test(visible, test, column, kind, wanted));
                match holds {
                    Err(Failure::KindMismatch) if field.origin == NameOrigin::Client => {
                        Ok(kept(Err(Error::invalid())))
                    }
                    holds => holds,
                }
            }
            Condition::Column(ColumnTest { field, test }) => {
                let visible = kept(self.column_visible(field));
                let (column, spec) = E::__table()
                    .position(field)
                    .ok_or(Failure::UnknownField(field))?;
                self.test(visible, test, column, spec.kind(), wanted)
            }
            Condition::Related { field, condition } => {
                let visible = kept(self.visible(*field));
                if visible == Reduced::Never {
                    // In the mode that refuses, the fields named behind it are checked all the same.
                    kept(self.related(
                        *field,
                        &RelationQuery::Condition(condition, wanted),
                        wanted,
                    ));
                    return Ok(Reduced::Never);
                }
                let related =
                    self.related(*field, &RelationQuery::Condition(condition, wanted), wanted);
                let holds = kept(related);
                every([Ok(visible), Ok(holds)].into_iter())
            }
            Condition::Search(needle) => {
                let test = FieldTest::Text(TextTest::Contains, needle.clone());
                let parts = self
                    .searched()
                    .into_iter()
                    .map(|(column, visible)| self.test(visible, &test, column, Kind::Text, wanted));
                if wanted { some(parts) } else { every(parts) }
            }
        }
    }

    /// Returns the searchable text columns of the DTO, each with the predicate under which it is
    /// visible. Fields whose rule runs in Rust are excluded.
    fn searched(&self) -> Vec<(usize, Reduced)> {
        let decisions = self.decided.fields.iter();
        let fields = self.shape.fields().iter().zip(decisions);
        fields
            .filter_map(|(spec, decision)| {
                if !spec.is_column() {
                    return None;
                }
                let (column, spec) = E::__table().position(spec.field())?;
                let visible = match decision {
                    Decision::Allow => Reduced::Always,
                    Decision::Depends(residual) if !residual.is_opaque() => {
                        Reduced::Left(residual.clone())
                    }
                    Decision::Depends(_) | Decision::Deny | Decision::Fail(_) => return None,
                };
                (spec.kind() == Kind::Text).then_some((column, visible))
            })
            .collect()
    }

    /// Returns the predicate under which the column is visible and passes the test.
    fn test(
        &self,
        visible: Reduced,
        test: &FieldTest,
        column: usize,
        kind: Kind,
        wanted: bool,
    ) -> Result<Reduced, Failure> {
        if visible == Reduced::Never {
            return Ok(Reduced::Never);
        }
        match (visible, test.reduce(column, kind, wanted)?) {
            (Reduced::Left(rule), Reduced::Left(test)) if self.modes.constant_time => {
                Ok(Reduced::Left(Residual::Guarded {
                    rule: Box::new(rule),
                    test: Box::new(test),
                }))
            }
            (visible, holds) => every([Ok(visible), Ok(holds)].into_iter()),
        }
    }

    /// Returns the predicate that some row shown by the field answers the question with `wanted`,
    /// definitely; for the negation on a `has_many`, that every such row does.
    fn related(
        &self,
        field: NamedField,
        question: &RelationQuery<'_>,
        wanted: bool,
    ) -> Result<Reduced> {
        let (relation, answer) = self.across(field, question)?;
        let fulfilled = match relation.cardinality() {
            Cardinality::One => Fulfilled::BySome,
            Cardinality::Many if wanted => Fulfilled::BySome,
            Cardinality::Many => Fulfilled::ByEvery,
        };
        Ok(related(relation, answer.within, fulfilled, answer.holds))
    }

    /// Resolves the relation of this field, and puts the question to the DTO that shows its rows.
    pub(crate) fn across(
        &self,
        field: NamedField,
        question: &RelationQuery<'_>,
    ) -> Result<(&'static Relation, RelationAnswer)> {
        let own: &'static Schema = E::__table();
        let spec = self.shape.fields().get(field.index);
        let Some(ShapeSource::Related {
            relation, across, ..
        }) = spec.map(|spec| spec.source())
        else {
            return Err(Error::internal(
                "a query names a relation that its DTO does not show",
            ));
        };
        let relation = own.relation(relation).ok_or_else(|| {
            Error::internal("a DTO names a relation that its entity does not have")
        })?;
        let answer = across(self.asking, self.modes, relation, own, question)?;
        Ok((relation, answer))
    }

    /// Returns the index and the kind of a field's column.
    pub(crate) fn column(&self, field: NamedField) -> Option<(usize, Kind)> {
        let spec = self.shape.fields().get(field.index)?;
        if !spec.is_column() {
            return None;
        }
        let (column, spec) = E::__table().position(spec.field())?;
        Some((column, spec.kind()))
    }

    /// Returns the predicate under which the field is visible.
    pub(crate) fn visible(&self, field: NamedField) -> Result<Reduced> {
        match self.decided.fields.get(field.index) {
            Some(Decision::Allow) => Ok(Reduced::Always),
            Some(Decision::Deny | Decision::Fail(_)) | None => Ok(Reduced::Never),
            Some(Decision::Depends(residual)) if residual.is_opaque() => {
                let fields = self.shape.fields();
                let name = fields.get(field.index).map_or("", |field| field.field());
                Err(self.opaque(name))
            }
            Some(Decision::Depends(residual)) => Ok(Reduced::Left(residual.clone())),
        }
    }

    /// Returns the predicate under which the DTO's field for this column is visible. A column without a
    /// field has no rule of its own.
    pub(crate) fn column_shown(&self, column: usize) -> Result<Reduced> {
        let Some(spec) = E::__table().column(column) else {
            return Ok(Reduced::Never);
        };
        let mut fields = self.shape.fields().iter();
        match fields.position(|field| field.is_column() && field.field() == spec.field()) {
            None => Ok(Reduced::Always),
            Some(index) => self.visible(NamedField {
                index,
                origin: NameOrigin::Code,
            }),
        }
    }

    fn opaque(&self, name: &str) -> Error {
        Error::misuse(format!(
            "the field `{name}` of `{}` has a rule that runs in Rust only, so no filter or order can name it",
            self.shape.name()
        ))
    }

    fn column_decision(&self, field: &str) -> Result<&Decision> {
        self.decided
            .columns
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, decision)| decision)
            .ok_or_else(|| Error::internal("a filter names a column that has no rule for filters"))
    }

    fn column_visible(&self, field: &str) -> Result<Reduced> {
        match self.column_decision(field)? {
            Decision::Allow => Ok(Reduced::Always),
            Decision::Deny | Decision::Fail(_) => Ok(Reduced::Never),
            Decision::Depends(residual) if residual.is_opaque() => Err(self.opaque(field)),
            Decision::Depends(residual) => Ok(Reduced::Left(residual.clone())),
        }
    }
}
