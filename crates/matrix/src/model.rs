//! The data model of the access matrix, as it is serialised.

use clearance::Permission;
use clearance::entity::RowAction;
use serde::{Serialize, Serializer};

/// The version of the serialised format.
pub(crate) const VERSION: u32 = 1;

/// The access matrix: the answers for each viewer, by operation, field and method.
///
/// Made by [`Matrix::of`]. It contains no row. It shows values of the sample
/// viewers that it was given.
#[derive(Debug, Clone, Serialize)]
pub struct Matrix {
    #[serde(rename = "clearance_matrix")]
    pub(crate) version: u32,
    pub(crate) context: Circumstances,
    /// The columns, in order.
    pub(crate) viewers: Vec<String>,
    pub(crate) entities: Vec<EntityRows>,
    pub(crate) dtos: Vec<DtoRows>,
    pub(crate) inputs: Vec<InputRows>,
    pub(crate) repositories: Vec<RepositoryRows>,
    pub(crate) context_attributes: Vec<AttributeRow>,
    pub(crate) escape_hatches: Vec<Hatch>,
    /// Set if the source was scanned for escape hatches that types do not reveal.
    pub(crate) source_was_read: bool,
    /// Set if the lints that need the live schema were run.
    pub(crate) schema_was_read: bool,
    pub(crate) lints: Vec<Lint>,
}

/// The context in which the rules were evaluated.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Circumstances {
    pub(crate) now: String,
    pub(crate) address: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct EntityRows {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) operations: Vec<OperationRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) relations: Vec<RelationRow>,
    pub(crate) columns: Vec<ColumnRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct OperationRow {
    /// `read`, `create`, `update`, `delete`, `update to`, or `filter by` and a field.
    pub(crate) operation: String,
    pub(crate) stated: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) rules: Vec<RuleRow>,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ColumnRow {
    pub(crate) field: String,
    pub(crate) column: String,
    pub(crate) kind: String,
    pub(crate) nullable: bool,
    /// `key`, `lookup` or `plain`.
    pub(crate) usage: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct RelationRow {
    pub(crate) relation: String,
    pub(crate) leads_to: &'static str,
    pub(crate) entity: String,
    /// The pairs of equal fields.
    pub(crate) on: Vec<Pair>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pair {
    pub(crate) theirs: String,
    pub(crate) own: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct DtoRows {
    pub(crate) name: String,
    pub(crate) entity: String,
    pub(crate) fields: Vec<FieldRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct FieldRow {
    pub(crate) field: String,
    pub(crate) key: String,
    pub(crate) when_hidden: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) made_of: Option<MadeOf>,
    pub(crate) rules: Vec<RuleRow>,
    /// Fields of the same DTO that its value would reveal: it is hidden if one of them is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hidden_with: Vec<String>,
    pub(crate) cells: Vec<Cell>,
}

/// An input type: its fields and presets, with the answers for each viewer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputRows {
    pub(crate) name: String,
    pub(crate) entity: String,
    #[serde(serialize_with = "word")]
    pub(crate) action: RowAction,
    /// The DTO that must show the values that a patch replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reads: Option<String>,
    /// The answers for the creation or update of the row, given the presets.
    #[serde(rename = "cells")]
    pub(crate) row: Vec<Cell>,
    pub(crate) fields: Vec<InputFieldRow>,
    /// The values that the program sets, regardless of the body.
    pub(crate) presets: Vec<PresetRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputFieldRow {
    pub(crate) field: String,
    pub(crate) key: String,
    /// Set if a body without the field is refused.
    pub(crate) required: bool,
    /// Set if the field is written to the column of its name.
    pub(crate) stored: bool,
    /// Set if the field may replace a value that its viewer may not see.
    pub(crate) blind: bool,
    pub(crate) rules: Vec<RuleRow>,
    /// The rules by which the DTO must show the value to be replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shown_if: Vec<RuleRow>,
    /// The relations that the field sets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refers_to: Vec<&'static str>,
    /// The reason why the field may refer to a row that its viewer may not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) any_row: Option<&'static str>,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PresetRow {
    pub(crate) field: String,
    /// The expression, as written.
    pub(crate) value: String,
    pub(crate) at: String,
}

impl InputRows {
    /// Returns the phrases for this kind of input type.
    pub(crate) fn kind(&self) -> InputKind {
        if self.action == RowAction::Create {
            InputKind {
                title: "Input",
                does: "Creates rows of",
                speaks_of: "the answers for its fields speak of rows that may be created",
            }
        } else {
            InputKind {
                title: "Patch",
                does: "Updates rows of",
                speaks_of: "the answers for its fields speak of rows that may be updated and, \
                            but for blind fields, be read; `row` is what the row will be, and \
                            `before` what it was",
            }
        }
    }
}

fn word<S: Serializer>(action: &RowAction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.as_str())
}

/// The phrases for a kind of input type.
pub(crate) struct InputKind {
    pub(crate) title: &'static str,
    pub(crate) does: &'static str,
    pub(crate) speaks_of: &'static str,
}

impl InputFieldRow {
    /// Describes the field apart from its rules: whether it is required, stored or blind, and its
    /// references.
    pub(crate) fn notes(&self) -> String {
        let mut notes = vec![if self.required {
            "must be sent".to_owned()
        } else {
            "may be absent".to_owned()
        }];
        notes.extend((!self.stored).then(|| "not stored".to_owned()));
        notes.extend(self.blind.then(|| "blind".to_owned()));
        let which = match self.any_row {
            Some(_) => "any",
            None => "one that may be read",
        };
        let refers = self.refers_to.iter();
        notes.extend(refers.map(|relation| format!("sets `{relation}` to {which}")));
        notes.join(", ")
    }

    /// Returns the phrase in place of rules for a field without any.
    pub(crate) const fn without_rules(&self) -> &'static str {
        if self.stored {
            "whoever may write the row"
        } else {
            "given to the repository"
        }
    }
}

/// The source of a DTO field that is not a column.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MadeOf {
    Computed { function: String, from: Vec<String> },
    Related { relation: String, shown_as: String },
}

impl MadeOf {
    /// Describes the source, with names between backticks.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Computed { function, from } => {
                format!("`{function}` of {}", quoted(from))
            }
            Self::Related { relation, shown_as } => {
                format!("rows of `{relation}` as `{shown_as}`")
            }
        }
    }
}

impl FieldRow {
    /// Describes the source of the field and the fields it is hidden with, if there is something to
    /// describe.
    pub(crate) fn notes(&self) -> (Option<String>, Option<String>) {
        let hidden = (!self.hidden_with.is_empty())
            .then(|| format!("hidden with {}", quoted(&self.hidden_with)));
        (self.made_of.as_ref().map(MadeOf::words), hidden)
    }
}

impl RelationRow {
    /// Describes the join condition.
    pub(crate) fn joined(&self) -> String {
        let pairs = self.on.iter();
        let pairs =
            pairs.map(|pair| format!("`{}.{} = row.{}`", self.entity, pair.theirs, pair.own));
        pairs.collect::<Vec<_>>().join(" and ")
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct RepositoryRows {
    pub(crate) name: String,
    pub(crate) methods: Vec<MethodRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct MethodRow {
    pub(crate) method: String,
    pub(crate) action: &'static str,
    /// `authenticated`, `authorize` or `public`.
    pub(crate) guard: &'static str,
    /// The condition, or the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    pub(crate) at: String,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RuleRow {
    pub(crate) text: String,
    pub(crate) at: String,
}

/// The answer for one viewer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cell {
    pub(crate) viewer: String,
    pub(crate) answer: Permission,
    /// The condition that the row must fulfil.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<String>,
}

/// An attribute of the request, and the places of the rules and conditions that read it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AttributeRow {
    pub(crate) attribute: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) read_at: Vec<String>,
}

/// An escape hatch: a way around the rules, or past a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Hatch {
    pub(crate) kind: &'static str,
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
}

/// A finding: something that is allowed but may be unintended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lint {
    pub(crate) lint: &'static str,
    pub(crate) at: Vec<String>,
    pub(crate) about: String,
    pub(crate) advice: &'static str,
}

/// The column of a caller without a viewer.
pub(crate) const NOBODY: &str = "nobody";
/// The column of the program itself.
pub(crate) const SYSTEM: &str = "system";
