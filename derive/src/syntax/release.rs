//! Parsing of `#[derive(Release)]`.

use proc_macro2::Ident;
use syn::{Attribute, Data, DeriveInput, Fields, Generics, Type};

use crate::attribute::{Keys, Library};
use crate::diag::Diag;
use crate::form::Form;

#[derive(Debug)]
pub(crate) struct RawRelease {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) library: Library,
    /// The types of all fields, of all variants of an enum.
    pub(crate) types: Vec<Type>,
}

pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Option<RawRelease> {
    let mut raw = RawRelease {
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        library: Library::default(),
        types: Vec::new(),
    };
    let mut keys = Keys::new(Form::Release);
    for attribute in &input.attrs {
        if attribute.path().is_ident("release") {
            keys.read(attribute, diag, |_, input| {
                raw.library = Library::parse(input)?;
                Ok(())
            });
        }
    }
    match &input.data {
        Data::Struct(data) => raw.fields(&data.fields, diag),
        Data::Enum(data) => {
            for variant in &data.variants {
                on_the_type(&variant.attrs, diag);
                raw.fields(&variant.fields, diag);
            }
        }
        Data::Union(data) => {
            diag.error(
                data.union_token,
                "`derive(Release)` is for a struct or an enum",
                format!("the correct form is `struct {} {{ .. }}`", input.ident),
            );
            return None;
        }
    }
    Some(raw)
}

impl RawRelease {
    fn fields(&mut self, fields: &Fields, diag: &mut Diag) {
        for field in fields {
            on_the_type(&field.attrs, diag);
            self.types.push(field.ty.clone());
        }
    }
}

/// `struct Page { #[release(..)] rows: Vec<Row> }`
fn on_the_type(attributes: &[Attribute], diag: &mut Diag) {
    let mut keys = Keys::new(Form::ReleaseField);
    for attribute in attributes {
        keys.attribute(attribute, diag);
    }
}
