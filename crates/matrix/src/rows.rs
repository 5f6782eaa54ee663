//! The matrix rows of entities, DTOs and repositories, evaluated for each viewer.

use std::any::Any;

use clearance::__matrix::{self, Decide, DtoEntry, EntityEntry, allows, configuration, key, pairs};
use clearance::dto::Output;
use clearance::entity::{Cardinality, Relation, RowAction, Schema};
use clearance::policy::{Context, Decision, Failure, Kind};
use clearance::registry::{
    Action, FieldSource, Guard, MethodInfo, RepositoryInfo, RuleInfo, Stated,
};
use clearance::{Error, Permission, Result};

use crate::builder::{Asking, Who};
use crate::model::{
    Cell, ColumnRow, DtoRows, EntityRows, FieldRow, MadeOf, MethodRow, OperationRow, Pair,
    RelationRow, RepositoryRows, RuleRow,
};
use crate::words::{self, Subject};

pub(crate) fn entity_rows<V>(
    entity: &EntityEntry<V>,
    asking: &[Asking<'_, V>],
    context: &Context,
) -> Result<EntityRows> {
    let schema = entity.info.schema();
    let decided: Vec<Vec<Decision>> = asking
        .iter()
        .map(|asking| rows_for(entity, &asking.who, context))
        .collect();
    let mut operations = Vec::new();
    for (index, (action, stated)) in entity.info.operations().iter().enumerate() {
        let cells = asking.iter().zip(&decided).map(|(asking, decided)| {
            let decision = decided.get(index).unwrap_or(&Decision::Deny);
            cell(asking.name, decision, schema, stated.rules())
        });
        let (stated_as, reason) = match stated {
            Stated::Denied => ("nothing, so it is denied", None),
            Stated::Open { reason, .. } => ("open", Some((*reason).to_owned())),
            Stated::Rules(_) => ("rules", None),
        };
        operations.push(OperationRow {
            operation: action.as_str().to_owned(),
            stated: stated_as,
            reason,
            rules: rule_rows(stated.rules()),
            cells: cells.collect::<Result<_>>()?,
        });
    }
    if !entity.info.updated().is_empty() {
        let cells = asking.iter().map(|asking| {
            let decided = match &asking.who {
                Who::System => vec![Decision::Allow],
                Who::Nobody => vec![Decision::Deny],
                Who::Viewer(viewer) => (entity.decide_updated)(Some(viewer), context),
            };
            let decision = decided.first().unwrap_or(&Decision::Deny);
            cell(asking.name, decision, schema, entity.info.updated())
        });
        operations.push(OperationRow {
            operation: "update to".to_owned(),
            stated: "rules",
            reason: None,
            rules: rule_rows(entity.info.updated()),
            cells: cells.collect::<Result<_>>()?,
        });
    }
    let filters = (entity.info.filters().len(), entity.decide_filters);
    let decided: Vec<Vec<Decision>> = asking
        .iter()
        .map(|asking| where_readable(entity, filters, &asking.who, context))
        .collect();
    for (index, (field, rules)) in entity.info.filters().iter().enumerate() {
        let cells = asking.iter().zip(&decided).map(|(asking, decided)| {
            let decision = decided.get(index).unwrap_or(&Decision::Deny);
            cell(asking.name, decision, schema, rules)
        });
        operations.push(OperationRow {
            operation: format!("filter by `{field}`"),
            stated: "rules",
            reason: None,
            rules: rule_rows(rules),
            cells: cells.collect::<Result<_>>()?,
        });
    }
    let columns = schema.columns().iter().enumerate().map(|(index, column)| {
        let usage = if index == key(schema) {
            "key"
        } else if column.is_lookup() {
            "lookup"
        } else {
            "plain"
        };
        ColumnRow {
            field: column.field().to_owned(),
            column: column.name().to_owned(),
            kind: kind(column.kind()),
            nullable: column.is_nullable(),
            usage,
        }
    });
    Ok(EntityRows {
        name: schema.entity().to_owned(),
        table: schema.name().to_owned(),
        relations: schema
            .relations()
            .iter()
            .map(|relation| relation_row(relation, schema))
            .collect(),
        operations,
        columns: columns.collect(),
    })
}

fn relation_row(relation: &Relation, schema: &Schema) -> RelationRow {
    let target = relation.target();
    let pairs = pairs(relation, schema).into_iter();
    RelationRow {
        relation: relation.name().to_owned(),
        leads_to: match relation.cardinality() {
            Cardinality::One => "one, or none",
            Cardinality::Many => "any number",
        },
        entity: target.entity().to_owned(),
        on: pairs
            .map(|(theirs, own)| Pair {
                theirs: theirs.field().to_owned(),
                own: own.field().to_owned(),
            })
            .collect(),
    }
}

/// Evaluates the row rules, in the order of [`EntityInfo::operations`](clearance::registry::EntityInfo::operations).
fn rows_for<V>(entity: &EntityEntry<V>, who: &Who<'_, V>, context: &Context) -> Vec<Decision> {
    let operations = entity.info.operations();
    match who {
        Who::System => vec![Decision::Allow; operations.len()],
        Who::Viewer(viewer) => (entity.decide)(Some(viewer), context),
        Who::Nobody => (entity.decide)(None, context)
            .into_iter()
            .zip(operations)
            .map(|(decision, (action, _))| match action {
                RowAction::Read => decision,
                // A public access does not write, whatever the rule.
                RowAction::Create | RowAction::Update | RowAction::Delete => Decision::Deny,
            })
            .collect(),
    }
}

pub(crate) fn dto_rows<V>(
    dto: &DtoEntry<V>,
    asking: &[Asking<'_, V>],
    context: &Context,
) -> Result<DtoRows> {
    let schema = dto.entity.info.schema();
    let fields = (dto.info.fields().len(), dto.decide);
    let decided: Vec<Vec<Decision>> = asking
        .iter()
        .map(|asking| where_readable(&dto.entity, fields, &asking.who, context))
        .collect();
    let mut fields = Vec::new();
    for (index, field) in dto.info.fields().iter().enumerate() {
        let cells = asking.iter().zip(&decided).map(|(asking, decided)| {
            let decision = decided.get(index).unwrap_or(&Decision::Deny);
            cell(asking.name, decision, schema, field.rules())
        });
        fields.push(FieldRow {
            field: field.field().to_owned(),
            key: field.key().to_owned(),
            when_hidden: match field.output() {
                Output::Shown => "never hidden",
                Output::Omit => "key left out",
                Output::Null => "null",
                Output::Error => "refuses the read",
                Output::Mask(_) => "mask, cut by the database",
                Output::MaskInProcess => "mask, made in the process",
            },
            rules: rule_rows(field.rules()),
            hidden_with: field
                .told_by()
                .iter()
                .map(|told| (*told).to_owned())
                .collect(),
            made_of: match field.source() {
                FieldSource::Column => None,
                FieldSource::Computed { function, inputs } => Some(MadeOf::Computed {
                    function: (*function).to_owned(),
                    from: inputs.iter().map(|input| (*input).to_owned()).collect(),
                }),
                FieldSource::Related { relation, shown_as } => Some(MadeOf::Related {
                    relation: (*relation).to_owned(),
                    shown_as: (*shown_as).to_owned(),
                }),
            },
            cells: cells.collect::<Result<_>>()?,
        });
    }
    Ok(DtoRows {
        name: dto.info.name().to_owned(),
        entity: dto.info.entity().to_owned(),
        fields,
    })
}

/// Evaluates `count` rules for the rows that can be read; all deny if none can.
fn where_readable<V>(
    entity: &EntityEntry<V>,
    (count, decide): (usize, Decide<V>),
    who: &Who<'_, V>,
    context: &Context,
) -> Vec<Decision> {
    let viewer = match who {
        Who::System => return vec![Decision::Allow; count],
        Who::Nobody => None,
        Who::Viewer(viewer) => Some(*viewer),
    };
    match rows_for(entity, who, context).first() {
        None | Some(Decision::Deny) => vec![Decision::Deny; count],
        Some(Decision::Allow | Decision::Depends(_) | Decision::Fail(_)) => decide(viewer, context),
    }
}

pub(crate) fn repository_rows<V: 'static>(
    repository: &RepositoryInfo,
    asking: &[Asking<'_, V>],
    context: &Context,
) -> RepositoryRows {
    let methods = repository.methods().iter().map(|method| {
        let (guard, text) = match method.guard() {
            Guard::Authenticated => ("authenticated", None),
            Guard::Authorize(condition) => ("authorize", Some(condition.to_owned())),
            Guard::Public(reason) => ("public", Some(reason.to_owned())),
        };
        MethodRow {
            method: method.name().to_owned(),
            action: match method.action() {
                Action::Read => "read",
                Action::Write => "write",
            },
            guard,
            text,
            at: place(method),
            cells: asking
                .iter()
                .map(|asking| method_cell(method, asking, context))
                .collect(),
        }
    });
    RepositoryRows {
        name: repository.name().to_owned(),
        methods: methods.collect(),
    }
}

fn method_cell<V: 'static>(method: &MethodInfo, asking: &Asking<'_, V>, context: &Context) -> Cell {
    let (answer, when) = match (method.guard(), &asking.who) {
        // A repository method runs inside a request, where the program itself has no access.
        (_, Who::System) => (Permission::No, None),
        (Guard::Public(_), Who::Nobody | Who::Viewer(_))
        | (Guard::Authenticated, Who::Viewer(_)) => (Permission::Yes, None),
        (Guard::Authenticated | Guard::Authorize(_), Who::Nobody) => (Permission::No, None),
        (Guard::Authorize(condition), Who::Viewer(viewer)) => {
            let viewer: &dyn Any = *viewer;
            match allows(method, viewer, context) {
                Some(true) => (Permission::Yes, None),
                Some(false) => (Permission::No, None),
                None => (Permission::Depends, Some(condition.to_owned())),
            }
        }
    };
    Cell {
        viewer: asking.name.to_owned(),
        answer,
        when,
    }
}

fn cell(viewer: &str, decision: &Decision, schema: &Schema, rules: &[RuleInfo]) -> Result<Cell> {
    let (answer, when) = match decision {
        Decision::Allow => (Permission::Yes, None),
        Decision::Deny => (Permission::No, None),
        Decision::Depends(residual) => (
            Permission::Depends,
            Some(words::words(residual, schema, Subject::Row)),
        ),
        Decision::Fail(failure) => return Err(unknown(viewer, *failure, rules)),
    };
    Ok(Cell {
        viewer: viewer.to_owned(),
        answer,
        when,
    })
}

/// Makes the error for a rule that could not be evaluated.
pub(crate) fn unknown<'r>(
    viewer: &str,
    failure: Failure,
    rules: impl IntoIterator<Item = &'r RuleInfo>,
) -> Error {
    let rules = rules.into_iter().map(|rule| rule.source().to_string());
    configuration(format!(
        "the access matrix cannot be evaluated for `{viewer}`: {failure}, in {}",
        rules.collect::<Vec<_>>().join(", or ")
    ))
}

/// Returns `file:line` of the method.
pub(crate) fn place(method: &MethodInfo) -> String {
    let (file, line) = method.location();
    __matrix::place(file, line)
}

pub(crate) fn rule_rows(rules: &[RuleInfo]) -> Vec<RuleRow> {
    rules.iter().map(rule_row).collect()
}

pub(crate) fn rule_row(rule: &RuleInfo) -> RuleRow {
    let source = rule.source();
    RuleRow {
        text: if rule.is_negated() {
            format!("not ({})", source.text)
        } else {
            source.text.to_owned()
        },
        at: source.place(),
    }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Int => "integer".to_owned(),
        Kind::Float => "floating point".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Enum(names) => format!("one of {}", names.join(", ")),
        Kind::Bytes => "bytes".to_owned(),
        Kind::Uuid => "UUID".to_owned(),
        Kind::Timestamp => "instant".to_owned(),
        _ => "another kind".to_owned(),
    }
}
