//! Parsing of `#[derive(Viewer)]` and its attributes.

use proc_macro2::Ident;
use syn::DeriveInput;

use super::plain_struct;
use crate::attribute::{Keys, Library};
use crate::diag::Diag;
use crate::form::Form;

#[derive(Debug)]
pub(crate) struct RawViewer {
    pub(crate) ident: Ident,
    pub(crate) library: Library,
    /// The field `id`.
    pub(crate) id: Option<Ident>,
    /// The fields marked `#[viewer(subject)]`, with the mark.
    pub(crate) subjects: Vec<(Ident, Ident)>,
}

pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Option<RawViewer> {
    let fields = plain_struct(input, "Viewer", diag)?;
    let mut raw = RawViewer {
        ident: input.ident.clone(),
        library: Library::default(),
        id: None,
        subjects: Vec::new(),
    };
    let mut keys = Keys::new(Form::Viewer);
    for attribute in &input.attrs {
        if attribute.path().is_ident("viewer") {
            keys.read(attribute, diag, |_, input| {
                raw.library = Library::parse(input)?;
                Ok(())
            });
        }
    }
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        if ident == "id" {
            raw.id = Some(ident.clone());
        }
        let mut keys = Keys::new(Form::ViewerField);
        for attribute in &field.attrs {
            if attribute.path().is_ident("viewer") {
                keys.read(attribute, diag, |key, _| {
                    raw.subjects.push((ident.clone(), key.clone()));
                    Ok(())
                });
            }
        }
    }
    Some(raw)
}
