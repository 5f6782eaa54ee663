//! Filters with the rules of their fields built in.

use super::token::{Condition, NamedField, Origin, Test};
use super::{Decided, Shape};
use crate::audit;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{
    Decision, Failure, Kind, Reduced, Residual, TextTest, compare_with, every, listed, null, some,
    text,
};

/// How a query treats what this viewer may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Modes {
    /// A query that names a hidden field is refused.
    pub(crate) refuse_hidden: bool,
    /// No comparison is made, and no index asked, where the value is hidden.
    pub(crate) constant_time: bool,
}

/// The fields that conditions and orders are about, with what their rules came to.
pub(crate) struct Scope<'a, E: Entity> {
    pub(crate) shape: &'a Shape<E>,
    pub(crate) decided: &'a Decided,
    pub(crate) modes: Modes,
}

impl<E: Entity> Scope<'_, E> {
    /// What must hold of a row for `condition` to be definitely true.
    ///
    /// A condition on a hidden field is unknown whichever way it is asked, so it is joined with
    /// the field's own rule after negation has been pushed down to it.
    pub(crate) fn reduce(&self, condition: &Condition) -> Result<Reduced> {
        self.check(condition)?;
        // `every` and `some` carry a rule's failure; a filter's own error is kept beside it.
        let mut refused = None;
        let reduced = self.walk(condition, true, &mut refused);
        match (refused, reduced) {
            (Some(error), _) => Err(error),
            (None, Ok(reduced)) => Ok(reduced),
            (None, Err(_)) => Err(Error::misuse(
                "a filter compares a field with a value of another kind",
            )),
        }
    }

    /// Asks each field that is named whether it may be, whatever the others come to.
    fn check(&self, condition: &Condition) -> Result<()> {
        match condition {
            Condition::Field { field, .. } => self.may_name(*field),
            Condition::Column { field, .. } => self.may_depend(self.column_decision(field)?, field),
            Condition::Search(_) => Ok(()),
            Condition::Not(inner) => self.check(inner),
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().try_for_each(|part| self.check(part))
            }
        }
    }

    /// Refuses the name of a field that is not visible in every row, in the mode that asks for
    /// it. The answer is that of an unknown field.
    pub(crate) fn may_name(&self, field: NamedField) -> Result<()> {
        match (
            self.decided.fields.get(field.index),
            self.shape.fields().get(field.index),
        ) {
            (Some(decision), Some(spec)) => self.may_depend(decision, spec.field()),
            _ => Err(Error::internal("a query names no field of its DTO")),
        }
    }

    fn may_depend(&self, decision: &Decision, field: &'static str) -> Result<()> {
        if self.modes.refuse_hidden && *decision != Decision::Allow {
            audit::hidden_field_named(self.shape.name(), field);
            return Err(Error::invalid());
        }
        Ok(())
    }

    fn walk(
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
            Condition::Not(inner) => self.walk(inner, !wanted, refused),
            Condition::All(parts) | Condition::Any(parts) => {
                let all = matches!(condition, Condition::All(_)) == wanted;
                let parts = parts.iter().map(|part| self.walk(part, wanted, refused));
                if all { every(parts) } else { some(parts) }
            }
            Condition::Field { field, test } => {
                let visible = kept(self.visible(*field));
                let holds = self
                    .column(*field)
                    .ok_or(Failure::UnknownInput)
                    .and_then(|(column, kind)| self.test(visible, test, column, kind, wanted));
                match holds {
                    Err(Failure::KindMismatch) if field.origin == Origin::Client => {
                        Ok(kept(Err(Error::invalid())))
                    }
                    holds => holds,
                }
            }
            Condition::Column { field, test } => {
                let visible = kept(self.column_visible(field));
                let (column, spec) = E::__table()
                    .position(field)
                    .ok_or(Failure::UnknownField(field))?;
                self.test(visible, test, column, spec.kind(), wanted)
            }
            Condition::Search(needle) => {
                let test = Test::Text(TextTest::Contains, needle.clone());
                let parts = self
                    .searched()
                    .into_iter()
                    .map(|(column, visible)| self.test(visible, &test, column, Kind::Text, wanted));
                if wanted { some(parts) } else { every(parts) }
            }
        }
    }

    /// The text columns of the DTO that can be searched, each with what must hold for it to be
    /// visible. A field whose rule runs in Rust is not among them.
    fn searched(&self) -> Vec<(usize, Reduced)> {
        let decisions = self.decided.fields.iter();
        let fields = self.shape.fields().iter().zip(decisions);
        fields
            .filter_map(|(spec, decision)| {
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

    /// What must hold of a row for the column to be visible and to pass the test.
    fn test(
        &self,
        visible: Reduced,
        test: &Test,
        column: usize,
        kind: Kind,
        wanted: bool,
    ) -> Result<Reduced, Failure> {
        if visible == Reduced::Never {
            return Ok(Reduced::Never);
        }
        let holds = match test {
            Test::Null(is_null) => Reduced::Left(null(column, kind, *is_null == wanted)),
            Test::Compare(op, value) => {
                let op = if wanted { *op } else { op.negated() };
                compare_with(op, column, kind, value.clone())?
            }
            Test::Among(values, among) => listed(column, kind, values.clone(), *among == wanted)?,
            Test::Text(test, needle) => text(*test, column, kind, needle, wanted)?,
        };
        match (visible, holds) {
            (Reduced::Left(rule), Reduced::Left(test)) if self.modes.constant_time => {
                Ok(Reduced::Left(Residual::Guarded {
                    rule: Box::new(rule),
                    test: Box::new(test),
                }))
            }
            (visible, holds) => every([Ok(visible), Ok(holds)].into_iter()),
        }
    }

    /// Index and kind of a field's column.
    pub(crate) fn column(&self, field: NamedField) -> Option<(usize, Kind)> {
        let spec = self.shape.fields().get(field.index)?;
        let (column, spec) = E::__table().position(spec.field())?;
        Some((column, spec.kind()))
    }

    /// What must hold of a row for the field to be visible.
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
            .ok_or_else(|| Error::internal("a filter names a column without a rule for it"))
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
