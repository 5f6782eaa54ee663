//! The access matrix: who may do and see what, made from the types and written for review.
#![deny(clippy::wildcard_enum_match_arm)]

mod html;
mod json;
mod lint;
mod markdown;
mod model;
mod words;

use std::any::Any;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::dto::Output;
use crate::entity::{Cardinality, Relation, RowAction, Schema};
use crate::error::{Error, Result};
use crate::policy::{Context, Decision, Kind};
use crate::registry::{
    Action, App, Decide, DtoEntry, EntityEntry, FieldSource, Guard, MethodInfo, RepositoryInfo,
    RuleInfo, Stated,
};
use crate::repository::Answer;
use crate::sql::DatabaseSchema;

#[cfg(feature = "testing")]
pub(crate) use model::Hatch;
pub use model::Matrix;
use model::{
    AttributeRow, Cell, Circumstances, ColumnRow, DtoRows, EntityRows, FieldRow, MadeOf, MethodRow,
    OperationRow, Pair, RelationRow, RepositoryRows, RuleRow,
};
use model::{NOBODY, SYSTEM, VERSION};

impl<V: 'static> App<V> {
    /// Starts an access matrix of this application: one column for nobody, one for the program
    /// itself, and one for each sample viewer that is added.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Dto, Entity, Field, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64, admin: bool, team: String }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, read_if(viewer.id > 0))]
    /// # struct User { #[entity(key)] id: i64, team: String, phone: String }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User)]
    /// # struct Profile { #[visible_if(viewer.admin || viewer.team == row.team)] phone: Field<String> }
    /// clearance::app! {
    ///     static APP = { viewer: Member, dtos: [Profile], repositories: [] };
    /// }
    ///
    /// let matrix = APP
    ///     .matrix()
    ///     .viewer("admin", &Member { id: 1, admin: true, team: "red".into() })
    ///     .viewer("stranger", &Member { id: 2, admin: false, team: "blue".into() })
    ///     .build()?;
    /// assert!(matrix.to_markdown().contains("depends: `row.team == \"blue\"`"));
    /// # Ok::<_, clearance::Error>(())
    /// ```
    pub fn matrix(&self) -> MatrixBuilder<'_, V> {
        MatrixBuilder {
            app: self,
            viewers: Vec::new(),
            // Fixed, so that the same types give the same matrix on any day.
            context: Context::new(
                DateTime::<Utc>::from_timestamp(946_684_800, 0).unwrap_or_default(),
            ),
            schema: None,
        }
    }
}

/// An access matrix in the making; see [`App::matrix`].
#[must_use = "a matrix is made by `build`"]
#[derive(Debug)]
pub struct MatrixBuilder<'a, V: 'static> {
    app: &'a App<V>,
    viewers: Vec<(String, &'a V)>,
    context: Context,
    schema: Option<&'a DatabaseSchema>,
}

/// One column of the matrix.
struct Asking<'a, V> {
    name: &'a str,
    who: Who<'a, V>,
}

enum Who<'a, V> {
    Nobody,
    System,
    Viewer(&'a V),
}

impl<'a, V: 'static> MatrixBuilder<'a, V> {
    /// Adds a column: what a viewer like `viewer` may do. What the sample holds is shown where a
    /// rule compares it with a row, so take a made-up one.
    pub fn viewer(mut self, name: impl Into<String>, viewer: &'a V) -> Self {
        self.viewers.push((name.into(), viewer));
        self
    }

    /// Works the rules out in these circumstances. Without it the time is 2000-01-01, and the
    /// address is unknown.
    pub fn at(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Adds the lints that need to know indexes and collations; see
    /// [`Db::schema`](crate::Db::schema).
    pub const fn with_schema(mut self, schema: &'a DatabaseSchema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// The finished matrix.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when a rule cannot be worked out for one of the viewers, with
    /// its place, and when two viewers have the same name.
    pub fn build(self) -> Result<Matrix> {
        let mut asking = vec![
            Asking {
                name: NOBODY,
                who: Who::Nobody,
            },
            Asking {
                name: SYSTEM,
                who: Who::System,
            },
        ];
        for (name, viewer) in &self.viewers {
            if asking.iter().any(|known| known.name == name) {
                return Err(Error::configuration(format!(
                    "the access matrix has two viewers named `{name}`"
                )));
            }
            asking.push(Asking {
                name,
                who: Who::Viewer(*viewer),
            });
        }
        let entities = self.app.entity_entries();
        let dtos = self.app.dto_entries();
        let repositories = self.app.repositories();
        let lints = lint::lints(&lint::Subject {
            entities: &entities,
            dtos: &dtos,
            viewers: &self.viewers,
            context: &self.context,
            schema: self.schema,
        });
        Ok(Matrix {
            version: VERSION,
            context: Circumstances {
                now: self
                    .context
                    .now
                    .to_rfc3339_opts(SecondsFormat::AutoSi, true),
                address: self.context.address.map(|address| address.to_string()),
            },
            viewers: asking.iter().map(|asking| asking.name.to_owned()).collect(),
            entities: entities
                .iter()
                .map(|entity| entity_rows(entity, &asking, &self.context))
                .collect::<Result<_>>()?,
            dtos: dtos
                .iter()
                .map(|dto| dto_rows(dto, &asking, &self.context))
                .collect::<Result<_>>()?,
            repositories: repositories
                .iter()
                .map(|repository| repository_rows(repository, &asking, &self.context))
                .collect(),
            context_attributes: attributes(&entities, &dtos, &repositories),
            escape_hatches: lint::hatches(&entities, &dtos, &repositories),
            source_was_read: false,
            schema_was_read: self.schema.is_some(),
            lints,
        })
    }
}

fn entity_rows<V>(
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
            operation: action.word().to_owned(),
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
        let usage = if index == schema.key() {
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
    let field = |schema: &Schema, column| {
        schema
            .column(column)
            .map_or_else(String::new, |spec| spec.field().to_owned())
    };
    let pairs = relation.pairs(schema).unwrap_or_default().into_iter();
    RelationRow {
        relation: relation.name().to_owned(),
        leads_to: match relation.cardinality() {
            Cardinality::One => "one, or none",
            Cardinality::Many => "any number",
        },
        entity: target.entity().to_owned(),
        on: pairs
            .map(|pair| Pair {
                theirs: field(target, pair.theirs),
                own: field(schema, pair.own),
            })
            .collect(),
    }
}

/// What the row rules come to, in the order of [`RowAction::ALL`].
fn rows_for<V>(entity: &EntityEntry<V>, who: &Who<'_, V>, context: &Context) -> Vec<Decision> {
    match who {
        Who::System => RowAction::ALL.map(|_| Decision::Allow).into(),
        Who::Viewer(viewer) => (entity.decide)(Some(viewer), context),
        Who::Nobody => (entity.decide)(None, context)
            .into_iter()
            .zip(RowAction::ALL)
            .map(|(decision, action)| match action {
                RowAction::Read => decision,
                // A public access does not write, whatever the rule says.
                RowAction::Create | RowAction::Update | RowAction::Delete => Decision::Deny,
            })
            .collect(),
    }
}

fn dto_rows<V>(dto: &DtoEntry<V>, asking: &[Asking<'_, V>], context: &Context) -> Result<DtoRows> {
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

/// What `count` rules come to in the rows that can be read.
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

fn repository_rows<V: 'static>(
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
            at: method.place(),
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
        (_, Who::System) => (Answer::No, None),
        (Guard::Public(_), Who::Nobody | Who::Viewer(_))
        | (Guard::Authenticated, Who::Viewer(_)) => (Answer::Yes, None),
        (Guard::Authenticated | Guard::Authorize(_), Who::Nobody) => (Answer::No, None),
        (Guard::Authorize(condition), Who::Viewer(viewer)) => {
            let viewer: &dyn Any = *viewer;
            match method.allows(viewer, context) {
                Some(true) => (Answer::Yes, None),
                Some(false) => (Answer::No, None),
                None => (Answer::Depends, Some(condition.to_owned())),
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
        Decision::Allow => (Answer::Yes, None),
        Decision::Deny => (Answer::No, None),
        Decision::Depends(residual) => (Answer::Depends, Some(words::words(residual, schema))),
        Decision::Fail(failure) => {
            let rules: Vec<String> = rules.iter().map(|rule| rule.source().to_string()).collect();
            return Err(Error::configuration(format!(
                "the access matrix cannot be worked out for `{viewer}`: {failure}, in {}",
                rules.join(", or ")
            )));
        }
    };
    Ok(Cell {
        viewer: viewer.to_owned(),
        answer,
        when,
    })
}

fn rule_rows(rules: &[RuleInfo]) -> Vec<RuleRow> {
    rules.iter().map(rule_row).collect()
}

fn rule_row(rule: &RuleInfo) -> RuleRow {
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
    }
}

/// Every rule of entities and DTOs, each with what it is stated for.
fn rules<'a, V>(
    entities: &'a [EntityEntry<V>],
    dtos: &'a [DtoEntry<V>],
) -> impl Iterator<Item = (String, &'a RuleInfo)> {
    let rows = entities.iter().flat_map(|entity| {
        entity
            .info
            .operations()
            .iter()
            .flat_map(|(action, stated)| {
                let what = format!("{}, {}", entity.info.schema().entity(), action.rule());
                stated.rules().iter().map(move |rule| (what.clone(), rule))
            })
    });
    let filters = entities.iter().flat_map(|entity| {
        let of = entity.info.schema().entity();
        entity
            .info
            .filters()
            .iter()
            .flat_map(move |(field, rules)| {
                let what = format!("{of}, filter_if of {field}");
                rules.iter().map(move |rule| (what.clone(), rule))
            })
    });
    let updated = entities.iter().flat_map(|entity| {
        let what = format!("{}, updated_if", entity.info.schema().entity());
        let rules = entity.info.updated().iter();
        rules.map(move |rule| (what.clone(), rule))
    });
    let fields = dtos.iter().flat_map(|dto| {
        dto.info.fields().iter().flat_map(|field| {
            let what = format!("{}::{}", dto.info.name(), field.field());
            field.rules().iter().map(move |rule| (what.clone(), rule))
        })
    });
    rows.chain(updated).chain(filters).chain(fields)
}

/// What rules and conditions can read of a request, and which of them do.
fn attributes<V>(
    entities: &[EntityEntry<V>],
    dtos: &[DtoEntry<V>],
    repositories: &[RepositoryInfo],
) -> Vec<AttributeRow> {
    let mut texts: Vec<(&str, String)> = rules(entities, dtos)
        .map(|(_, rule)| (rule.source().text, rule.source().place()))
        .collect();
    for method in repositories.iter().flat_map(RepositoryInfo::methods) {
        match method.guard() {
            Guard::Authorize(condition) => texts.push((condition, method.place())),
            Guard::Authenticated | Guard::Public(_) => {}
        }
    }
    let reading = |reads: &dyn Fn(&str) -> bool| {
        let mut places: Vec<String> = texts
            .iter()
            .filter(|(text, _)| reads(text))
            .map(|(_, place)| place.clone())
            .collect();
        places.sort();
        places.dedup();
        places
    };
    vec![
        AttributeRow {
            attribute: "context.now",
            meaning: "the instant at which the request began, in UTC",
            read_at: reading(&|text| text.contains("context.now")),
        },
        AttributeRow {
            attribute: "context.address",
            meaning: "the address of the peer, where the adapter knows it",
            read_at: reading(&|text| text.contains("context.address")),
        },
        AttributeRow {
            attribute: "context",
            meaning: "handed as a whole to a function of the application",
            read_at: reading(&|text| text.contains("opaque(") || hands_on_context(text)),
        },
    ]
}

/// Whether `context` is named other than for one of its attributes.
fn hands_on_context(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("context").any(|(start, word)| {
        let before = text
            .get(..start)
            .and_then(|before| before.chars().next_back());
        let behind = text.get(start + word.len()..).unwrap_or_default();
        let is_own_word = !before.is_some_and(|c| is_word(c) || c == '.')
            && !behind.chars().next().is_some_and(is_word);
        is_own_word && !behind.starts_with(".now") && !behind.starts_with(".address")
    })
}
