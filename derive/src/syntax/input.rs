//! Parsing of `#[derive(Input)]` and `#[derive(Patch)]` and their attributes.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, DeriveInput, Expr, LitStr, Meta, Path, Token, Type};

use super::plain_struct;
use crate::attribute::{Keys, Library, path, text};
use crate::diag::{Diag, error};
use crate::form::Form;
use crate::rename::RenameRule;
use crate::rule::RawRule;

/// The derive: input or patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derive {
    Input,
    Patch,
}

#[derive(Debug)]
pub(crate) struct RawInput {
    pub(crate) derive: Derive,
    pub(crate) ident: Ident,
    pub(crate) library: Library,
    pub(crate) entity: Option<Path>,
    /// The DTO whose rules decide which values may be read.
    pub(crate) reads: Option<Path>,
    pub(crate) rename_all: RenameRule,
    pub(crate) presets: Vec<RawPreset>,
    pub(crate) fields: Vec<RawField>,
    /// Set if garde validates it.
    pub(crate) validated: bool,
    /// Set if its attributes could not be parsed in full, so that a missing one may only be misspelt.
    pub(crate) unread: bool,
}

/// `owner = viewer.id`
#[derive(Debug)]
pub(crate) struct RawPreset {
    pub(crate) field: Ident,
    pub(crate) value: Expr,
}

#[derive(Debug)]
pub(crate) struct RawField {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// The word of `#[writable]`.
    pub(crate) writable: Option<Path>,
    /// `#[writable(blind)]`
    pub(crate) blind: Option<Ident>,
    /// `#[writable(any_row, reason = "..")]`
    pub(crate) any_row: Option<Ident>,
    /// The reason for `any_row`, with its key.
    pub(crate) reason: Option<(Ident, LitStr)>,
    /// The word of `#[unstored]`.
    pub(crate) unstored: Option<Path>,
    /// The attribute of each rule, and the rule, if it could be parsed.
    pub(crate) rules: Vec<(Path, Option<RawRule>)>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) unread: bool,
}

impl Derive {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Input => "Input",
            Self::Patch => "Patch",
        }
    }

    /// Returns the name of its operation in the library.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Input => "Create",
            Self::Patch => "Update",
        }
    }

    /// Returns the name of its attribute on the struct.
    pub(crate) const fn attribute(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Patch => "patch",
        }
    }
}

/// Parses the input. Returns `None` if it is not a struct that could be an input type.
pub(crate) fn read(input: &DeriveInput, derive: Derive, diag: &mut Diag) -> Option<RawInput> {
    let fields = plain_struct(input, derive.name(), diag)?;
    let mut raw = RawInput {
        derive,
        ident: input.ident.clone(),
        library: Library::default(),
        entity: None,
        reads: None,
        rename_all: RenameRule::default(),
        presets: Vec::new(),
        fields: Vec::new(),
        validated: false,
        unread: false,
    };
    let errors = diag.count();
    let (mut attributes, mut keys) = match derive {
        Derive::Input => (Keys::new(Form::Input), Keys::new(Form::InputKeys)),
        Derive::Patch => (Keys::new(Form::Patch), Keys::new(Form::PatchKeys)),
    };
    let mut serde = Keys::new(Form::Serde).reading();
    for attribute in &input.attrs {
        match attributes.attribute(attribute, diag) {
            Some("input" | "patch") => {
                keys.read(attribute, diag, |key, input| raw.entry(key, input));
            }
            Some("preset") => raw.preset(attribute, diag),
            Some("garde") => raw.validated = true,
            Some("serde") => {
                let rename_all = &mut raw.rename_all;
                serde.read(attribute, diag, |key, input| {
                    *rename_all = RenameRule::from_literal(&text(key, input)?)?;
                    Ok(())
                });
            }
            _ => {}
        }
    }
    raw.unread = diag.count() > errors;
    for field in fields {
        if let Some(ident) = &field.ident {
            let (field, validated) = read_field(ident, field, diag);
            raw.validated |= validated;
            raw.fields.push(field);
        }
    }
    Some(raw)
}

/// Parses a field, and returns whether garde validates it.
fn read_field(ident: &Ident, field: &syn::Field, diag: &mut Diag) -> (RawField, bool) {
    let mut raw = RawField {
        ident: ident.clone(),
        ty: field.ty.clone(),
        writable: None,
        blind: None,
        any_row: None,
        reason: None,
        unstored: None,
        rules: Vec::new(),
        rename: None,
        unread: false,
    };
    let errors = diag.count();
    let mut validated = false;
    let mut attributes = Keys::new(Form::InputField);
    let mut serde = Keys::new(Form::SerdeField).reading();
    for attribute in &field.attrs {
        match attributes.attribute(attribute, diag) {
            Some("writable") => raw.writable(attribute, diag),
            Some("writable_if") => raw.rule(attribute, diag),
            Some("unstored") => raw.unstored(attribute, diag),
            Some("garde") => validated = true,
            Some("serde") => {
                let rename = &mut raw.rename;
                serde.read(attribute, diag, |key, input| {
                    *rename = Some(text(key, input)?);
                    Ok(())
                });
            }
            _ => {}
        }
    }
    raw.unread = diag.count() > errors;
    (raw, validated)
}

impl RawInput {
    fn entry(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "entity" => self.entity = Some(path(key, input)?),
            "reads" => self.reads = Some(path(key, input)?),
            _ => self.library = Library::parse(input)?,
        }
        Ok(())
    }

    /// Parses `#[preset(owner = viewer.id, created = context.now)]`.
    fn preset(&mut self, attribute: &Attribute, diag: &mut Diag) {
        let form = "the correct form is `#[preset(owner = viewer.id)]`";
        let Meta::List(list) = &attribute.meta else {
            diag.error(&attribute.meta, "`#[preset]` sets nothing", form);
            return;
        };
        let parsed = list.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                let field = input
                    .call(Ident::parse_any)
                    .map_err(|_| input.error(format!("expected a column\nhelp: {form}")))?;
                if !input.peek(Token![=]) {
                    return Err(error(
                        &field,
                        format!("`{field}` is preset without a value"),
                        form,
                    ));
                }
                input.parse::<Token![=]>()?;
                let value = input.parse()?;
                self.presets.push(RawPreset { field, value });
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        });
        if let Err(failed) = parsed {
            diag.push(failed);
        }
    }
}

impl RawField {
    fn writable(&mut self, attribute: &Attribute, diag: &mut Diag) {
        let path = attribute.path().clone();
        match &attribute.meta {
            Meta::Path(_) => {}
            Meta::List(list) => {
                let mut keys = Keys::new(Form::Writable);
                keys.read_tokens(list.tokens.clone(), diag, |key, input| {
                    match key.to_string().as_str() {
                        "blind" => self.blind = Some(key.clone()),
                        "any_row" => self.any_row = Some(key.clone()),
                        _ => self.reason = Some((key.clone(), text(key, input)?)),
                    }
                    Ok(())
                });
                if list.tokens.is_empty() {
                    diag.error(
                        &attribute.meta,
                        "`#[writable()]` has empty parentheses",
                        "write `#[writable]`",
                    );
                }
            }
            Meta::NameValue(_) => diag.error(
                &attribute.meta,
                "`#[writable]` takes no value",
                "write `#[writable]`, or `#[writable_if(..)]` for a condition",
            ),
        }
        self.writable = Some(path);
    }

    fn unstored(&mut self, attribute: &Attribute, diag: &mut Diag) {
        if !matches!(attribute.meta, Meta::Path(_)) {
            diag.error(
                &attribute.meta,
                "`#[unstored]` takes no arguments",
                "write `#[unstored]`",
            );
        }
        self.unstored = Some(attribute.path().clone());
    }

    fn rule(&mut self, attribute: &Attribute, diag: &mut Diag) {
        let parsed = match &attribute.meta {
            Meta::List(list) => list.parse_args_with(|input: ParseStream<'_>| {
                RawRule::parse(input, "writable_if", false)
            }),
            Meta::Path(_) | Meta::NameValue(_) => Err(error(
                &attribute.meta,
                "`#[writable_if]` needs a rule",
                "the correct form is `#[writable_if(viewer.id == row.id)]`",
            )),
        };
        let rule = match parsed {
            Ok(rule) => Some(rule),
            Err(failed) => {
                diag.push(failed);
                None
            }
        };
        self.rules.push((attribute.path().clone(), rule));
    }
}
