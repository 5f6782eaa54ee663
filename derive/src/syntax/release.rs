//! `#[derive(Release)]`: a struct as it was read.

use proc_macro2::Ident;
use syn::{Data, DeriveInput, Generics, Type};

use crate::attribute::{Keys, Library};
use crate::diag::Diag;

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
    let mut keys = Keys::new("#[release(..)]", &["crate"], &[]);
    for attribute in &input.attrs {
        if attribute.path().is_ident("release") {
            keys.read(attribute, diag, |_, input| {
                raw.library = Library::parse(input)?;
                Ok(())
            });
        }
    }
    match &input.data {
        Data::Struct(data) => raw
            .types
            .extend(data.fields.iter().map(|field| field.ty.clone())),
        Data::Enum(data) => raw.types.extend(
            data.variants
                .iter()
                .flat_map(|variant| variant.fields.iter().map(|field| field.ty.clone())),
        ),
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
