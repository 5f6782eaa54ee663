//! Code generation from checked models, and from raw ones code that allows nothing.
//!
//! The emitted code names items by absolute paths, and its own variables with two underscores, because
//! the user may have shadowed anything. Logic belongs in the library: the emitted code is data and
//! calls. The comment of a function shows the code that it emits.

pub(crate) mod dto;
pub(crate) mod entity;
pub(crate) mod input;
pub(crate) mod named_rule;
mod relation;
pub(crate) mod release;
pub(crate) mod repository;
mod rule;
mod serialize;
pub(crate) mod text_enum;
pub(crate) mod viewer;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;

use crate::attribute::Library;
use crate::syntax::constant_name;

/// Returns the constant of a field.
fn constant(field: &Ident) -> Ident {
    Ident::new(&constant_name(field), field.span())
}

/// Emits the import of the functions that take the place of those of `ColumnType` if no column has the type
/// of a field.
fn no_column_type(library: &Library) -> TokenStream {
    quote! {
        #[allow(unused_imports, reason = "a type of a column has functions of its own")]
        use #library::__private::NoColumnType as _;
    }
}

/// Emits the body of a function that has none because of an error. It never runs, because the error
/// prevents compilation.
fn refusal() -> TokenStream {
    quote!(::core::unimplemented!("this code has an error"))
}

/// Replaces the body of a function, which no guard protects, by a refusal.
pub(crate) fn without_body(item: TokenStream) -> TokenStream {
    let mut trees: Vec<TokenTree> = item.into_iter().collect();
    if let Some(TokenTree::Group(body)) = trees.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        *body = Group::new(Delimiter::Brace, refusal());
    }
    let item = trees.into_iter().collect::<TokenStream>();
    quote! {
        #[allow(unused, reason = "the function has an error")]
        #item
    }
}
