//! Parsing of `#[derive(Dto)]` and its attributes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens as _;
use syn::parse::{Parse as _, ParseStream};
use syn::{Attribute, DeriveInput, LitStr, Meta, Path, Token, Type, Visibility};

use super::plain_struct;
use crate::attribute::{Keys, Library, path, text, word};
use crate::diag::{Diag, error};
use crate::form::Form;
use crate::rename::RenameRule;
use crate::rule::RawRule;

#[derive(Debug)]
pub(crate) struct RawDto {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) library: Library,
    pub(crate) entity: Option<Path>,
    pub(crate) default_visible: bool,
    pub(crate) rename_all: RenameRule,
    pub(crate) fields: Vec<RawField>,
    /// Set if its attributes could not be parsed in full, so that a missing one may only be misspelt.
    pub(crate) unread: bool,
}

#[derive(Debug)]
pub(crate) struct RawField {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    /// The word of `#[visible]`.
    pub(crate) visible: Option<Path>,
    pub(crate) rules: Vec<RawFieldRule>,
    /// The key of `hidden = word`, and the word.
    pub(crate) hidden: Option<(Ident, Ident)>,
    /// The key of `mask = word`, and the word.
    pub(crate) mask: Option<(Ident, Ident)>,
    /// The key of `mask_in_process = path`, and the path.
    pub(crate) mask_in_process: Option<(Ident, Path)>,
    pub(crate) rename: Option<LitStr>,
    /// The key of `related`, and the relation.
    pub(crate) related: Option<(Ident, Ident)>,
    /// The key of `computed = path`, and the path.
    pub(crate) computed: Option<(Ident, Path)>,
    /// The key of `from(..)`, and the fields.
    pub(crate) from: Option<(Ident, Vec<Ident>)>,
    /// Set as for the struct.
    pub(crate) unread: bool,
}

#[derive(Debug)]
pub(crate) struct RawFieldRule {
    pub(crate) attribute: Path,
    /// The rule; `None` if it could not be parsed, which was reported.
    pub(crate) rule: Option<RawRule>,
}

/// Parses the input. Returns `None` if it is not a struct that could be a DTO.
pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Option<RawDto> {
    let fields = plain_struct(input, "Dto", diag)?;
    let mut raw = RawDto {
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        library: Library::default(),
        entity: None,
        default_visible: false,
        rename_all: RenameRule::default(),
        fields: Vec::new(),
        unread: false,
    };
    let errors = diag.count();
    let mut attributes = Keys::new(Form::Dto);
    let mut keys = Keys::new(Form::DtoKeys);
    let mut serde = Keys::new(Form::Serde);
    for attribute in &input.attrs {
        match attributes.attribute(attribute, diag) {
            Some("dto") => keys.read(attribute, diag, |key, input| raw.entry(key, input)),
            Some("derive") => other_serialize(attribute, diag),
            Some("serde") => {
                let rename_all = &mut raw.rename_all;
                serde.read(attribute, diag, |key, input| {
                    if let Some(rule) = serialized(key, input)? {
                        *rename_all = RenameRule::from_literal(&rule)?;
                    }
                    Ok(())
                });
            }
            _ => {}
        }
    }
    if diag.count() == errors {
        serialize_in_the_same_list(diag);
    }
    raw.unread = diag.count() > errors;
    for field in fields {
        if let Some(ident) = &field.ident {
            raw.fields.push(read_field(ident, field, diag));
        }
    }
    Some(raw)
}

/// `#[derive(Dto)] #[derive(Serialize)]`
fn other_serialize(attribute: &Attribute, diag: &mut Diag) {
    if let Some(word) = crate::tokens::find(attribute.to_token_stream(), "Serialize") {
        diag.error(
            word,
            "`derive(Dto)` writes `Serialize` itself, so that a hidden field is never shown",
            "remove this derive",
        );
    }
}

/// `#[derive(Dto, Serialize)]`
///
/// The compiler does not show a derive the list that it stands in, so the list is read from the
/// source file. Where there is none, rustc still reports two impls of one trait.
fn serialize_in_the_same_list(diag: &mut Diag) {
    let word = Span::call_site();
    let list = word
        .local_file()
        .and_then(|file| std::fs::read_to_string(file).ok())
        .and_then(|source| crate::tokens::enclosing_list(&source, word.start()));
    if list.is_some_and(|list| crate::tokens::mentions(list, "Serialize")) {
        diag.error(
            Ident::new("Dto", word),
            "`derive(Dto)` writes `Serialize` itself, so that a hidden field is never shown",
            "remove `Serialize` from this list",
        );
    }
}

fn read_field(ident: &Ident, field: &syn::Field, diag: &mut Diag) -> RawField {
    let mut raw = RawField {
        ident: ident.clone(),
        vis: field.vis.clone(),
        ty: field.ty.clone(),
        visible: None,
        rules: Vec::new(),
        hidden: None,
        mask: None,
        mask_in_process: None,
        rename: None,
        related: None,
        computed: None,
        from: None,
        unread: false,
    };
    let errors = diag.count();
    let mut attributes = Keys::new(Form::DtoField);
    let mut keys = Keys::new(Form::DtoFieldKeys);
    let mut serde = Keys::new(Form::SerdeField);
    for attribute in &field.attrs {
        match attributes.attribute(attribute, diag) {
            Some("visible") => raw.visible(attribute, diag),
            Some("visible_if" | "hidden_if") => raw.rule(attribute, diag),
            Some("dto") => keys.read(attribute, diag, |key, input| raw.entry(key, input)),
            Some("serde") => {
                let rename = &mut raw.rename;
                serde.read(attribute, diag, |key, input| {
                    if let Some(name) = serialized(key, input)? {
                        *rename = Some(name);
                    }
                    Ok(())
                });
            }
            _ => {}
        }
    }
    raw.unread = diag.count() > errors;
    raw
}

/// Parses `rename = ".."` or `rename(serialize = "..", deserialize = "..")`, of which the second only
/// concerns deserialisation.
fn serialized(key: &Ident, input: ParseStream<'_>) -> syn::Result<Option<LitStr>> {
    if !input.peek(syn::token::Paren) {
        return text(key, input).map(Some);
    }
    let content;
    syn::parenthesized!(content in input);
    let found = sides(key, &content);
    // Skips the rest, which would only add errors.
    content.parse::<TokenStream>()?;
    found
}

fn sides(key: &Ident, content: ParseStream<'_>) -> syn::Result<Option<LitStr>> {
    let mut found = None;
    let mut sides = Keys::new(Form::SerdeSides);
    while !content.is_empty() {
        let side: Ident = content.parse()?;
        let met = sides.meet(&side).ok_or_else(|| {
            error(
                &side,
                format!("unknown key `{side}` in `{key}(..)`"),
                format!("the correct form is `{key}(serialize = \"..\")`"),
            )
        })??;
        let name = text(&side, content)?;
        if met == "serialize" {
            found = Some(name);
        }
        content.parse::<Option<syn::Token![,]>>()?;
    }
    Ok(found)
}

impl RawDto {
    fn entry(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "entity" => self.entity = Some(path(key, input)?),
            "default" => {
                word(key, input, &["visible"])?;
                self.default_visible = true;
            }
            _ => self.library = Library::parse(input)?,
        }
        Ok(())
    }
}

/// Parses `(first, last)`.
fn from(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        return Err(error(
            key,
            "`from` needs the fields that the value is computed from",
            "the correct form is `from(first_name, last_name)`",
        ));
    }
    let content;
    syn::parenthesized!(content in input);
    let fields = content.parse_terminated(Ident::parse, Token![,])?;
    Ok(fields.into_iter().collect())
}

impl RawField {
    fn entry(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "hidden" => {
                let word = word(key, input, &["omit", "null", "error"])?;
                self.hidden = Some((key.clone(), word));
            }
            "mask" => {
                let word = word(key, input, &["last4", "domain", "initial"])?;
                self.mask = Some((key.clone(), word));
            }
            "related" => {
                let relation = if input.peek(Token![=]) {
                    input.parse::<Token![=]>()?;
                    input.parse()?
                } else {
                    self.ident.clone()
                };
                self.related = Some((key.clone(), relation));
            }
            "computed" => self.computed = Some((key.clone(), path(key, input)?)),
            "from" => self.from = Some((key.clone(), from(key, input)?)),
            _ => self.mask_in_process = Some((key.clone(), path(key, input)?)),
        }
        Ok(())
    }

    fn visible(&mut self, attribute: &Attribute, diag: &mut Diag) {
        if !matches!(attribute.meta, Meta::Path(_)) {
            diag.error(
                &attribute.meta,
                "`#[visible]` takes no arguments",
                "write `#[visible]`, or `#[visible_if(..)]` for a condition",
            );
        }
        self.visible = Some(attribute.path().clone());
    }

    fn rule(&mut self, attribute: &Attribute, diag: &mut Diag) {
        let path = attribute.path().clone();
        let negated = path.is_ident("hidden_if");
        let form = if negated { "hidden_if" } else { "visible_if" };
        let parsed = match &attribute.meta {
            Meta::List(list) => {
                list.parse_args_with(|input: ParseStream<'_>| RawRule::parse(input, form, negated))
            }
            Meta::Path(_) | Meta::NameValue(_) => Err(error(
                &attribute.meta,
                format!("`#[{form}]` needs a rule"),
                format!("the correct form is `#[{form}(viewer.id == row.id)]`"),
            )),
        };
        let rule = match parsed {
            Ok(rule) => Some(rule),
            Err(failed) => {
                diag.push(failed);
                None
            }
        };
        self.rules.push(RawFieldRule {
            attribute: path,
            rule,
        });
    }
}
