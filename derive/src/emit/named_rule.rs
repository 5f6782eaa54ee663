//! The code of `#[rule]`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};

use super::refusal;
use super::rule::{self, Types};
use crate::check::named_rule::NamedRule;
use crate::syntax::named_rule::RawNamedRule;

/// ```text
/// fn can_see_phone() -> ::clearance::policy::Rule<Member, User> { .. }
/// ```
pub(crate) fn emit(raw: &RawNamedRule, named: &NamedRule) -> TokenStream {
    let types = Types {
        library: raw.library.clone(),
        viewer: named.viewer.to_token_stream(),
        row: named.row.to_token_stream(),
    };
    let checks = rule::check(std::iter::once(&named.rule), &types);
    let value = rule::value(&named.rule, &types);
    function(raw, &types, &quote!(#checks #value))
}

/// Emits the code after an error: a rule that allows nothing, or a function that cannot be called.
pub(crate) fn emit_nothing(raw: &RawNamedRule) -> TokenStream {
    if let (Some(viewer), Some(row)) = (&raw.viewer, &raw.row) {
        let types = Types {
            library: raw.library.clone(),
            viewer: viewer.to_token_stream(),
            row: row.to_token_stream(),
        };
        let nothing = rule::nothing(&types);
        return function(raw, &types, &nothing);
    }
    let RawNamedRule {
        vis,
        ident,
        library,
        ..
    } = raw;
    let refusal = refusal();
    quote! {
        #[allow(dead_code, reason = "the function has an error")]
        #vis fn #ident<__V, __E>() -> #library::policy::Rule<__V, __E> {
            #refusal
        }
    }
}

fn function(raw: &RawNamedRule, types: &Types, body: &TokenStream) -> TokenStream {
    let RawNamedRule {
        attributes,
        vis,
        ident,
        ..
    } = raw;
    let Types {
        library,
        viewer,
        row,
    } = types;
    quote! {
        #(#attributes)*
        #[must_use]
        #vis fn #ident() -> #library::policy::Rule<#viewer, #row> {
            #body
        }
    }
}
