//! The matrix rows of input types, evaluated for each viewer.

use clearance::__matrix::{InputEntry, Part, Settable};
use clearance::entity::Schema;
use clearance::policy::{Context, Decision, Residual};
use clearance::registry::{InputFieldInfo, RuleInfo};
use clearance::{Permission, Result};

use crate::attributes::rules;
use crate::builder::{Asking, Who};
use crate::model::{Cell, InputFieldRow, InputRows, PresetRow};
use crate::rows::{rule_row, rule_rows, unknown};
use crate::words::{self, Subject};

pub(crate) fn input_rows<V: 'static>(
    input: &InputEntry<V>,
    asking: &[Asking<'_, V>],
    context: &Context,
) -> Result<InputRows> {
    let info = &input.info;
    let schema = input.entity.info.schema();
    let settable: Vec<Settable> = asking
        .iter()
        .map(|asking| settable(input, &asking.who, context))
        .collect();
    let cells = |parts: &dyn Fn(&Settable) -> Option<Vec<Part>>, rules: &[&RuleInfo]| {
        let columns = asking.iter().zip(&settable);
        columns
            .map(|(asking, settable)| {
                let parts = parts(settable).unwrap_or_default();
                cell(asking.name, &parts, schema, rules)
            })
            .collect::<Result<Vec<_>>>()
    };
    let stated = rules([&input.entity], [], []).into_iter();
    let stated: Vec<&RuleInfo> = stated.map(|(_, rule)| rule).collect();
    let mut fields = Vec::new();
    for (index, field) in info.fields().iter().enumerate() {
        let rules: Vec<&RuleInfo> = field.rules().iter().chain(field.shown_if()).collect();
        let cells = cells(&|settable| settable.fields.get(index).cloned(), &rules)?;
        fields.push(InputFieldRow {
            cells,
            ..field_row(field)
        });
    }
    let presets = info.presets().iter().map(|preset| PresetRow {
        field: preset.field().to_owned(),
        value: preset.source().text.to_owned(),
        at: preset.source().place(),
    });
    Ok(InputRows {
        name: info.name().to_owned(),
        entity: info.entity().to_owned(),
        action: info.action(),
        reads: info.reads().map(ToOwned::to_owned),
        row: cells(&|settable| Some(settable.row.clone()), &stated)?,
        fields,
        presets: presets.collect(),
    })
}

/// Makes the row of a field, without its cells.
fn field_row(field: &InputFieldInfo) -> InputFieldRow {
    InputFieldRow {
        field: field.field().to_owned(),
        key: field.key().to_owned(),
        required: field.is_required(),
        stored: field.is_stored(),
        blind: field.is_blind(),
        rules: rule_rows(field.rules()),
        shown_if: field.shown_if().iter().map(rule_row).collect(),
        refers_to: field.relations().iter().map(|it| it.name()).collect(),
        any_row: field.any_row(),
        cells: Vec::new(),
    }
}

/// Evaluates the rules of the input type for one column of the matrix.
fn settable<V>(input: &InputEntry<V>, who: &Who<'_, V>, context: &Context) -> Settable {
    match who {
        Who::System => (input.decide_system)(),
        // A public access does not write, whatever the rules.
        Who::Nobody => Settable::all(&Decision::Deny, input.info.fields().len()),
        Who::Viewer(viewer) => (input.decide)(viewer, context),
    }
}

/// Joins several decisions, all of which must allow, into one cell.
fn cell(viewer: &str, parts: &[Part], schema: &Schema, rules: &[&RuleInfo]) -> Result<Cell> {
    let mut conditions: Vec<(&Residual, Subject)> = Vec::new();
    let mut answer = Permission::Yes;
    for part in parts {
        match &part.decision {
            Decision::Allow => {}
            Decision::Deny => {
                answer = Permission::No;
                conditions.clear();
                break;
            }
            Decision::Depends(residual) => {
                answer = Permission::Depends;
                let row = if part.before {
                    Subject::Before
                } else {
                    Subject::Row
                };
                if !conditions.contains(&(residual, row)) {
                    conditions.push((residual, row));
                }
            }
            Decision::Fail(failure) => {
                return Err(unknown(viewer, *failure, rules.iter().copied()));
            }
        }
    }
    Ok(Cell {
        viewer: viewer.to_owned(),
        answer,
        when: (!conditions.is_empty()).then(|| words::all(&conditions, schema)),
    })
}
