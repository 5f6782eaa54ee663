//! `Serialize` for a DTO: a hidden field is omitted or null, and never anything else.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};

use crate::check::dto::{Dto, Field, Output, is_option};
use crate::syntax::dto::{RawDto, RawField};
use crate::syntax::plain_name;
use crate::tokens::{over, own};

/// ```text
/// impl Serialize for Profile {
///     fn serialize<__S: Serializer>(&self, __serializer: __S) -> Result<__S::Ok, __S::Error> {
///         let mut __state = __serializer.serialize_struct("Profile", 1 + ..)?;
///         __state.serialize_field("id", &self.id)?;
///         ..
///         __state.end()
///     }
/// }
/// ```
pub(super) fn emit(raw: &RawDto, dto: &Dto) -> TokenStream {
    let serde = serde(raw);
    let fields = || raw.fields.iter().zip(&dto.fields);
    let always = fields().filter(|(_, field)| !is_omitted(field)).count();
    let sometimes = fields()
        .filter(|(_, field)| is_omitted(field))
        .map(|(field, _)| {
            let visible = visible(field, &quote!(_), raw);
            let name = &field.ident;
            quote!(+ <::core::primitive::usize as ::core::convert::From<::core::primitive::bool>>::from(::core::matches!(&self.#name, #visible)))
        });
    let length = quote!(#always #(#sometimes)*);
    let writes = fields().map(|(field, checked)| write(field, checked, &serde, raw));
    implement(raw, &length, &quote!(#(#writes)*))
}

/// Emits the code after an error: an object without keys.
pub(super) fn emit_nothing(raw: &RawDto) -> TokenStream {
    implement(raw, &quote!(0), &TokenStream::new())
}

fn implement(raw: &RawDto, length: &TokenStream, writes: &TokenStream) -> TokenStream {
    let serde = serde(raw);
    let library = &raw.library;
    let ident = &raw.ident;
    let name = plain_name(ident);
    let mutable = (!writes.is_empty()).then(|| quote!(mut));
    let as_it_is = (!writes.is_empty()).then(|| {
        quote! {
            #[allow(unused_imports, reason = "a number has a method of its own")]
            use #library::__private::AsItIs as _;
        }
    });
    quote! {
        #[automatically_derived]
        impl #serde::Serialize for #ident {
            fn serialize<__S>(
                &self,
                __serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error>
            where
                __S: #serde::Serializer,
            {
                #as_it_is
                let #mutable __state =
                    #serde::Serializer::serialize_struct(__serializer, #name, #length)?;
                #writes
                #serde::ser::SerializeStruct::end(__state)
            }
        }
    }
}

fn write(raw: &RawField, field: &Field, serde: &TokenStream, dto: &RawDto) -> TokenStream {
    let name = &raw.ident;
    let library = &dto.library;
    let json = &field.json;
    let span = crate::tokens::first_span(&raw.ty.to_token_stream());
    let put = |value: TokenStream| quote!(#serde::ser::SerializeStruct::serialize_field(&mut __state, #json, #value)?;);
    let written = |value: &TokenStream| quote_spanned!(span=> #library::__private::Writing(#value).__written());
    let hideable = matches!(field.output, Output::Omit | Output::Null);
    if !hideable || (is_option(&raw.ty) && !is_omitted(field)) {
        // `None` is serialised as null by itself.
        let field = over("self", span, |this| quote_spanned!(span=> &#this.#name));
        return put(written(&field));
    }
    let visible = visible(raw, &quote!(__value), dto);
    let shown = put(written(&own("__value", span).to_token_stream()));
    let hidden = if is_omitted(field) {
        quote!(#serde::ser::SerializeStruct::skip_field(&mut __state, #json)?;)
    } else {
        put(quote!(&()))
    };
    quote! {
        if let #visible = &self.#name {
            #shown
        } else {
            #hidden
        }
    }
}

/// Returns the pattern of a visible value.
fn visible(field: &RawField, binding: &TokenStream, dto: &RawDto) -> TokenStream {
    if is_option(&field.ty) {
        quote!(::core::option::Option::Some(#binding))
    } else {
        let library = &dto.library;
        quote!(#library::Field::Visible(#binding))
    }
}

/// Returns whether the key of a hidden value is omitted.
const fn is_omitted(field: &Field) -> bool {
    matches!(field.output, Output::Omit)
}

fn serde(raw: &RawDto) -> TokenStream {
    let library = &raw.library;
    quote!(#library::__private::serde)
}
