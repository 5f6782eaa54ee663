//! The access matrix as plain data.

use serde::{Serialize, Serializer};

use crate::entity::RowAction;
use crate::repository::Answer;

/// The version of the form in which a matrix is written.
pub(super) const VERSION: u32 = 1;

/// Who may do and see what, made from the types: viewers by operations, fields and methods.
///
/// Made by [`App::matrix`](crate::App::matrix). It holds no row. What it holds of the sample
/// viewers it was given for, it shows.
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
    /// Whether calls that only the source tells of are among the escape hatches.
    pub(crate) source_was_read: bool,
    /// Whether the lints that need the live schema were run.
    pub(crate) schema_was_read: bool,
    pub(crate) lints: Vec<Lint>,
}

/// The circumstances that the matrix was worked out in.
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
    /// The fields that are equal.
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
    /// Fields of the same DTO that it would tell of: where one is hidden, so is it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hidden_with: Vec<String>,
    pub(crate) cells: Vec<Cell>,
}

/// What a client may send to be written.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputRows {
    pub(crate) name: String,
    pub(crate) entity: String,
    #[serde(serialize_with = "word")]
    pub(crate) action: RowAction,
    /// The DTO that must show what a patch replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reads: Option<String>,
    /// Who may do that at all, given the presets.
    #[serde(rename = "cells")]
    pub(crate) row: Vec<Cell>,
    pub(crate) fields: Vec<InputFieldRow>,
    /// What the program sets, whatever a client sends.
    pub(crate) presets: Vec<PresetRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputFieldRow {
    pub(crate) field: String,
    pub(crate) key: String,
    /// A body without it is refused.
    pub(crate) required: bool,
    /// It is written to the column of its name.
    pub(crate) stored: bool,
    /// It replaces also what its viewer may not see.
    pub(crate) blind: bool,
    pub(crate) rules: Vec<RuleRow>,
    /// The rules by which the DTO must show what is replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shown_if: Vec<RuleRow>,
    /// The relations that it sets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refers_to: Vec<&'static str>,
    /// Why it may refer to a row that its viewer may not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) any_row: Option<&'static str>,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PresetRow {
    pub(crate) field: String,
    /// The expression, as it is written.
    pub(crate) value: String,
    pub(crate) at: String,
}

impl InputRows {
    /// How it is spoken of.
    pub(super) fn kind(&self) -> InputKind {
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
    serializer.serialize_str(action.word())
}

/// Words for an input type.
pub(super) struct InputKind {
    pub(super) title: &'static str,
    pub(super) does: &'static str,
    pub(super) speaks_of: &'static str,
}

impl InputFieldRow {
    /// What is to be known of it before its rules, in words.
    pub(super) fn notes(&self) -> String {
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

    /// What stands in place of rules where there are none.
    pub(super) const fn without_rules(&self) -> &'static str {
        if self.stored {
            "whoever may write the row"
        } else {
            "given to the repository"
        }
    }
}

/// What a field shows that is no column.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MadeOf {
    Computed { function: String, from: Vec<String> },
    Related { relation: String, shown_as: String },
}

impl MadeOf {
    /// In words, with names between backticks.
    pub(super) fn words(&self) -> String {
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
    /// What the field is made of and hidden with, in words, where that is to be said.
    pub(super) fn notes(&self) -> (Option<String>, Option<String>) {
        let hidden = (!self.hidden_with.is_empty())
            .then(|| format!("hidden with {}", quoted(&self.hidden_with)));
        (self.made_of.as_ref().map(MadeOf::words), hidden)
    }
}

impl RelationRow {
    /// How it is joined, in words.
    pub(super) fn joined(&self) -> String {
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
    pub(crate) answer: Answer,
    /// What must hold of the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<String>,
}

/// What of the request is read, and by which rules and conditions.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AttributeRow {
    pub(crate) attribute: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) read_at: Vec<String>,
}

/// A way around the rules, or past a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Hatch {
    pub(crate) kind: &'static str,
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
}

/// Something that is allowed and may not be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lint {
    pub(crate) lint: &'static str,
    pub(crate) at: Vec<String>,
    pub(crate) about: String,
    pub(crate) advice: &'static str,
}

/// The column of a caller without a viewer.
pub(super) const NOBODY: &str = "nobody";
/// The column of the program itself.
pub(super) const SYSTEM: &str = "system";
