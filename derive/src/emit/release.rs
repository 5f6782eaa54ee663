//! The code of `#[derive(Release)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};

use crate::syntax::release::RawRelease;
use crate::tokens::first_span;

/// Emits the impls; the compiler refuses, at the field's own type, a field that may not leave.
///
/// ```text
/// impl ::clearance::Release for Team {}
/// impl<T> ::clearance::Release for Page<T> where Vec<T>: ::clearance::Release {}
/// ```
///
/// Each is accompanied by the same impl of `Checked`, which `Release` requires.
pub(crate) fn emit(raw: &RawRelease) -> TokenStream {
    let RawRelease {
        ident,
        generics,
        library,
        types,
    } = raw;
    let (parameters, arguments, clause) = generics.split_for_impl();
    if generics.params.is_empty() {
        let checks = types.iter().map(|ty| {
            let span = first_span(&ty.to_token_stream());
            quote_spanned!(span=> __released::<#ty>();)
        });
        return quote! {
            #[automatically_derived]
            impl #library::Release for #ident #clause {}

            #[automatically_derived]
            impl #library::__private::Checked for #ident #clause {}

            const _: () = {
                const fn __released<__T: #library::Release>() {}
                #(#checks)*
            };
        };
    }
    let stated = clause.map(|clause| clause.predicates.iter());
    let stated = stated.into_iter().flatten();
    let conditions = quote! {
        where
            #(#stated,)*
            #(#types: #library::Release,)*
    };
    quote! {
        #[automatically_derived]
        impl #parameters #library::Release for #ident #arguments #conditions {}

        #[automatically_derived]
        impl #parameters #library::__private::Checked for #ident #arguments #conditions {}
    }
}
