//! The entry points of the macros: each from its input to its output.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, ItemFn};

use crate::diag::Diag;
use crate::syntax::text_enum::Derive;
use crate::{check, emit, syntax};

pub(crate) fn viewer(input: TokenStream) -> TokenStream {
    derive(input, |input, diag| {
        let raw = syntax::viewer::read(input, diag)?;
        let subject = check::viewer::subject(&raw, diag);
        Some(emit::viewer::emit(&raw, subject.as_ref()))
    })
}

pub(crate) fn roles(input: TokenStream) -> TokenStream {
    texts(input, Derive::Roles)
}

pub(crate) fn text_enum(input: TokenStream) -> TokenStream {
    texts(input, Derive::TextEnum)
}

fn texts(input: TokenStream, kind: Derive) -> TokenStream {
    derive(input, |input, diag| {
        let raw = syntax::text_enum::read(input, kind, diag)?;
        check::text_enum::check(&raw, diag);
        Some(if diag.is_clean() {
            emit::text_enum::emit(&raw)
        } else {
            emit::text_enum::emit_nothing(&raw)
        })
    })
}

pub(crate) fn entity(input: TokenStream) -> TokenStream {
    derive(input, |input, diag| {
        let mut raw = syntax::entity::read(input, diag)?;
        Some(match check::entity::check(&mut raw, diag) {
            Some(entity) => emit::entity::emit(&raw, &entity),
            None => emit::entity::emit_nothing(&raw),
        })
    })
}

pub(crate) fn dto(input: TokenStream) -> TokenStream {
    derive(input, |input, diag| {
        let mut raw = syntax::dto::read(input, diag)?;
        Some(match check::dto::check(&mut raw, diag) {
            Some(dto) => emit::dto::emit(&raw, &dto),
            None => emit::dto::emit_nothing(&raw),
        })
    })
}

pub(crate) fn incoming(input: TokenStream, kind: syntax::input::Derive) -> TokenStream {
    derive(input, |input, diag| {
        let mut raw = syntax::input::read(input, kind, diag)?;
        Some(match check::input::check(&mut raw, diag) {
            Some(checked) => emit::input::emit(&raw, &checked),
            None => emit::input::emit_nothing(&raw),
        })
    })
}

pub(crate) fn release(input: TokenStream) -> TokenStream {
    derive(input, |input, diag| {
        let raw = syntax::release::read(input, diag)?;
        Some(emit::release::emit(&raw))
    })
}

pub(crate) fn rule(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(failed) => {
            let failed = failed.into_compile_error();
            return quote!(#failed #item);
        }
    };
    let mut diag = Diag::default();
    let mut raw = syntax::named_rule::read(arguments, function, &mut diag);
    let code = match check::named_rule::check(&mut raw, &mut diag) {
        Some(named) => emit::named_rule::emit(&raw, &named),
        None => emit::named_rule::emit_nothing(&raw),
    };
    let errors = diag.finish();
    quote!(#errors #code)
}

pub(crate) fn repository(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let code = match syntax::repository::read(arguments, item, &mut diag) {
        Ok(mut raw) => {
            let methods = check::repository::check(&mut raw, &mut diag);
            emit::repository::emit(&raw, &methods)
        }
        Err(failed) => {
            // The block is not passed through: its methods would run without their policies.
            diag.push(failed);
            TokenStream::new()
        }
    };
    let errors = diag.finish();
    quote!(#errors #code)
}

/// Expands a method attribute that `#[repository]` did not consume into an error: nothing would enforce
/// it.
pub(crate) fn outside_repository(name: &str, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let arguments = if name == "memo" { "" } else { "(..)" };
    diag.push(syn::Error::new(
        proc_macro2::Span::call_site(),
        format!(
            "`#[{name}{arguments}]` belongs on a method inside an impl block under `#[repository]`\nhelp: add `#[repository(viewer = Member)]` to the impl block, above `#[async_trait]` if it has both"
        ),
    ));
    let errors = diag.finish();
    let item = emit::without_body(item);
    quote!(#errors #item)
}

fn derive(
    input: TokenStream,
    expand: impl FnOnce(&DeriveInput, &mut Diag) -> Option<TokenStream>,
) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(failed) => return failed.into_compile_error(),
    };
    let mut diag = Diag::default();
    let code = expand(&input, &mut diag);
    let errors = diag.finish();
    quote!(#errors #code)
}
