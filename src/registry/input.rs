//! Type-erased descriptions of input types, with their rules as data.

use super::info::{EntityInfo, RuleInfo};
use crate::dto::{FieldSpec, Shape};
use crate::entity::RowAction;
use crate::input::{Incoming, is_required};
use crate::policy::Source;
use crate::schema::{Relation, Schema};

/// An [`Input`](trait@crate::Input) or a [`Patch`](trait@crate::Patch), type-erased.
#[derive(Debug, Clone)]
pub struct InputInfo {
    name: &'static str,
    action: RowAction,
    entity: EntityInfo,
    fields: Vec<InputFieldInfo>,
    presets: Vec<PresetInfo>,
    reads: Option<&'static str>,
}

/// A field that a client may send, type-erased.
#[derive(Debug, Clone)]
pub struct InputFieldInfo {
    field: &'static str,
    key: &'static str,
    stored: bool,
    required: bool,
    rules: Vec<RuleInfo>,
    shown_by: Option<&'static str>,
    shown_if: Vec<RuleInfo>,
    blind: bool,
    relations: Vec<&'static Relation>,
    any_row: Option<&'static str>,
}

/// A column that the program sets beside the client's fields, type-erased.
#[derive(Debug, Clone, Copy)]
pub struct PresetInfo {
    field: &'static str,
    source: Source,
}

impl InputInfo {
    pub(super) fn of<I: Incoming>() -> Self {
        let shape = I::__shape();
        let required = is_required::<I>();
        let fields = shape.fields().iter().map(|field| {
            let shown = shape.shown(field);
            let shown_by = shown.map(FieldSpec::field);
            InputFieldInfo {
                field: field.field(),
                key: field.json(),
                stored: field.is_stored(),
                required: required(field.json()),
                rules: field.rules().iter().map(RuleInfo::of).collect(),
                shown_by,
                shown_if: shown
                    .into_iter()
                    .flat_map(FieldSpec::rules)
                    .map(RuleInfo::of)
                    .collect(),
                blind: shape.action() == RowAction::Update
                    && field.is_stored()
                    && shown_by.is_none(),
                relations: field.relations().collect(),
                any_row: field.any_row(),
            }
        });
        let presets = shape.presets().iter().map(|preset| PresetInfo {
            field: preset.field(),
            source: preset.source(),
        });
        Self {
            name: shape.name(),
            action: shape.action(),
            entity: EntityInfo::of::<I::Entity>(),
            fields: fields.collect(),
            presets: presets.collect(),
            reads: shape.reads().map(Shape::name),
        }
    }

    /// Returns the name of its type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its operation on rows: [`RowAction::Create`] for an [`Input`](trait@crate::Input),
    /// [`RowAction::Update`] for a [`Patch`](trait@crate::Patch).
    #[must_use]
    pub const fn action(&self) -> RowAction {
        self.action
    }

    /// Returns the name of its entity's type.
    #[must_use]
    pub const fn entity(&self) -> &'static str {
        self.entity.schema().entity()
    }

    /// Returns its fields.
    #[must_use]
    pub fn fields(&self) -> &[InputFieldInfo] {
        &self.fields
    }

    /// Returns the columns that the program sets beside them.
    #[must_use]
    pub fn presets(&self) -> &[PresetInfo] {
        &self.presets
    }

    /// Returns the DTO whose rules decide which of the row may be read, if a patch names one.
    #[must_use]
    pub const fn reads(&self) -> Option<&'static str> {
        self.reads
    }

    /// Returns the rules that are evaluated on the row as written, each with its operation.
    pub(crate) fn written_rules(&self) -> impl Iterator<Item = (RowAction, &RuleInfo)> {
        let rules = self.fields.iter().flat_map(|field| &field.rules);
        rules.map(|rule| (self.action, rule))
    }

    pub(crate) const fn schema(&self) -> &'static Schema {
        self.entity.schema()
    }
}

impl InputFieldInfo {
    /// Returns the name of the field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the key under which a client sends the field.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Returns whether the field is written to the column of its name.
    #[must_use]
    pub const fn is_stored(&self) -> bool {
        self.stored
    }

    /// Returns whether a body without the field is refused.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// Returns the rules that must all allow it; without any, every viewer who may write the row may
    /// set it.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        &self.rules
    }

    /// Returns the field of the DTO read that must be visible for this one to be set. `None` in a new
    /// row, and if the field is blind.
    #[must_use]
    pub const fn shown_by(&self) -> Option<&'static str> {
        self.shown_by
    }

    /// Returns the rules of that field, which must all allow it too.
    #[must_use]
    pub fn shown_if(&self) -> &[RuleInfo] {
        &self.shown_if
    }

    /// Returns whether a patch may set the field even if its viewer may not see the value to be
    /// replaced.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        self.blind
    }

    /// Returns the relations of the entity that the field sets: each leads to the row with the given
    /// key.
    #[must_use]
    pub fn relations(&self) -> &[&'static Relation] {
        &self.relations
    }

    /// Returns the reason why the field may refer to a row that its viewer may not read; `None` if it
    /// may not.
    #[must_use]
    pub const fn any_row(&self) -> Option<&'static str> {
        self.any_row
    }
}

impl PresetInfo {
    /// Returns the field of the entity that is set.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the expression of its value, and its place in the source.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}
