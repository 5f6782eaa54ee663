//! Lints for reviewers: escape hatches, and rules that may not enforce what they appear to.

mod inputs;
mod writable;

use clearance::__matrix::{
    DtoEntry, EntityEntry, InputEntry, entity_id, fields, key, named, table,
};
use clearance::dto::Output;
use clearance::entity::{ColumnSpec, Schema};
use clearance::policy::{Context, Expr, Kind, Op, Operand};
use clearance::registry::{
    DatabaseSchema, FieldInfo, FieldSource, Guard, RepositoryInfo, RuleInfo, Stated,
};

use crate::attributes::rules;
use crate::model::{Hatch, Lint};
use crate::rows::{place, rule_row};

/// The input of the lints.
pub(super) struct Subject<'a, V: 'static> {
    pub(super) entities: &'a [EntityEntry<V>],
    pub(super) dtos: &'a [DtoEntry<V>],
    pub(super) inputs: &'a [InputEntry<V>],
    pub(super) viewers: &'a [(String, &'a V)],
    pub(super) context: &'a Context,
    pub(super) schema: Option<&'a DatabaseSchema>,
}

impl<'a, V> Subject<'a, V> {
    /// Returns the DTOs that show rows of the entity.
    fn dtos_of(&self, entity: &EntityEntry<V>) -> impl Iterator<Item = &'a DtoEntry<V>> {
        let (dtos, id) = (self.dtos.iter(), entity_id(&entity.info));
        dtos.filter(move |dto| entity_id(&dto.entity.info) == id)
    }

    /// Returns the input types that write rows of the entity.
    fn inputs_of(&self, entity: &EntityEntry<V>) -> impl Iterator<Item = &'a InputEntry<V>> {
        let (inputs, id) = (self.inputs.iter(), entity_id(&entity.info));
        inputs.filter(move |input| entity_id(&input.entity.info) == id)
    }
}

pub(super) fn lints<V>(subject: &Subject<'_, V>) -> Vec<Lint> {
    let mut lints = Vec::new();
    for entity in subject.entities {
        writable::rules_over_writable_columns(subject, entity, &mut lints);
        inputs::writes_without_a_read(subject, entity, &mut lints);
        one_column_two_rules(subject, entity, &mut lints);
        if let Some(schema) = subject.schema {
            against_the_schema(subject, entity, schema, &mut lints);
            inputs::taken_values(subject, entity, schema, &mut lints);
            inputs::references_unchecked(subject, entity, schema, &mut lints);
        }
    }
    // Not by place: moving a rule must not move its lint.
    lints.sort_by(|one, other| (one.lint, &one.about).cmp(&(other.lint, &other.about)));
    lints.dedup();
    lints
}

/// Lints a column that two DTOs of an entity show by different rules.
fn one_column_two_rules<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    lints: &mut Vec<Lint>,
) {
    for column in entity.info.schema().columns() {
        let shown: Vec<(&str, &FieldInfo)> = subject
            .dtos_of(entity)
            .flat_map(|dto| {
                let name = dto.info.name();
                dto.info.fields().iter().map(move |field| (name, field))
            })
            .filter(|(_, field)| shows(field, column.field()))
            .collect();
        let meaning = |field: &FieldInfo| {
            let mut rules: Vec<(bool, &str)> = field
                .rules()
                .iter()
                .map(|rule| (rule.is_negated(), rule.source().text))
                .collect();
            rules.sort_unstable();
            rules
        };
        let Some((_, first)) = shown.first() else {
            continue;
        };
        if shown
            .iter()
            .all(|(_, field)| meaning(field) == meaning(first))
        {
            continue;
        }
        let mut about = format!(
            "the column `{}` of `{}` is shown by different rules:",
            column.field(),
            entity.info.schema().entity()
        );
        for (index, (dto, field)) in shown.iter().enumerate() {
            let by: Vec<String> = field
                .rules()
                .iter()
                .map(|rule| format!("`{}`", rule_row(rule).text))
                .collect();
            let by = if by.is_empty() {
                "no rule".to_owned()
            } else {
                by.join(" and ")
            };
            let separator = if index == 0 { " " } else { "; " };
            about.push_str(&format!("{separator}`{dto}` by {by}"));
        }
        let at = shown.iter().flat_map(|(_, field)| places(field.rules()));
        lints.push(Lint {
            lint: "one column, two rules",
            at: sorted(at),
            about,
            advice: "the looser rule decides who learns the value: state one `#[rule]` and name \
                     it in both, or accept it in review",
        });
    }
}

/// Lints fields with rules against the indexes and collations of the live schema.
fn against_the_schema<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    schema: &DatabaseSchema,
    lints: &mut Vec<Lint>,
) {
    let info = &entity.info;
    let Some(live) = table(schema, info.schema().name()) else {
        return;
    };
    let all_rules = rules([entity], subject.dtos_of(entity), subject.inputs_of(entity));
    for column in info.schema().columns() {
        let shown = subject.dtos_of(entity).flat_map(|dto| {
            let name = dto.info.name();
            dto.info
                .fields()
                .iter()
                .filter(|field| shows(field, column.field()))
                .map(move |field| (name, field))
        });
        let indexed = || {
            let mut indexes = live.indexes.iter();
            indexes.any(|index| {
                index
                    .columns
                    .first()
                    .is_some_and(|name| name == column.name())
            })
        };
        let is_key = info
            .schema()
            .columns()
            .get(key(info.schema()))
            .map(ColumnSpec::field)
            == Some(column.field());
        for (dto, field) in shown {
            let what = format!("`{dto}::{}`", field.field());
            if let Some(index) = live.unique(column.name())
                && field.output() != Output::Shown
            {
                lints.push(Lint {
                    lint: "hidden value under a unique index",
                    at: places(field.rules()),
                    about: format!(
                        "{what} can be hidden or masked, and is in the unique index `{}`",
                        index.name
                    ),
                    advice: "a write that violates the index fails as a conflict, which reveals that such a value exists: let only those write the column who may see it",
                });
            }
            let depends = field
                .rules()
                .iter()
                .any(|rule| !fields(rule, info.schema()).is_empty());
            if depends && can_be_ordered(field) && !is_key && !indexed() {
                lints.push(Lint {
                    lint: "order by a row-dependent field without an index",
                    at: places(field.rules()),
                    about: format!(
                        "{what} depends on the row, and no index begins with `{}`",
                        column.name()
                    ),
                    advice: "a query ordered by it sorts every row that the viewer may read: \
                             add an index, or do not order by it",
                });
            }
            if let Some(collation) = live.collations.get(column.name())
                && column.kind() == Kind::Text
                && can_be_ordered(field)
            {
                lints.push(Lint {
                    lint: "text order without a binary collation",
                    at: places(field.rules()),
                    about: format!(
                        "{what} can be ordered by, and `{}` is declared `COLLATE {collation}`",
                        column.name()
                    ),
                    advice: "order and `starts_with` are by bytes on every engine, which an index of \
                             another collation cannot serve: declare the column with a binary \
                             collation (on PostgreSQL an index with `text_pattern_ops` serves \
                             `starts_with`, too)",
                });
            }
        }
        if let Some(collation) = live.collations.get(column.name())
            && column.kind() == Kind::Text
        {
            for (what, rule) in &all_rules {
                if orders(rule.expr(), info.schema(), column.field()) {
                    lints.push(Lint {
                        lint: "text order without a binary collation",
                        at: vec![rule.source().place()],
                        about: format!(
                            "the rule of `{what}` orders `{}`, which is declared `COLLATE {collation}`",
                            column.field()
                        ),
                        advice: "order is by bytes on every engine, which an index of another \
                                 collation cannot serve: declare the column with a binary collation",
                    });
                }
            }
        }
    }
}

/// Returns whether the field shows the column of this name.
fn shows(field: &FieldInfo, column: &str) -> bool {
    *field.source() == FieldSource::Column && field.field() == column
}

/// Returns whether the field has a token to order by.
fn can_be_ordered(field: &FieldInfo) -> bool {
    let masked = match field.output() {
        Output::Mask(_) | Output::MaskInProcess => true,
        Output::Shown | Output::Omit | Output::Null | Output::Error => false,
    };
    !masked && !field.rules().iter().any(RuleInfo::is_opaque)
}

/// Returns whether the rule compares this field by order.
fn orders(expr: &Expr, schema: &Schema, field: &str) -> bool {
    match expr {
        Expr::Compare { op, left, right } => {
            let by_order = match op {
                Op::Eq | Op::Ne => false,
                Op::Lt | Op::Le | Op::Gt | Op::Ge => true,
            };
            let names = |operand: &Operand| match operand {
                Operand::Field(name) => {
                    named(schema, name).is_some_and(|column| column.field() == field)
                }
                Operand::Input(_) => false,
            };
            by_order && (names(left) || names(right))
        }
        Expr::Free(_)
        | Expr::Flag(_)
        | Expr::IsSome(_)
        | Expr::IsNone(_)
        | Expr::Contains { .. }
        | Expr::Related { .. }
        | Expr::Opaque(_) => false,
        Expr::Not(inner) => orders(inner, schema, field),
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(|part| orders(part, schema, field)),
    }
}

/// Lists the escape hatches that the types reveal.
pub(super) fn hatches<V>(
    entities: &[EntityEntry<V>],
    dtos: &[DtoEntry<V>],
    inputs: &[InputEntry<V>],
    repositories: &[RepositoryInfo],
) -> Vec<Hatch> {
    let mut hatches = Vec::new();
    for repository in repositories {
        for method in repository.methods() {
            match method.guard() {
                Guard::Public(reason) => hatches.push(Hatch {
                    kind: "public method",
                    what: format!("{}::{}", repository.name(), method.name()),
                    reason: Some(reason.to_owned()),
                    at: Some(place(method)),
                }),
                Guard::Authenticated | Guard::Authorize(_) => {}
            }
        }
    }
    for entity in entities {
        let schema = entity.info.schema();
        for (action, stated) in entity.info.operations() {
            match stated {
                Stated::Open { reason, .. } => hatches.push(Hatch {
                    kind: "open rows",
                    what: format!("{}, {}", schema.entity(), action.as_str()),
                    reason: Some((*reason).to_owned()),
                    at: None,
                }),
                Stated::Denied | Stated::Rules(_) => {}
            }
        }
        for (index, column) in schema.columns().iter().enumerate() {
            if column.is_lookup() && index != key(schema) {
                hatches.push(Hatch {
                    kind: "lookup column",
                    what: format!("{}::{}", schema.entity(), column.field()),
                    reason: Some(
                        "may be looked up by equality, whether or not a DTO shows it".to_owned(),
                    ),
                    at: None,
                });
            }
        }
    }
    for dto in dtos {
        for field in dto.info.fields() {
            let what = format!("{}::{}", dto.info.name(), field.field());
            if field.output() == Output::MaskInProcess {
                hatches.push(Hatch {
                    kind: "mask in process",
                    what: what.clone(),
                    reason: Some("the whole value leaves the database".to_owned()),
                    at: places(field.rules()).into_iter().next(),
                });
            }
            for rule in field.rules().iter().filter(|rule| rule.is_opaque()) {
                hatches.push(Hatch {
                    kind: "opaque rule",
                    what: what.clone(),
                    reason: Some("the value leaves the database to be decided on".to_owned()),
                    at: Some(rule.source().place()),
                });
            }
        }
    }
    for input in inputs {
        for field in input.info.fields() {
            hatches.extend(field.any_row().map(|reason| Hatch {
                kind: "reference to any row",
                what: format!("{}::{}", input.info.name(), field.field()),
                reason: Some(reason.to_owned()),
                at: places(field.rules()).into_iter().next(),
            }));
        }
    }
    hatches
}

fn places(rules: &[RuleInfo]) -> Vec<String> {
    sorted(rules.iter().map(|rule| rule.source().place()))
}

fn sorted(places: impl Iterator<Item = String>) -> Vec<String> {
    let mut places: Vec<String> = places.collect();
    places.sort();
    places.dedup();
    places
}

/// Joins names: `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
