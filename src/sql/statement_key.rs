//! The structure of a statement, its key in the plan cache: everything that its text depends on except the
//! bound values.

use uuid::Uuid;

use super::query::{HeldValue, Masked, OrderValue, Query, Rest, Summary};
use crate::driver::Dialect;
use crate::dto::{Direction, Found, Function};
use crate::entity::Schema;
use crate::policy::{Decision, Fulfilled, Op, Place, Reduced, Residual, Term, Value};

/// The mark for the number of rows while a text is rendered.
pub(super) const LIMIT_MARK: u64 = 0x5eed_5eed_5eed;

/// A query in bytes: everything that its text depends on, and apart from it the values that are bound. Each
/// part begins with a tag or a length, so that no two queries are written alike.
#[derive(Default)]
pub(crate) struct StatementKey<'a> {
    pub(crate) key: Vec<u8>,
    pub(crate) values: Vec<&'a Value>,
}

impl<'a> StatementKey<'a> {
    pub(super) fn dialect(&mut self, dialect: Dialect) {
        self.text(dialect.name());
        self.flag(dialect.exactly().is_some());
    }

    pub(super) fn tag(&mut self, tag: u8) {
        self.key.push(tag);
    }

    fn flag(&mut self, flag: bool) {
        self.tag(flag.into());
    }

    pub(super) fn number(&mut self, number: u64) {
        self.key.extend_from_slice(&number.to_le_bytes());
    }

    /// Writes a table, by its address, which does not change.
    pub(super) fn schema(&mut self, schema: &'static Schema) {
        let place = std::ptr::from_ref(schema).addr();
        self.key.extend_from_slice(&place.to_le_bytes());
    }

    pub(super) fn index(&mut self, index: usize) {
        // Most are small; a large one follows a byte that no small one has.
        match u8::try_from(index) {
            Ok(index) if index < u8::MAX => self.tag(index),
            _ => {
                self.tag(u8::MAX);
                self.key.extend_from_slice(&index.to_le_bytes());
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.index(text.len());
        self.key.extend_from_slice(text.as_bytes());
    }

    pub(super) fn each<T>(&mut self, parts: &'a [T], mut write: impl FnMut(&mut Self, &'a T)) {
        self.index(parts.len());
        for part in parts {
            write(self, part);
        }
    }

    /// Writes a value. A null is part of the text, and a boolean is part of the key, because no mark for it
    /// could be distinguished from another.
    pub(super) fn value(&mut self, value: &'a Value) {
        match value {
            Value::Null => return self.tag(0),
            Value::Bool(value) => return self.tag(1 + u8::from(*value)),
            Value::Int(_) => self.tag(3),
            Value::Float(_) => self.tag(4),
            Value::Text(_) => self.tag(5),
            Value::Bytes(_) => self.tag(6),
            Value::Uuid(_) => self.tag(7),
            Value::Timestamp(_) => self.tag(8),
        }
        self.values.push(value);
    }

    pub(crate) fn decision(&mut self, decision: &'a Decision) {
        match decision {
            Decision::Allow => self.tag(0),
            Decision::Deny => self.tag(1),
            Decision::Depends(residual) => {
                self.tag(2);
                self.residual(residual);
            }
            Decision::Fail(_) => self.tag(3),
        }
    }

    /// Writes the decisions on fields. Fields of one condition share it, and the values that it binds.
    pub(super) fn fields(&mut self, fields: &'a [Decision]) {
        self.index(fields.len());
        for (index, field) in fields.iter().enumerate() {
            match field.condition().and_then(|own| first(fields, own)) {
                Some(earlier) if earlier < index => {
                    self.tag(4);
                    self.index(earlier);
                }
                _ => self.decision(field),
            }
        }
    }

    fn reduced(&mut self, reduced: &'a Reduced) {
        match reduced {
            Reduced::Always => self.tag(0),
            Reduced::Never => self.tag(1),
            Reduced::Left(residual) => {
                self.tag(2);
                self.residual(residual);
            }
        }
    }

    fn optional(&mut self, residual: Option<&'a Residual>) {
        match residual {
            None => self.tag(0),
            Some(residual) => {
                self.tag(1);
                self.residual(residual);
            }
        }
    }

    pub(crate) fn residual(&mut self, residual: &'a Residual) {
        match residual {
            Residual::All(parts) => {
                self.tag(0);
                self.each(parts, Self::residual);
            }
            Residual::Any(parts) => {
                self.tag(1);
                self.each(parts, Self::residual);
            }
            Residual::Flag { column, wanted } => {
                self.tag(2);
                self.index(*column);
                self.flag(*wanted);
            }
            Residual::Compare { op, column, with } => {
                self.tag(3);
                self.tag(match op {
                    Op::Eq => 0,
                    Op::Ne => 1,
                    Op::Lt => 2,
                    Op::Le => 3,
                    Op::Gt => 4,
                    Op::Ge => 5,
                });
                self.index(*column);
                match with {
                    Term::Column(column) => {
                        self.tag(0);
                        self.index(*column);
                    }
                    Term::Value(value) => {
                        self.tag(1);
                        self.value(value);
                    }
                }
            }
            Residual::Null { column, wanted } => {
                self.tag(4);
                self.index(*column);
                self.flag(*wanted);
            }
            Residual::Among {
                column,
                values,
                wanted,
            } => {
                self.tag(5);
                self.index(*column);
                self.flag(*wanted);
                self.each(values, Self::value);
            }
            Residual::Text {
                column,
                place,
                needle,
                wanted,
            } => {
                self.tag(6);
                self.index(*column);
                self.value(needle);
                match place {
                    Place::Anywhere => self.tag(0),
                    Place::AtEnd => self.tag(1),
                    Place::AtStart(before) => {
                        self.tag(2);
                        self.value(before);
                    }
                }
                self.flag(*wanted);
            }
            Residual::Guarded { rule, test } => {
                self.tag(7);
                self.residual(rule);
                self.residual(test);
            }
            Residual::Opaque {
                rule,
                index,
                wanted,
            } => {
                self.tag(8);
                self.index(*rule);
                self.index(*index);
                self.flag(*wanted);
            }
            // The tables on the path determine which relation has this name.
            Residual::Related {
                relation,
                within,
                own,
                fulfilled,
                condition,
            } => {
                self.tag(9);
                self.text(relation.name());
                self.residual(within);
                self.each(own, |structure, (column, value)| {
                    structure.index(*column);
                    structure.value(value);
                });
                self.tag(match fulfilled {
                    Fulfilled::BySome => 0,
                    Fulfilled::ByEvery => 1,
                });
                self.residual(condition);
            }
        }
    }

    pub(super) fn question(&mut self, question: &'a Query, fields: &[Decision]) {
        self.each(&question.lookups, |structure, (column, value)| {
            structure.index(*column);
            structure.value(value);
        });
        self.optional(question.filter.as_ref());
        self.each(&question.order, |structure, key| {
            match &key.by {
                OrderValue::Column(column) => {
                    structure.tag(0);
                    structure.index(*column);
                }
                OrderValue::Related(related) => {
                    structure.tag(1);
                    structure.text(related.relation.name());
                    structure.residual(&related.within);
                    structure.tag(match related.found {
                        Found::Number => 0,
                        Found::Lowest => 1,
                        Found::Highest => 2,
                    });
                    if let Some(cell) = &related.cell {
                        structure.masked(cell);
                    }
                }
            }
            structure.flag(key.direction == Direction::Ascending);
            let visible = key.visible.as_ref();
            match visible.and_then(|visible| first(fields, visible)) {
                None => structure.optional(visible),
                Some(field) => {
                    structure.tag(2);
                    structure.index(field);
                }
            }
        });
        self.flag(question.by_key);
        self.flag(question.limit.is_some());
        self.flag(question.pages);
        self.flag(question.whole);
        self.each(&question.joined_by, |structure, column| {
            structure.index(*column);
        });
        match &question.after {
            None => self.tag(0),
            Some(position) => {
                self.tag(1);
                self.each(&position.values, |structure, held| match held {
                    HeldValue::Value(value) => structure.value(value),
                    HeldValue::Stored => structure.tag(9),
                });
                match &position.rest {
                    Rest::Behind(key) => {
                        self.tag(0);
                        if position.names_its_row(question.by_key) {
                            self.value(key);
                        }
                    }
                    Rest::Every => self.tag(1),
                    Rest::None => self.tag(2),
                }
            }
        }
    }

    fn masked(&mut self, cell: &'a Masked) {
        self.index(cell.column);
        self.reduced(&cell.visible);
    }

    pub(super) fn summary(&mut self, summary: &'a Summary) {
        self.each(&summary.keys, Self::masked);
        self.each(&summary.aggregates, |structure, (function, cell)| {
            structure.tag(match function {
                Function::Rows => 0,
                Function::Count => 1,
                Function::CountDistinct => 2,
                Function::Sum => 3,
                Function::Average => 4,
                Function::Min => 5,
                Function::Max => 6,
            });
            match cell {
                None => structure.tag(0),
                Some(cell) => {
                    structure.tag(1);
                    structure.masked(cell);
                }
            }
        });
    }
}

/// Returns the first field that is visible under this condition. All that have it share its marks, so that
/// the renderer recognizes one expression: a flag that is selected already, or an order by an output column.
fn first(fields: &[Decision], condition: &Residual) -> Option<usize> {
    fields
        .iter()
        .position(|field| field.condition() == Some(condition))
}

/// The marks that take the place of values, in the order in which [`StatementKey`] visits them.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) made: Vec<Value>,
}

impl Marks {
    /// Returns whether the marked query has the structure of the unmarked one, with the marks in place of
    /// the values. The two traversals must agree on what is a value, and in which order.
    pub(super) fn stand_in(&self, marked: &StatementKey<'_>, unmarked: &StatementKey<'_>) -> bool {
        marked.key == unmarked.key
            && marked.values.len() == self.made.len()
            && marked
                .values
                .iter()
                .zip(&self.made)
                .all(|(one, other)| **one == *other)
    }

    pub(super) fn value(&mut self, value: &mut Value) {
        let number = self.made.len();
        let small = i64::try_from(number).unwrap_or_default();
        let mark = match value {
            Value::Null | Value::Bool(_) => return,
            Value::Int(_) => Value::Int(0x5eed_0000_0000_0000 + small),
            #[expect(
                clippy::cast_precision_loss,
                reason = "the number of a value is far below 2^52"
            )]
            Value::Float(_) => Value::Float(0.5 + number as f64),
            Value::Text(_) => Value::Text(format!("\u{1}value {number}")),
            Value::Bytes(_) => Value::Bytes(format!("\u{1}value {number}").into_bytes()),
            Value::Uuid(_) => Value::Uuid(Uuid::from_u64_pair(
                0x5eed_0000_0000_0000,
                small.unsigned_abs(),
            )),
            // An instant that every engine can hold.
            Value::Timestamp(_) => Value::Timestamp(1_000_000_000_000_000 + small),
        };
        *value = mark.clone();
        self.made.push(mark);
    }

    pub(super) fn decision(&mut self, decision: &mut Decision) {
        match decision {
            Decision::Allow | Decision::Deny | Decision::Fail(_) => {}
            Decision::Depends(residual) => self.residual(residual),
        }
    }

    /// Returns the decisions on fields with marks in place of their values.
    pub(super) fn fields(&mut self, fields: &[Decision]) -> Vec<Decision> {
        let mut marked: Vec<Decision> = Vec::with_capacity(fields.len());
        for field in fields {
            let earlier = field.condition().and_then(|own| first(fields, own));
            let field = match earlier.and_then(|earlier| marked.get(earlier)) {
                Some(earlier) => earlier.clone(),
                None => {
                    let mut field = field.clone();
                    self.decision(&mut field);
                    field
                }
            };
            marked.push(field);
        }
        marked
    }

    fn reduced(&mut self, reduced: &mut Reduced) {
        match reduced {
            Reduced::Always | Reduced::Never => {}
            Reduced::Left(residual) => self.residual(residual),
        }
    }

    pub(super) fn residual(&mut self, residual: &mut Residual) {
        match residual {
            Residual::All(parts) | Residual::Any(parts) => {
                for part in parts {
                    self.residual(part);
                }
            }
            Residual::Compare { with, .. } => match with {
                Term::Column(_) => {}
                Term::Value(value) => self.value(value),
            },
            Residual::Among { values, .. } => {
                let mut marked = values.to_vec();
                for value in &mut marked {
                    self.value(value);
                }
                *values = marked.into();
            }
            Residual::Text { needle, place, .. } => {
                self.value(needle);
                match place {
                    Place::Anywhere | Place::AtEnd => {}
                    Place::AtStart(before) => self.value(before),
                }
            }
            Residual::Related {
                within,
                own,
                condition,
                ..
            } => {
                self.residual(within);
                for (_, value) in own {
                    self.value(value);
                }
                self.residual(condition);
            }
            Residual::Guarded { rule, test } => {
                self.residual(rule);
                self.residual(test);
            }
            Residual::Flag { .. } | Residual::Null { .. } | Residual::Opaque { .. } => {}
        }
    }

    /// Marks the values of a question. A condition that `fields` share takes the marks that it has in
    /// `marked`, their marked form.
    pub(super) fn question(
        &mut self,
        question: &mut Query,
        fields: &[Decision],
        marked: &[Decision],
    ) {
        for (_, value) in &mut question.lookups {
            self.value(value);
        }
        if let Some(filter) = &mut question.filter {
            self.residual(filter);
        }
        for key in &mut question.order {
            if let OrderValue::Related(related) = &mut key.by {
                self.residual(&mut related.within);
                if let Some(cell) = &mut related.cell {
                    self.reduced(&mut cell.visible);
                }
            }
            if let Some(visible) = &mut key.visible {
                let shared = first(fields, visible).and_then(|field| marked.get(field));
                match shared.and_then(Decision::condition) {
                    Some(shared) => visible.clone_from(shared),
                    None => self.residual(visible),
                }
            }
        }
        if let Some(limit) = &mut question.limit {
            *limit = LIMIT_MARK;
        }
        if let Some(position) = &mut question.after {
            for held in &mut position.values {
                match held {
                    HeldValue::Value(value) => self.value(value),
                    HeldValue::Stored => {}
                }
            }
            let names_its_row = position.names_its_row(question.by_key);
            match &mut position.rest {
                Rest::Behind(key) if names_its_row => self.value(key),
                Rest::Behind(_) | Rest::Every | Rest::None => {}
            }
        }
    }

    pub(super) fn summary(&mut self, summary: &mut Summary) {
        for key in &mut summary.keys {
            self.reduced(&mut key.visible);
        }
        for (_, cell) in &mut summary.aggregates {
            if let Some(cell) = cell {
                self.reduced(&mut cell.visible);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure<'a>(key: u8, values: &[&'a Value]) -> StatementKey<'a> {
        StatementKey {
            key: vec![key],
            values: values.to_vec(),
        }
    }

    /// A text is kept only where each of its bound values is known to be one of the question's.
    #[test]
    fn t_2_marks_stand_in_for_a_question_only_if_they_are_all_its_values() {
        let mut marks = Marks::default();
        let mut mark = Value::Int(1);
        marks.value(&mut mark);
        let (given, other) = (Value::Int(1), Value::Int(2));
        let question = structure(0, &[&given]);
        assert!(marks.stand_in(&structure(0, &[&mark]), &question));
        for marked in [
            structure(1, &[&mark]),
            structure(0, &[&mark, &other]),
            structure(0, &[]),
            structure(0, &[&other]),
        ] {
            assert!(!marks.stand_in(&marked, &question));
        }
    }
}
