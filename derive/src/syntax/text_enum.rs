//! Parsing of `#[derive(TextEnum)]` and `#[derive(Roles)]`.

use proc_macro2::Ident;
use syn::{Data, DeriveInput, Fields, LitStr};

use super::plain_name;
use crate::attribute::{Keys, Library, text};
use crate::diag::Diag;
use crate::form::Form;
use crate::rename::snake_variant;

/// The derive that reads the enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derive {
    TextEnum,
    Roles,
}

impl Derive {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TextEnum => "TextEnum",
            Self::Roles => "Roles",
        }
    }

    const fn attribute(self) -> &'static str {
        match self {
            Self::TextEnum => "text_enum",
            Self::Roles => "roles",
        }
    }

    const fn form(self) -> Form {
        match self {
            Self::TextEnum => Form::TextEnum,
            Self::Roles => Form::Roles,
        }
    }

    const fn variant_form(self) -> Form {
        match self {
            Self::TextEnum => Form::TextEnumVariant,
            Self::Roles => Form::RolesVariant,
        }
    }
}

#[derive(Debug)]
pub(crate) struct RawTextEnum {
    pub(crate) derive: Derive,
    pub(crate) ident: Ident,
    pub(crate) library: Library,
    pub(crate) variants: Vec<RawVariant>,
}

#[derive(Debug)]
pub(crate) struct RawVariant {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    /// The text of `name = ".."`, if stated.
    pub(crate) stated: Option<LitStr>,
}

pub(crate) fn read(input: &DeriveInput, derive: Derive, diag: &mut Diag) -> Option<RawTextEnum> {
    let name = derive.name();
    let Data::Enum(data) = &input.data else {
        diag.error(
            &input.ident,
            format!("`derive({name})` is for an enum"),
            format!(
                "the correct form is `enum {} {{ First, Second }}`",
                input.ident
            ),
        );
        return None;
    };
    if !input.generics.params.is_empty() {
        diag.error(
            &input.generics.params,
            format!("`derive({name})` takes no type, lifetime or const parameters"),
            "remove them",
        );
        return None;
    }
    let mut raw = RawTextEnum {
        derive,
        ident: input.ident.clone(),
        library: Library::default(),
        variants: Vec::new(),
    };
    let mut keys = Keys::new(derive.form());
    for attribute in &input.attrs {
        if attribute.path().is_ident(derive.attribute()) {
            keys.read(attribute, diag, |_, input| {
                raw.library = Library::parse(input)?;
                Ok(())
            });
        }
    }
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            diag.error(
                &variant.fields,
                format!("a variant under `derive({name})` has no fields"),
                format!("write `{}`", variant.ident),
            );
        }
        let mut stated = None;
        let mut keys = Keys::new(derive.variant_form());
        for attribute in &variant.attrs {
            if attribute.path().is_ident(derive.attribute()) {
                keys.read(attribute, diag, |key, input| {
                    stated = Some(text(key, input)?);
                    Ok(())
                });
            }
        }
        raw.variants.push(RawVariant {
            ident: variant.ident.clone(),
            name: stated
                .as_ref()
                .map_or_else(|| snake_variant(&plain_name(&variant.ident)), LitStr::value),
            stated,
        });
    }
    Some(raw)
}
