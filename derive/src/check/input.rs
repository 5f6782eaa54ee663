//! Checks of input types: their entity, presets, and the write rules of each field.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{Expr, LitStr, Path};

use super::one_constant_each;
use crate::diag::Diag;
use crate::rule::{Place, Rule, plain};
use crate::syntax::input::{Derive, RawField, RawInput};
use crate::syntax::plain_name;
use crate::tokens;

/// An input type that passed the checks.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) entity: Path,
    pub(crate) presets: Vec<Preset>,
    /// In the order of the raw fields.
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct Preset {
    pub(crate) field: Ident,
    pub(crate) value: Expr,
    /// The first use of `viewer`, and of `context`.
    pub(crate) viewer: Option<Ident>,
    pub(crate) context: Option<Ident>,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// The key in JSON.
    pub(crate) json: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) stored: bool,
    /// Set if the DTO must show the value that the field replaces.
    pub(crate) shown: bool,
    /// The reason why the field may refer to rows that its viewer may not read.
    pub(crate) any_row: Option<LitStr>,
}

/// Checks an input type. Returns `None` if there is an error; every error is reported.
pub(crate) fn check(raw: &mut RawInput, diag: &mut Diag) -> Option<Input> {
    let entity = entity(raw, diag);
    let presets = presets(raw, diag);
    let names = names(raw, diag);
    one_constant_each(raw.fields.iter().map(|field| &field.ident), diag);
    let place = match raw.derive {
        Derive::Input => Place::Row,
        Derive::Patch => Place::Updated,
    };
    let (derive, reads, unread) = (raw.derive, raw.reads.is_some(), raw.unread);
    let mut fields = Vec::new();
    for (field, json) in raw.fields.iter_mut().zip(names) {
        stated(field, unread, diag);
        let shown = derive == Derive::Patch && field.blind.is_none() && field.unstored.is_none();
        if let (Derive::Input, Some(blind)) = (derive, &field.blind) {
            diag.error(
                blind,
                "a new row has no value that could be read",
                "write `#[writable]`",
            );
        }
        if shown && !reads && !unread && !field.unread {
            diag.error(
                &field.ident,
                format!(
                    "the patch does not say which DTO shows `{}`",
                    plain_name(&field.ident)
                ),
                "name the DTO that the client edits, `#[patch(reads = ..)]`, so that a viewer overwrites only values that they may read; or write `#[writable(blind)]` on a field that may be set without being seen",
            );
        }
        let mut rules = Vec::new();
        for (_, rule) in std::mem::take(&mut field.rules) {
            rules.extend(rule.and_then(|rule| rule.check(place, diag)));
        }
        fields.push(Field {
            json,
            rules,
            stored: field.unstored.is_none(),
            shown,
            any_row: any_row(field, diag),
        });
    }
    if !diag.is_clean() {
        return None;
    }
    Some(Input {
        entity: entity?,
        presets,
        fields,
    })
}

fn entity(raw: &RawInput, diag: &mut Diag) -> Option<Path> {
    if raw.entity.is_none() && !raw.unread {
        let attribute = raw.derive.attribute();
        diag.error(
            &raw.ident,
            format!("the {attribute} does not say which entity it writes"),
            format!("add `#[{attribute}(entity = ..)]`, with the type under `#[derive(Entity)]`"),
        );
    }
    raw.entity.clone()
}

/// ```text
/// title: String,
/// #[writable] #[writable_if(..)] title: String,
/// #[writable] #[unstored] title: String,
/// ```
fn stated(field: &RawField, unread: bool, diag: &mut Diag) {
    let RawField {
        writable,
        blind,
        any_row,
        unstored,
        rules,
        ..
    } = field;
    if let Some(unstored) = unstored {
        if writable.is_some() || !rules.is_empty() {
            diag.error(
                unstored,
                "a field that is not stored cannot have a rule for writing it",
                "keep one of the two",
            );
        }
        return;
    }
    match (writable, rules.first()) {
        (None, None) if !unread && !field.unread => diag.error(
            &field.ident,
            format!(
                "`{}` does not say who may write it",
                plain_name(&field.ident)
            ),
            "add `#[writable]`, `#[writable_if(..)]`, or `#[unstored]` for a field that only the repository reads; if no client may send it, remove the field and set the column with `#[preset(..)]`",
        ),
        (Some(_), Some((rule, _))) if blind.is_none() && any_row.is_none() => diag.error(
            rule,
            "`#[writable]` lets everybody write the field, so the rule decides nothing",
            "keep one of the two",
        ),
        _ => {}
    }
}

/// ```text
/// #[writable(any_row, reason = "..")] board_id: i64,
/// ```
fn any_row(field: &RawField, diag: &mut Diag) -> Option<LitStr> {
    match (&field.any_row, &field.reason) {
        (Some(_), Some((_, reason))) => {
            if reason.value().trim().is_empty() {
                diag.error(
                    reason,
                    "the reason is empty",
                    "say why the field may refer to a row that its viewer may not read",
                );
            }
            Some(reason.clone())
        }
        (Some(any_row), None) => {
            if !field.unread {
                diag.error(
                    any_row,
                    "`any_row` needs a reason",
                    "write `#[writable(any_row, reason = \"..\")]`, which says why the field may refer to a row that its viewer may not read",
                );
            }
            None
        }
        (None, Some((key, _))) => {
            diag.error(
                key,
                "`reason` belongs to `any_row`",
                "remove it, or write `#[writable(any_row, reason = \"..\")]`",
            );
            None
        }
        (None, None) => None,
    }
}

/// ```text
/// #[preset(owner = viewer.id)] struct NewNote { owner: i64 }
/// #[preset(owner = viewer.id, owner = 3)]
/// #[preset(owner = viewer.id()?)]
/// ```
fn presets(raw: &mut RawInput, diag: &mut Diag) -> Vec<Preset> {
    let mut presets: Vec<Preset> = Vec::new();
    for preset in std::mem::take(&mut raw.presets) {
        let field = preset.field;
        plain::is_plain(&preset.value, "a preset", plain::NAMES_WITHOUT_ROW, diag);
        let named = |ident: &Ident| plain_name(ident) == plain_name(&field);
        if presets.iter().any(|known| named(&known.field)) {
            diag.error(
                &field,
                format!("`{field}` is preset twice"),
                "keep one of the two",
            );
        }
        if let Some(sent) = raw.fields.iter().find(|sent| named(&sent.ident)) {
            diag.error(
                &sent.ident,
                format!("`{field}` is preset, so no client may send it"),
                "remove this field, or the preset",
            );
        }
        let uses = |name| tokens::find(preset.value.to_token_stream(), name);
        presets.push(Preset {
            field,
            viewer: uses("viewer"),
            context: uses("context"),
            value: preset.value,
        });
    }
    presets
}

fn names(raw: &RawInput, diag: &mut Diag) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for field in &raw.fields {
        let name = match &field.rename {
            Some(name) => name.value(),
            None => raw.rename_all.apply_to_field(&plain_name(&field.ident)),
        };
        if names.contains(&name) {
            diag.error(
                &field.ident,
                format!("two fields are called `{name}` in JSON"),
                "rename one of them",
            );
        }
        names.push(name);
    }
    names
}
