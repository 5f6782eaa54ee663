//! Checked models to code, and raw ones to code that allows nothing.
//!
//! Whatever is emitted names items by absolute paths and its own variables with two underscores,
//! because the user may have shadowed anything. Logic lives in the library: what is emitted is
//! data and calls.

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

use crate::syntax::constant_name;

/// The constant that stands for a field.
fn constant(field: &Ident) -> Ident {
    Ident::new(&constant_name(field), field.span())
}

/// The body of a function that an error has left without one. It is never run, because the
/// error keeps the program from compiling.
fn refusal() -> TokenStream {
    quote!(::core::unimplemented!("this code has an error"))
}

/// A function whose body, which nothing guards, is taken out.
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
