//! Parsing of tokens into raw models, which keep the user's tokens so that later errors can point at
//! them.

pub(crate) mod dto;
pub(crate) mod entity;
pub(crate) mod input;
pub(crate) mod named_rule;
pub(crate) mod release;
pub(crate) mod repository;
pub(crate) mod text_enum;
pub(crate) mod viewer;

use proc_macro2::Ident;
use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Field, Fields, Token};

use crate::diag::Diag;

/// Returns the named fields of a struct without generics, the only input that `derive` accepts.
///
/// Returns `None` for any other input, with the error reported.
pub(crate) fn plain_struct<'i>(
    input: &'i DeriveInput,
    derive: &str,
    diag: &mut Diag,
) -> Option<&'i Punctuated<Field, Token![,]>> {
    let mut plain = true;
    if !input.generics.params.is_empty() {
        diag.error(
            &input.generics.params,
            format!("`derive({derive})` takes no type, lifetime or const parameters"),
            "write a struct of its own for each case, with owned fields",
        );
        plain = false;
    }
    let fields = named_fields(input, derive, diag)?;
    plain.then_some(fields)
}

/// Returns the named fields of a struct.
fn named_fields<'i>(
    input: &'i DeriveInput,
    derive: &str,
    diag: &mut Diag,
) -> Option<&'i Punctuated<Field, Token![,]>> {
    let help = format!("the correct form is `struct {} {{ .. }}`", input.ident);
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unnamed(fields) => {
                diag.error(
                    fields,
                    format!("`derive({derive})` needs named fields"),
                    help,
                );
                None
            }
            Fields::Unit => {
                diag.error(
                    &input.ident,
                    format!("`derive({derive})` needs named fields"),
                    help,
                );
                None
            }
        },
        Data::Enum(data) => {
            diag.error(
                data.enum_token,
                format!("`derive({derive})` is for a struct"),
                help,
            );
            None
        }
        Data::Union(data) => {
            diag.error(
                data.union_token,
                format!("`derive({derive})` is for a struct"),
                help,
            );
            None
        }
    }
}

/// Returns the name of a field's constant: `SLUG` for `slug`.
pub(crate) fn constant_name(field: &Ident) -> String {
    plain_name(field).to_uppercase()
}

/// Returns the name of a field without `r#`, as it appears outside of the source.
pub(crate) fn plain_name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}
