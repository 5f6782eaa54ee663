//! Lint of rules that read columns which the viewers they judge may write themselves.

use std::collections::BTreeMap;

use clearance::__matrix::{EntityEntry, InputEntry, Part, Settable, at, attribute, fields, key};
use clearance::entity::{ColumnSpec, RowAction, Schema};
use clearance::policy::{Decision, Residual};
use clearance::registry::RuleInfo;

use super::inputs::may_be_set;
use super::{Lint, Subject, listed};
use crate::words;

/// Lints a rule that reads a column which the viewers it judges may write themselves.
pub(super) fn rules_over_writable_columns<V>(
    subject: &Subject<'_, V>,
    entity: &EntityEntry<V>,
    lints: &mut Vec<Lint>,
) {
    let schema = entity.info.schema();
    let key = schema.columns().get(key(schema)).map(ColumnSpec::field);
    // Keyed by the place, the item, the column and the way it is written; the values are the viewers.
    let mut found: BTreeMap<(String, String, &'static str, String), Vec<&str>> = BTreeMap::new();
    for (name, viewer) in subject.viewers {
        let rows = (entity.decide)(Some(viewer), subject.context);
        let updates = entity
            .info
            .operations()
            .iter()
            .zip(&rows)
            .any(|((action, _), decision)| {
                *action == RowAction::Update && *decision != Decision::Deny
            });
        if !updates {
            continue;
        }
        let patches = Patches::of(subject, entity, viewer);
        for judged in judged(subject, entity, viewer, rows, &patches) {
            for rule in judged.rules {
                for field in fields(rule, schema) {
                    if Some(field) == key || !judged.reads.contains(&field) {
                        continue;
                    }
                    let Some(written) = patches.written(field, judged.own) else {
                        continue;
                    };
                    let place = rule.source().place();
                    let hit = (place, judged.what.clone(), field, written);
                    let viewers = found.entry(hit).or_default();
                    if !viewers.contains(&name.as_str()) {
                        viewers.push(name);
                    }
                }
            }
        }
    }
    for ((place, what, field, written), viewers) in found {
        lints.push(Lint {
            lint: "rule reads a column that the same viewer may write",
            at: vec![place],
            about: format!(
                "the rule of {what} reads `{field}`, and {} may {written}",
                listed(&viewers)
            ),
            advice: "a viewer who may write the column can change the result of the rule for the row: narrow `update_if` or the rule of the patch's field, assign the column only \
                     in methods for those who may, or accept it in review",
        });
    }
}

/// Rules, and the columns of the stored row that their residual reads for one viewer.
struct Judged<'a> {
    what: String,
    rules: &'a [RuleInfo],
    reads: Vec<&'static str>,
    /// The patch and the field that declare the rules.
    own: Option<(&'static str, &'static str)>,
}

fn judged<'a, V>(
    subject: &Subject<'a, V>,
    entity: &'a EntityEntry<V>,
    viewer: &V,
    rows: Vec<Decision>,
    patches: &Patches<'a, V>,
) -> Vec<Judged<'a>> {
    let schema = entity.info.schema();
    let mut judged = Vec::new();
    let mut add = |what, rules, decision: &Decision, own, sent: &[&str]| {
        if let Decision::Depends(residual) = decision {
            judged.push(Judged {
                what,
                rules,
                reads: stored(residual, schema, sent),
                own,
            });
        }
    };
    for ((action, stated), decision) in entity.info.operations().iter().zip(rows) {
        // Its creator writes a new row anyway.
        if *action != RowAction::Create {
            let what = format!("`{}` of `{}`", attribute(*action), schema.entity());
            add(what, stated.rules(), &decision, None, &[]);
        }
    }
    for dto in subject.dtos_of(entity) {
        let decided = (dto.decide)(Some(viewer), subject.context);
        for (field, decision) in dto.info.fields().iter().zip(decided) {
            let what = format!("`{}::{}`", dto.info.name(), field.field());
            add(what, field.rules(), &decision, None, &[]);
        }
    }
    for (patch, settable) in &patches.0 {
        let info = &patch.info;
        let stored = info.fields().iter().filter(|field| field.is_stored());
        let presets = info.presets().iter().map(|preset| preset.field());
        let sent: Vec<_> = stored.map(|field| field.field()).chain(presets).collect();
        for (field, parts) in info.fields().iter().zip(&settable.fields) {
            // The DTO's rules about the row as it was are judged with the DTO.
            for part in parts.iter().filter(|part| !part.before) {
                let what = format!("`{}::{}`", info.name(), field.field());
                let own = Some((info.name(), field.field()));
                add(what, field.rules(), &part.decision, own, &sent);
            }
        }
    }
    judged
}

/// Returns the columns that the residual reads from the stored row: without those that are `sent`,
/// unless it reads them as they were.
fn stored(residual: &Residual, schema: &Schema, sent: &[&str]) -> Vec<&'static str> {
    let mut columns = Vec::new();
    words::columns(residual, &mut columns);
    let columns = columns.into_iter().filter_map(|place| at(schema, place));
    columns
        .filter(|(column, before)| *before || !sent.contains(&column.field()))
        .map(|(column, _)| column.field())
        .collect()
}

/// The listed patches of an entity, with the decisions on each for one viewer.
struct Patches<'a, V>(Vec<(&'a InputEntry<V>, Settable)>);

impl<'a, V> Patches<'a, V> {
    fn of(subject: &Subject<'a, V>, entity: &EntityEntry<V>, viewer: &V) -> Self {
        let inputs = subject.inputs_of(entity);
        let patches = inputs.filter(|input| input.info.action() == RowAction::Update);
        let patches = patches.map(|patch| (patch, (patch.decide)(viewer, subject.context)));
        Self(patches.collect())
    }

    /// Describes how the viewer may write this column, if at all. A column named by patches is written
    /// only as they allow; any method that updates may `set` another one.
    ///
    /// The rule of a field judges every write by its own patch, so that it may read the field.
    fn written(&self, field: &str, own: Option<(&str, &str)>) -> Option<String> {
        let mut named = false;
        let mut by: Vec<String> = Vec::new();
        for (patch, settable) in &self.0 {
            let allowed = |parts: &Vec<Part>| may_be_set(parts);
            let mut sent = patch.info.fields().iter().zip(&settable.fields);
            let preset = patch.info.presets().iter().any(|it| it.field() == field);
            let sets = if let Some((_, parts)) =
                sent.find(|(known, _)| known.is_stored() && known.field() == field)
            {
                allowed(parts)
            } else if preset {
                settable.fields.iter().any(allowed)
            } else {
                continue;
            };
            named = true;
            if sets && own != Some((patch.info.name(), field)) {
                by.push(format!("`{}`", patch.info.name()));
            }
        }
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        match (named, by.is_empty()) {
            (_, false) => Some(format!("write it by {}", listed(&by))),
            (true, true) => None,
            (false, true) => Some("update such rows".to_owned()),
        }
    }
}
