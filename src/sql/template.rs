//! Templates, the texts of the plan cache, each with the sources of the values of its placeholders.
//!
//! Two queries of one structure differ in values only, and values are bound. The structure is written in
//! full and compared byte by byte, so a text is never found by a hash alone. A text is rendered once, with
//! a mark in place of each value, and the marks show which placeholder takes which value. If they do not
//! show it beyond doubt, the text is not cached.

use std::sync::Arc;

use sea_query::{SelectStatement, Values};

use super::change::{Written, insert_rows};
use super::layout::Layout;
use super::limit::Limit;
use super::query::{Query, Summary};
use super::statement_key::{LIMIT_MARK, Marks, StatementKey};
use super::{select, summary};
use crate::driver::{Db, Dialect, Ready, Storability};
use crate::dto::{FieldDecisions, Shape};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::Decision;

/// The maximum number of values of a cached query. One with more, mostly a long list, is rendered each
/// time.
const MOST_VALUES: usize = 128;

/// A text in the plan cache.
struct Template {
    sql: Arc<str>,
    places: Vec<Source>,
    layout: Arc<Layout>,
}

/// The source of a placeholder's value.
enum Source {
    /// A value of the query, by its place in the structure.
    Slot(usize),
    Limit,
    /// A constant of the text itself.
    Fixed(sea_query::Value),
}

/// A statement that is ready to run, and the layout of its rows.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) statement: Ready,
    pub(crate) layout: Arc<Layout>,
}

/// Everything that a statement is rendered from.
pub(crate) struct QueryInput<'a, E: Entity> {
    pub(crate) shape: &'a Shape<E>,
    pub(crate) decided: &'a FieldDecisions,
    pub(crate) question: &'a Query,
    /// The groups and sums that replace rows.
    pub(crate) summary: Option<&'a Summary>,
}

impl<E: Entity> QueryInput<'_, E> {
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

    /// Renders the text and its values, with the number of rows in the form of `limit`.
    fn text(&self, dialect: Dialect, limit: Option<Limit>) -> Result<((String, Values), Layout)> {
        let (statement, layout) = self.render(dialect)?;
        let text = dialect.text(&statement);
        Ok(match (limit, self.question.limit) {
            (Some(limit), Some(rows)) => (limit.write(dialect, text, rows), layout),
            (_, None) | (None, _) => (text, layout),
        })
    }

    /// Returns the decisions on the fields that are selected.
    fn fields(&self) -> &[Decision] {
        match self.summary {
            None => &self.decided.fields,
            Some(_) => &[],
        }
    }

    fn limit(&self, dialect: Dialect) -> Option<Limit> {
        self.question.limit.map(|rows| Limit::of(dialect, rows))
    }

    fn structure(&self, dialect: Dialect, limit: Option<Limit>) -> StatementKey<'_> {
        let mut structure = StatementKey {
            key: Vec::with_capacity(256),
            values: Vec::with_capacity(16),
        };
        structure.dialect(dialect);
        structure.number(self.shape.id());
        structure.decision(&self.decided.rows);
        match self.summary {
            None => {
                structure.tag(0);
                structure.fields(self.fields());
            }
            Some(summary) => {
                structure.tag(1);
                structure.summary(summary);
            }
        }
        structure.question(self.question, self.fields());
        structure.number(limit.map_or(0, Limit::key));
        structure
    }
}

impl Db {
    /// Returns the statement of a change; its text is cached.
    pub(super) fn written(&self, written: &Written<'_>) -> Result<Ready> {
        let write = |dialect| self.written_in(dialect, written);
        write(self.dialect())?.with_exactly(self.dialect(), write)
    }

    fn written_in(&self, dialect: Dialect, written: &Written<'_>) -> Result<Ready> {
        let structure = written.structure(dialect);
        if !is_kept(dialect, &structure) {
            return written.render(dialect).map(Ready::of);
        }
        if let Some(template) = self.texts().get::<Template>(&structure.key) {
            return template.values(dialect, &structure, None);
        }
        let mut marks = Marks::default();
        let marked = written.marked(&mut marks);
        if !marks.stand_in(&marked.structure(dialect), &structure) {
            return written.render(dialect).map(Ready::of);
        }
        let text = marked.render(dialect)?;
        let Some(template) = Template::of(dialect, text, &marks, false, Layout::default()) else {
            return written.render(dialect).map(Ready::of);
        };
        let ready = template.values(dialect, &structure, None)?;
        self.keep(structure, template);
        Ok(ready)
    }

    /// Returns the statement that inserts rows with a value for each column; its text is cached, and depends
    /// on their number.
    pub(super) fn rows<E: Entity>(&self, rows: &[E]) -> Result<Ready> {
        let dialect = self.dialect();
        let table = E::__table();
        let width = table.columns().len();
        let mut structure = StatementKey::default();
        structure.dialect(dialect);
        structure.tag(14);
        structure.schema(table);
        structure.index(rows.len());
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows {
            for (column, spec) in table.columns().iter().enumerate() {
                values.push(dialect.set_argument(spec.kind(), row.__cell(column)));
            }
        }
        let values = Values(values);
        if let Some(template) = self.texts().get::<Template>(&structure.key) {
            return Ok(Ready::new(Arc::clone(&template.sql), values));
        }
        let (sql, bound) = insert_rows(dialect, rows)?;
        let sql: Arc<str> = sql.into();
        if bound == values {
            let template = Template {
                sql: Arc::clone(&sql),
                places: Vec::new(),
                layout: Arc::new(Layout::default()),
            };
            self.keep(structure, template);
        }
        Ok(Ready::new(sql, bound))
    }

    /// Returns the statement for a query; its text is rendered, or comes from the plan cache.
    pub(crate) fn plan<E: Entity>(&self, asked: &QueryInput<'_, E>) -> Result<Plan> {
        let dialect = self.dialect();
        let plan = self.plan_in(dialect, asked)?;
        let exactly = |dialect| Ok(self.plan_in(dialect, asked)?.statement);
        Ok(Plan {
            statement: plan.statement.with_exactly(dialect, exactly)?,
            layout: plan.layout,
        })
    }

    fn plan_in<E: Entity>(&self, dialect: Dialect, asked: &QueryInput<'_, E>) -> Result<Plan> {
        let limit = asked.limit(dialect);
        let structure = asked.structure(dialect, limit);
        if !is_kept(dialect, &structure) {
            return plain(dialect, asked);
        }
        if let Some(template) = self.texts().get::<Template>(&structure.key) {
            return template.fill(dialect, &structure, asked.question.limit);
        }
        let Some(template) = Template::make(dialect, asked, &structure)? else {
            return plain(dialect, asked);
        };
        let plan = template.fill(dialect, &structure, asked.question.limit)?;
        self.keep(structure, template);
        Ok(plan)
    }

    fn keep(&self, structure: StatementKey<'_>, template: Template) {
        let bytes = template.sql.len() + 64 * template.places.len();
        self.texts().insert(structure.key, template, bytes);
    }
}

/// Returns whether the text is cached. It is not if there are too many values, or one that the engine
/// cannot hold, with which the text is another one.
fn is_kept(dialect: Dialect, structure: &StatementKey<'_>) -> bool {
    let mut values = structure.values.iter();
    structure.values.len() <= MOST_VALUES
        && values.all(|value| dialect.standing(value) == Storability::Among)
}

fn plain<E: Entity>(dialect: Dialect, asked: &QueryInput<'_, E>) -> Result<Plan> {
    let (text, layout) = asked.text(dialect, asked.limit(dialect))?;
    Ok(Plan {
        statement: Ready::of(text),
        layout: Arc::new(layout),
    })
}

impl Template {
    /// Renders the text with marks in place of values; `None` if a mark cannot be found again.
    fn make<E: Entity>(
        dialect: Dialect,
        asked: &QueryInput<'_, E>,
        structure: &StatementKey<'_>,
    ) -> Result<Option<Self>> {
        let mut marks = Marks::default();
        let mut decided = asked.decided.clone();
        let mut question = asked.question.clone();
        let mut summary = asked.summary.cloned();
        marks.decision(&mut decided.rows);
        match &mut summary {
            None => decided.fields = marks.fields(&asked.decided.fields),
            Some(summary) => marks.summary(summary),
        }
        marks.question(&mut question, asked.fields(), &decided.fields);
        let marked = QueryInput {
            shape: asked.shape,
            decided: &decided,
            question: &question,
            summary: summary.as_ref(),
        };
        // By the requested number of rows, and not by the mark in its place.
        let limit = asked.limit(dialect);
        if !marks.stand_in(&marked.structure(dialect, limit), structure) {
            return Ok(None);
        }
        let (text, layout) = marked.text(dialect, limit)?;
        let is_limited = limit.is_some_and(Limit::is_bound);
        Ok(Self::of(dialect, text, &marks, is_limited, layout))
    }

    /// Finds the sources of the placeholders; `None` if a value is in no placeholder, so that it would be
    /// part of the text.
    fn of(
        dialect: Dialect,
        (sql, values): (String, Values),
        marks: &Marks,
        is_limited: bool,
        layout: Layout,
    ) -> Option<Self> {
        let marks: Vec<_> = marks
            .made
            .iter()
            .map(|mark| dialect.argument(mark.as_cell()))
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
        let whole = !found.contains(&false) && limited == is_limited;
        whole.then(|| Self {
            sql: sql.into(),
            places,
            layout: Arc::new(layout),
        })
    }

    fn fill(
        &self,
        dialect: Dialect,
        structure: &StatementKey<'_>,
        limit: Option<u64>,
    ) -> Result<Plan> {
        Ok(Plan {
            statement: self.values(dialect, structure, limit)?,
            layout: Arc::clone(&self.layout),
        })
    }

    fn values(
        &self,
        dialect: Dialect,
        structure: &StatementKey<'_>,
        limit: Option<u64>,
    ) -> Result<Ready> {
        let missing = || Error::internal("a statement's text has more values than its question");
        let mut values = Vec::with_capacity(self.places.len());
        for place in &self.places {
            values.push(match place {
                Source::Slot(slot) => {
                    dialect.argument(structure.values.get(*slot).ok_or_else(missing)?.as_cell())
                }
                Source::Limit => limit.ok_or_else(missing)?.into(),
                Source::Fixed(value) => value.clone(),
            });
        }
        Ok(Ready::new(Arc::clone(&self.sql), Values(values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Value;

    /// A value that is in no placeholder would be part of the text, and so of every later statement.
    #[test]
    fn t_2_a_text_is_kept_only_if_all_of_its_values_are_bound() {
        let dialect = Dialect::Sqlite;
        let mut marks = Marks::default();
        let mut mark = Value::Int(1);
        marks.value(&mut mark);
        let bound = || dialect.argument(mark.as_cell());
        let limit = || sea_query::Value::BigUnsigned(Some(LIMIT_MARK));
        let is_kept = |values: Vec<sea_query::Value>, most: bool| {
            let text = ("SELECT 1".to_owned(), Values(values));
            Template::of(dialect, text, &marks, most, Layout::default()).is_some()
        };
        assert!(is_kept(vec![bound()], false));
        assert!(is_kept(vec![bound(), limit()], true));
        assert!(!is_kept(vec![], false));
        assert!(!is_kept(vec![limit()], true));
        assert!(!is_kept(vec![bound()], true));
        assert!(!is_kept(vec![bound(), limit()], false));
    }
}
