//! The code of `#[derive(Release)]`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::syntax::release::RawRelease;

/// The bounds make the compiler refuse, at the field's own type, what may not leave.
///
/// ```text
/// impl ::clearance::Release for Page where Vec<Profile>: ::clearance::Release {}
/// ```
pub(crate) fn emit(raw: &RawRelease) -> TokenStream {
    let RawRelease {
        ident,
        generics,
        library,
        types,
    } = raw;
    let (parameters, arguments, clause) = generics.split_for_impl();
    let stated = clause.map(|clause| clause.predicates.iter());
    let stated = stated.into_iter().flatten();
    quote! {
        #[automatically_derived]
        impl #parameters #library::Release for #ident #arguments
        where
            #(#stated,)*
            #(#types: #library::Release,)*
        {}
    }
}
