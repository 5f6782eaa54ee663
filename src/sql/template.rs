//! The text of a statement, kept by the structure of its question.
//!
//! Two questions of one structure differ in values only, and values are bound. The structure is
//! written down in full and compared byte by byte, so a text is never found by a hash alone. A
//! text is made once, with a mark in place of each value, and the marks tell which placeholder
//! takes which value. Where they do not tell it beyond doubt, the text is not kept.

use std::sync::Arc;

use sea_query::{SelectStatement, Values};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use uuid::Uuid;

use super::dialect::Dialect;
use super::question::{Function, Layout, Question, Summary};
use super::{select, summary};
use crate::dto::{Decided, Direction, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Op, Place, Reduced, Residual, Term, Value};

/// How many bytes of texts and structures are kept for one database.
const CAPACITY: u64 = 8 * 1024 * 1024;
/// A question of more values than this, mostly a long list, is written anew each time.
const MOST_VALUES: usize = 128;
/// What stands for the number of rows while a text is made.
const LIMIT_MARK: u64 = 0x5eed_5eed_5eed;

/// The texts of a database.
pub(super) struct Templates(moka::sync::Cache<Arc<[u8]>, Arc<Template>>);

struct Template {
    sql: Arc<str>,
    places: Vec<Source>,
    layout: Arc<Layout>,
}

/// What a placeholder takes.
enum Source {
    /// A value of the question, by its place in the structure.
    Slot(usize),
    Limit,
    /// A constant of the text itself.
    Fixed(sea_query::Value),
}

/// A statement that is ready to run, and how to read its rows.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) statement: Ready,
    pub(crate) layout: Arc<Layout>,
}

/// The text of a statement and its values.
#[derive(Debug)]
pub(crate) struct Ready {
    sql: Arc<str>,
    values: Values,
}

impl Ready {
    #[cfg(feature = "testing")]
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.sql
    }
}

impl SqlxBinder for Ready {
    fn build_sqlx<T: sea_query::QueryBuilder>(&self, _: T) -> (String, SqlxValues) {
        (
            self.sql.as_ref().to_owned(),
            SqlxValues(self.values.clone()),
        )
    }
}

/// Everything that a statement is made of.
pub(crate) struct Asked<'a, E: Entity> {
    pub(crate) shape: &'a Shape<E>,
    pub(crate) decided: &'a Decided,
    pub(crate) question: &'a Question,
    /// Groups and sums in place of rows.
    pub(crate) summary: Option<&'a Summary>,
}

impl<E: Entity> Asked<'_, E> {
    fn render(&self, dialect: Dialect) -> Result<(SelectStatement, Layout)> {
        match self.summary {
            None => select::rows(dialect, self.shape, self.decided, self.question),
            Some(summary) => {
                let table = E::__table();
                let statement =
                    summary::summarize(dialect, table, self.decided, self.question, summary)?;
                Ok((statement, Layout::default()))
            }
        }
    }

    fn structure(&self, dialect: Dialect) -> Structure<'_> {
        let mut structure = Structure {
            key: Vec::with_capacity(256),
            values: Vec::with_capacity(16),
        };
        structure.text(dialect.name());
        structure.number(self.shape.id());
        structure.decision(&self.decided.rows);
        match self.summary {
            None => {
                structure.tag(0);
                structure.each(&self.decided.fields, Structure::decision);
            }
            Some(summary) => {
                structure.tag(1);
                structure.summary(summary);
            }
        }
        structure.question(self.question);
        structure
    }
}

impl Templates {
    pub(super) fn new() -> Self {
        let weight = |structure: &Arc<[u8]>, template: &Arc<Template>| {
            let bytes = structure.len() + template.sql.len() + 64 * template.places.len();
            bytes.try_into().unwrap_or(u32::MAX)
        };
        Self(
            moka::sync::Cache::builder()
                .max_capacity(CAPACITY)
                .weigher(weight)
                .build(),
        )
    }

    pub(super) fn plan<E: Entity>(&self, dialect: Dialect, asked: &Asked<'_, E>) -> Result<Plan> {
        let structure = asked.structure(dialect);
        if structure.values.len() > MOST_VALUES {
            return plain(dialect, asked);
        }
        if let Some(template) = self.0.get(&*structure.key) {
            return template.fill(dialect, &structure, asked.question.limit);
        }
        let Some(template) = Template::make(dialect, asked, &structure)? else {
            return plain(dialect, asked);
        };
        let plan = template.fill(dialect, &structure, asked.question.limit)?;
        let key = structure.key.into();
        self.0.insert(key, Arc::new(template));
        Ok(plan)
    }
}

fn plain<E: Entity>(dialect: Dialect, asked: &Asked<'_, E>) -> Result<Plan> {
    let (statement, layout) = asked.render(dialect)?;
    let (sql, values) = dialect.text(&statement);
    Ok(Plan {
        statement: Ready {
            sql: sql.into(),
            values,
        },
        layout: Arc::new(layout),
    })
}

impl Template {
    /// The text with marks in place of values; `None` where a mark cannot be found again.
    fn make<E: Entity>(
        dialect: Dialect,
        asked: &Asked<'_, E>,
        structure: &Structure<'_>,
    ) -> Result<Option<Self>> {
        let mut marks = Marks::default();
        let mut decided = asked.decided.clone();
        let mut question = asked.question.clone();
        let mut summary = asked.summary.cloned();
        marks.decision(&mut decided.rows);
        match &mut summary {
            None => {
                for field in &mut decided.fields {
                    marks.decision(field);
                }
            }
            Some(summary) => marks.summary(summary),
        }
        marks.question(&mut question);
        let marked = Asked {
            shape: asked.shape,
            decided: &decided,
            question: &question,
            summary: summary.as_ref(),
        };
        // The two walks over a question must agree on what is a value, and in which order.
        let again = marked.structure(dialect);
        if again.key != structure.key
            || again.values.len() != marks.made.len()
            || again
                .values
                .iter()
                .zip(&marks.made)
                .any(|(one, other)| **one != *other)
        {
            return Ok(None);
        }
        let (statement, layout) = marked.render(dialect)?;
        let (sql, values) = dialect.text(&statement);
        let marks: Vec<_> = marks
            .made
            .iter()
            .map(|mark| dialect.argument(mark))
            .collect();
        let mut found = vec![false; marks.len()];
        let mut limited = false;
        let places = values
            .0
            .into_iter()
            .map(|value| {
                if let Some(slot) = marks.iter().position(|mark| *mark == value) {
                    if let Some(found) = found.get_mut(slot) {
                        *found = true;
                    }
                    Source::Slot(slot)
                } else if value == sea_query::Value::BigUnsigned(Some(LIMIT_MARK)) {
                    limited = true;
                    Source::Limit
                } else {
                    Source::Fixed(value)
                }
            })
            .collect();
        // A value that is in no placeholder would be part of the text.
        if found.contains(&false) || limited != question.limit.is_some() {
            return Ok(None);
        }
        Ok(Some(Self {
            sql: sql.into(),
            places,
            layout: Arc::new(layout),
        }))
    }

    fn fill(
        &self,
        dialect: Dialect,
        structure: &Structure<'_>,
        limit: Option<u64>,
    ) -> Result<Plan> {
        let missing = || Error::internal("a statement's text has more values than its question");
        let values = self
            .places
            .iter()
            .map(|place| match place {
                Source::Slot(slot) => {
                    let value = structure.values.get(*slot).ok_or_else(missing)?;
                    Ok(dialect.argument(value))
                }
                Source::Limit => limit.map(Into::into).ok_or_else(missing),
                Source::Fixed(value) => Ok(value.clone()),
            })
            .collect::<Result<_>>()?;
        Ok(Plan {
            statement: Ready {
                sql: Arc::clone(&self.sql),
                values: Values(values),
            },
            layout: Arc::clone(&self.layout),
        })
    }
}

/// A question written down: what its text depends on, and apart from it the values that are
/// bound. Each part begins with a tag or a length, so that no two questions are written alike.
#[derive(Default)]
pub(crate) struct Structure<'a> {
    pub(crate) key: Vec<u8>,
    pub(crate) values: Vec<&'a Value>,
}

impl<'a> Structure<'a> {
    fn tag(&mut self, tag: u8) {
        self.key.push(tag);
    }

    fn flag(&mut self, flag: bool) {
        self.tag(flag.into());
    }

    fn number(&mut self, number: u64) {
        self.key.extend_from_slice(&number.to_le_bytes());
    }

    fn index(&mut self, index: usize) {
        // Most are small; a large one is written behind a byte that none of those is.
        match u8::try_from(index) {
            Ok(index) if index < u8::MAX => self.tag(index),
            _ => {
                self.tag(u8::MAX);
                self.key.extend_from_slice(&index.to_le_bytes());
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.index(text.len());
        self.key.extend_from_slice(text.as_bytes());
    }

    fn each<T>(&mut self, parts: &'a [T], mut write: impl FnMut(&mut Self, &'a T)) {
        self.index(parts.len());
        for part in parts {
            write(self, part);
        }
    }

    /// A null is part of the text, and a truth value has no mark that could be told from another.
    fn value(&mut self, value: &'a Value) {
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
                self.tag(match place {
                    Place::Anywhere => 0,
                    Place::AtEnd => 1,
                });
                self.value(needle);
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
        }
    }

    fn question(&mut self, question: &'a Question) {
        self.each(&question.lookups, |structure, (column, value)| {
            structure.index(*column);
            structure.value(value);
        });
        self.optional(question.filter.as_ref());
        self.each(&question.order, |structure, key| {
            structure.index(key.column);
            structure.flag(key.direction == Direction::Ascending);
            structure.optional(key.visible.as_ref());
        });
        self.flag(question.by_key);
        self.flag(question.limit.is_some());
        self.flag(question.pages);
        match &question.after {
            None => self.tag(0),
            Some(position) => {
                self.tag(1);
                self.each(&position.values, Self::value);
                self.value(&position.key);
            }
        }
    }

    fn summary(&mut self, summary: &'a Summary) {
        self.each(&summary.keys, |structure, key| {
            structure.index(key.column);
            structure.reduced(&key.visible);
        });
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
                    structure.index(cell.column);
                    structure.reduced(&cell.visible);
                }
            }
        });
    }
}

/// Puts a mark in the place of each value, in the order in which [`Structure`] meets them.
#[derive(Default)]
struct Marks {
    made: Vec<Value>,
}

impl Marks {
    fn value(&mut self, value: &mut Value) {
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

    fn decision(&mut self, decision: &mut Decision) {
        match decision {
            Decision::Allow | Decision::Deny | Decision::Fail(_) => {}
            Decision::Depends(residual) => self.residual(residual),
        }
    }

    fn reduced(&mut self, reduced: &mut Reduced) {
        match reduced {
            Reduced::Always | Reduced::Never => {}
            Reduced::Left(residual) => self.residual(residual),
        }
    }

    fn residual(&mut self, residual: &mut Residual) {
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
                for value in values {
                    self.value(value);
                }
            }
            Residual::Text { needle, .. } => self.value(needle),
            Residual::Guarded { rule, test } => {
                self.residual(rule);
                self.residual(test);
            }
            Residual::Flag { .. } | Residual::Null { .. } | Residual::Opaque { .. } => {}
        }
    }

    fn question(&mut self, question: &mut Question) {
        for (_, value) in &mut question.lookups {
            self.value(value);
        }
        if let Some(filter) = &mut question.filter {
            self.residual(filter);
        }
        for key in &mut question.order {
            if let Some(visible) = &mut key.visible {
                self.residual(visible);
            }
        }
        if let Some(limit) = &mut question.limit {
            *limit = LIMIT_MARK;
        }
        if let Some(position) = &mut question.after {
            for value in &mut position.values {
                self.value(value);
            }
            self.value(&mut position.key);
        }
    }

    fn summary(&mut self, summary: &mut Summary) {
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
