//! Checks of DTOs: their entity, and the visibility, output and source of each field.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use syn::visit::Visit;
use syn::{Path, Type};

use super::one_constant_each;
use crate::diag::Diag;
use crate::rule::{Place, Rule};
use crate::syntax::dto::{RawDto, RawField};
use crate::syntax::plain_name;

/// A DTO that passed the checks.
#[derive(Debug)]
pub(crate) struct Dto {
    pub(crate) entity: Path,
    /// In the order of the raw fields.
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// The key in JSON.
    pub(crate) json: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) output: Output,
    pub(crate) source: Source,
}

/// The source of a field's value.
#[derive(Debug)]
pub(crate) enum Source {
    /// The column of its name.
    Column,
    /// The rows of this relation.
    Related(Ident),
    /// The result of a function on these columns.
    Computed(Path, Vec<Ident>),
}

/// The output in place of a hidden value.
#[derive(Debug)]
pub(crate) enum Output {
    /// The field is never hidden.
    Shown,
    Omit,
    Null,
    Error,
    Mask(Mask),
    MaskInProcess(Path),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Mask {
    Last4,
    Domain,
    Initial,
}

/// The maximum number of fields: the width of the bit set of visible fields.
const MAX_FIELDS: usize = 128;

/// Checks a DTO. Returns `None` if there is an error; every error is reported.
pub(crate) fn check(raw: &mut RawDto, diag: &mut Diag) -> Option<Dto> {
    few_fields(raw, diag);
    let entity = entity(raw, diag);
    let names = one_key_each(raw, diag);
    one_constant_each(raw.fields.iter().map(|field| &field.ident), diag);
    // After a misspelt `default` it is unknown whether the fields need rules.
    let default_visible = raw.default_visible || raw.unread;
    let ruled = ruled(raw);
    let mut fields = Vec::new();
    for (field, json) in raw.fields.iter_mut().zip(names) {
        stated_rule(field, default_visible, diag);
        one_visibility(field, diag);
        one_output(field, diag);
        output_of_conditional(field, diag);
        no_secret(field, diag);
        if !field.rules.is_empty() && field.computed.is_none() {
            hideable_type(field, diag);
        }
        let source = source(field, diag);
        let hideable = match &source {
            Source::Column | Source::Related(_) => false,
            Source::Computed(_, inputs) => inputs.iter().any(|input| ruled.contains(input)),
        };
        if hideable || (field.computed.is_some() && !field.rules.is_empty()) {
            computed_type(field, diag);
        }
        let output = output(field, hideable);
        let place = match source {
            Source::Column => Place::Field,
            Source::Related(_) | Source::Computed(..) => Place::Row,
        };
        let mut rules = Vec::new();
        for rule in std::mem::take(&mut field.rules) {
            rules.extend(rule.rule.and_then(|rule| rule.check(place, diag)));
        }
        fields.push(Field {
            json,
            rules,
            output,
            source,
        });
    }
    if !diag.is_clean() {
        return None;
    }
    Some(Dto {
        entity: entity?,
        fields,
    })
}

/// A struct of 129 fields.
fn few_fields(raw: &RawDto, diag: &mut Diag) {
    if let Some(field) = raw.fields.get(MAX_FIELDS) {
        diag.error(
            &field.ident,
            format!("a DTO has at most {MAX_FIELDS} fields"),
            "split it into several DTOs of the entity",
        );
    }
}

/// `#[dto(default = visible)]`
fn entity(raw: &RawDto, diag: &mut Diag) -> Option<Path> {
    if raw.entity.is_none() && !raw.unread {
        diag.error(
            &raw.ident,
            "the DTO does not say which entity it shows",
            "add `#[dto(entity = User)]`, with the type under `#[derive(Entity)]`",
        );
    }
    raw.entity.clone()
}

/// `struct Profile { phone: Field<String> }` without `default = visible`
fn stated_rule(field: &RawField, default_visible: bool, diag: &mut Diag) {
    let stated = field.visible.is_some() || !field.rules.is_empty();
    if !stated && !default_visible && !field.unread {
        diag.error(
            &field.ident,
            format!("the field `{}` does not say who may see it", field.ident),
            "add `#[visible_if(..)]`, or `#[visible]` if every viewer who may read the row may see it, or state `#[dto(default = visible)]` for the whole struct",
        );
    }
}

/// `#[visible] #[visible_if(..)] phone: ..`
fn one_visibility(field: &RawField, diag: &mut Diag) {
    if let (Some(visible), Some(rule)) = (&field.visible, field.rules.first()) {
        let form = rule
            .attribute
            .get_ident()
            .map_or_else(String::new, ToString::to_string);
        diag.error(
            visible,
            format!("`#[visible]` contradicts `#[{form}(..)]`"),
            "keep one of the two",
        );
    }
}

/// `#[dto(hidden = null, mask = last4)]`
fn one_output(field: &RawField, diag: &mut Diag) {
    for second in stated_outputs(field).skip(1) {
        diag.error(
            second,
            format!("`{second}` is a second output for a hidden value"),
            "keep one of `hidden`, `mask` and `mask_in_process`",
        );
    }
}

/// Returns the keys that say what a hidden value is shown as.
fn stated_outputs(field: &RawField) -> impl Iterator<Item = &Ident> {
    let words = [&field.hidden, &field.mask].into_iter().flatten();
    let in_process = field.mask_in_process.as_ref().map(|(key, _)| key);
    words.map(|(key, _)| key).chain(in_process)
}

/// `#[visible] #[dto(hidden = null)] phone: ..`
fn output_of_conditional(field: &RawField, diag: &mut Diag) {
    let hidden_with_others = field.related.is_some() || field.computed.is_some();
    if !field.rules.is_empty() || hidden_with_others {
        return;
    }
    if let Some(stated) = stated_outputs(field).next() {
        diag.error(
            stated,
            format!("`{stated}` is about a hidden value, and the field is always visible"),
            format!("add `#[visible_if(..)]`, or remove `{stated}`"),
        );
    }
}

/// `password_hash: Field<Secret<String>>`
///
/// The library's types refuse it under any name; this check gives one clear error.
fn no_secret(field: &RawField, diag: &mut Diag) {
    let mut finder = FindSecret(None);
    finder.visit_type(&field.ty);
    if let Some(secret) = finder.0 {
        diag.error(
            secret,
            "a secret cannot leave the repository",
            "remove the field; compare the secret inside the repository instead",
        );
    }
}

struct FindSecret(Option<Ident>);

impl Visit<'_> for FindSecret {
    fn visit_path_segment(&mut self, segment: &syn::PathSegment) {
        if segment.ident == "Secret" {
            self.0.get_or_insert_with(|| segment.ident.clone());
        }
        syn::visit::visit_path_segment(self, segment);
    }
}

/// `#[visible_if(..)] phone: String`
fn hideable_type(field: &RawField, diag: &mut Diag) {
    let replaced = field.mask.is_some()
        || field.mask_in_process.is_some()
        || field
            .hidden
            .as_ref()
            .is_some_and(|(_, word)| word == "error");
    if field.unread || replaced || is_option(&field.ty) || is_field(&field.ty) {
        return;
    }
    diag.error(
        &field.ty,
        "the field can be hidden, but its type cannot say so",
        format!(
            "write `Field<{0}>`, or `Option<{0}>` to show a hidden value as null; or keep the type and add `#[dto(mask = ..)]` or `#[dto(hidden = error)]`",
            crate::tokens::text(quote::ToTokens::to_token_stream(&field.ty)),
        ),
    );
}

/// `#[dto(computed = full_name, from(first, last))] name: String`, where `last` can be hidden
fn computed_type(field: &RawField, diag: &mut Diag) {
    if !is_field(&field.ty) {
        diag.error(
            &field.ty,
            "the computed field is hidden wherever a field that it is computed from is, but its type cannot say so",
            format!(
                "write `Field<{}>`",
                crate::tokens::text(quote::ToTokens::to_token_stream(&field.ty)),
            ),
        );
    }
}

/// ```text
/// a: Uuid, #[serde(rename = "a")] b: String
/// ```
///
/// Returns the key of each field.
fn one_key_each(raw: &RawDto, diag: &mut Diag) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for field in &raw.fields {
        let plain = plain_name(&field.ident);
        let json = field
            .rename
            .as_ref()
            .map_or_else(|| raw.rename_all.apply_to_field(&plain), syn::LitStr::value);
        if let Some(other) = seen.insert(json.clone(), plain) {
            let message = format!("the key \"{json}\" is already used for the field `{other}`");
            let help = "give one of the two another name with `#[serde(rename = \"..\")]`";
            match &field.rename {
                Some(rename) => diag.error(rename, message, help),
                None => diag.error(&field.ident, message, help),
            }
        }
        names.push(json);
    }
    names
}

/// Returns the fields that can be hidden.
fn ruled(raw: &RawDto) -> Vec<Ident> {
    raw.fields
        .iter()
        .filter(|field| !field.rules.is_empty())
        .map(|field| field.ident.clone())
        .collect()
}

/// ```text
/// #[dto(related, mask = last4)]
/// #[dto(computed = full_name)]
/// #[dto(from(first, last))]
/// ```
fn source(field: &RawField, diag: &mut Diag) -> Source {
    let replaced = stated_outputs(field).find(|key| {
        let refuses = |(_, word): &(Ident, Ident)| word == "error";
        *key != "hidden" || field.hidden.as_ref().is_some_and(refuses)
    });
    let kind = match (&field.related, &field.computed) {
        (Some(_), _) => Some("related"),
        (None, Some(_)) => Some("computed"),
        (None, None) => None,
    };
    if let (Some(key), Some(kind)) = (replaced, kind) {
        let stated = if key == "hidden" {
            "hidden = error".to_owned()
        } else {
            key.to_string()
        };
        diag.error(
            key,
            format!("`{stated}` works on the value of a column, and this field is {kind}"),
            format!(
                "remove `{stated}`, and give the field a type that can be hidden, as `Field<..>`"
            ),
        );
    }
    match (&field.related, &field.computed, &field.from) {
        (None, None, None) => Source::Column,
        (Some((_, relation)), None, None) => Source::Related(relation.clone()),
        (None, Some((_, path)), Some((_, inputs))) => {
            Source::Computed(path.clone(), inputs.clone())
        }
        (None, Some((key, _)), None) => {
            diag.error(
                key,
                "`computed` needs the fields that the value is computed from",
                "add `from(first_name, last_name)`; the value is hidden wherever one of them is",
            );
            Source::Column
        }
        (None, None, Some((key, _))) => {
            diag.error(
                key,
                "`from` belongs to `computed`",
                "write `#[dto(computed = path, from(first_name, last_name))]`",
            );
            Source::Column
        }
        (Some((key, _)), _, _) => {
            diag.error(
                key,
                "a field is either related or computed",
                "keep one of the two",
            );
            Source::Column
        }
    }
}

fn output(field: &RawField, hideable: bool) -> Output {
    if field.rules.is_empty() && !hideable {
        // A related list can still be hidden with the field that joins it.
        if field.related.is_some() && is_field(&field.ty) {
            return Output::Omit;
        }
        return Output::Shown;
    }
    if let Some((_, path)) = &field.mask_in_process {
        return Output::MaskInProcess(path.clone());
    }
    if let Some((_, mask)) = &field.mask {
        return Output::Mask(if mask == "last4" {
            Mask::Last4
        } else if mask == "domain" {
            Mask::Domain
        } else {
            Mask::Initial
        });
    }
    match &field.hidden {
        Some((_, hidden)) if hidden == "error" => Output::Error,
        Some((_, hidden)) if hidden == "null" => Output::Null,
        Some(_) => Output::Omit,
        None if is_option(&field.ty) => Output::Null,
        None => Output::Omit,
    }
}

/// Returns whether the type is written as an `Option`, whose hidden value is null unless stated
/// otherwise.
pub(crate) fn is_option(ty: &Type) -> bool {
    is_called(ty, "Option")
}

/// Returns whether the type is written as a `Field`.
pub(crate) fn is_field(ty: &Type) -> bool {
    is_called(ty, "Field")
}

fn is_called(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Group(group) => is_called(&group.elem, name),
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == name),
        _ => false,
    }
}
