//! The code of `#[derive(TextEnum)]` and `#[derive(Roles)]`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::syntax::text_enum::{Derive, RawTextEnum, RawVariant};

/// ```text
/// impl ::clearance::TextEnum for Status { .. }
/// ```
pub(crate) fn emit(raw: &RawTextEnum) -> TokenStream {
    let text_enum = text_enum(raw, &raw.variants);
    let roles = (raw.derive == Derive::Roles).then(|| roles(raw, &raw.variants));
    quote!(#text_enum #roles)
}

/// Emits the code after an error: an empty set of texts, so that no stored text is a variant.
pub(crate) fn emit_nothing(raw: &RawTextEnum) -> TokenStream {
    let text_enum = text_enum(raw, &[]);
    let roles = (raw.derive == Derive::Roles).then(|| roles(raw, &[]));
    quote!(#text_enum #roles)
}

fn text_enum(raw: &RawTextEnum, variants: &[RawVariant]) -> TokenStream {
    let RawTextEnum { ident, library, .. } = raw;
    let names = variants.iter().map(|variant| &variant.name);
    let to_name = variants.iter().map(|variant| {
        let RawVariant { ident, name, .. } = variant;
        quote!(Self::#ident => #name,)
    });
    let rest = variants.is_empty().then(|| quote!(_ => "",));
    let from_name = variants.iter().map(|variant| {
        let RawVariant { ident, name, .. } = variant;
        quote!(#name => ::core::option::Option::Some(Self::#ident),)
    });
    quote! {
        #[automatically_derived]
        impl #library::TextEnum for #ident {
            const NAMES: &'static [&'static ::core::primitive::str] = &[#(#names),*];

            fn name(&self) -> &'static ::core::primitive::str {
                match *self {
                    #(#to_name)*
                    #rest
                }
            }

            fn from_name(
                __name: &::core::primitive::str,
            ) -> ::core::option::Option<Self> {
                match __name {
                    #(#from_name)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

/// Emits the order of roles, also against an optional role: no role is below every role (decision 12).
///
/// ```text
/// impl ::core::cmp::Ord for Role { .. }
/// impl ::core::cmp::PartialOrd<Role> for Option<Role> { .. }
/// impl ::clearance::Roles for Role { const ALL: &'static [Self] = &[Self::Member, Self::Admin]; .. }
/// ```
fn roles(raw: &RawTextEnum, variants: &[RawVariant]) -> TokenStream {
    let RawTextEnum { ident, library, .. } = raw;
    let all = variants.iter().map(|variant| &variant.ident);
    let ranks = variants.iter().enumerate().map(|(rank, variant)| {
        let ident = &variant.ident;
        quote!(Self::#ident => #rank,)
    });
    let rest = variants.is_empty().then(|| quote!(_ => 0_usize,));
    quote! {
        const _: () = {
            impl #ident {
                const fn __rank(&self) -> ::core::primitive::usize {
                    match *self {
                        #(#ranks)*
                        #rest
                    }
                }
            }

            #[automatically_derived]
            impl ::core::cmp::Ord for #ident {
                fn cmp(&self, __other: &Self) -> ::core::cmp::Ordering {
                    ::core::cmp::Ord::cmp(&self.__rank(), &__other.__rank())
                }
            }

            #[automatically_derived]
            impl ::core::cmp::PartialOrd for #ident {
                fn partial_cmp(
                    &self,
                    __other: &Self,
                ) -> ::core::option::Option<::core::cmp::Ordering> {
                    ::core::option::Option::Some(::core::cmp::Ord::cmp(self, __other))
                }
            }

            #[automatically_derived]
            impl ::core::cmp::PartialEq<#ident> for ::core::option::Option<#ident> {
                fn eq(&self, __other: &#ident) -> ::core::primitive::bool {
                    match self {
                        ::core::option::Option::Some(__role) => {
                            __role.__rank() == __other.__rank()
                        }
                        ::core::option::Option::None => false,
                    }
                }
            }

            #[automatically_derived]
            impl ::core::cmp::PartialOrd<#ident> for ::core::option::Option<#ident> {
                fn partial_cmp(
                    &self,
                    __other: &#ident,
                ) -> ::core::option::Option<::core::cmp::Ordering> {
                    ::core::option::Option::Some(match self {
                        ::core::option::Option::Some(__role) => {
                            ::core::cmp::Ord::cmp(__role, __other)
                        }
                        // As in the order of options: below every role. Were it unordered,
                        // `hidden_if(viewer.role < ..)` would hide nothing from no role.
                        ::core::option::Option::None => ::core::cmp::Ordering::Less,
                    })
                }
            }
        };

        #[automatically_derived]
        impl #library::Roles for #ident {
            const ALL: &'static [Self] = &[#(Self::#all),*];
        }
    }
}
