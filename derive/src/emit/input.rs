//! The code of `#[derive(Input)]` and `#[derive(Patch)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};

use super::rule::{self, Types};
use super::{constant, refusal};
use crate::check::input::{Input, Preset};
use crate::rule::plain;
use crate::syntax::input::{Derive, RawInput};
use crate::syntax::plain_name;
use crate::tokens;

/// ```text
/// impl ::clearance::Incoming for NewNote { .. }
/// impl ::clearance::Input for NewNote {}
/// ```
pub(crate) fn emit(raw: &RawInput, input: &Input) -> TokenStream {
    let RawInput { ident, library, .. } = raw;
    let entity = &input.entity;
    let types = Types {
        library: library.clone(),
        viewer: quote!(<#entity as #library::Entity>::Viewer),
        row: quote!(#entity),
    };
    let name = plain_name(ident);
    let fields = raw.fields.iter().zip(&input.fields);
    let specs = fields.clone().map(|(raw_field, field)| {
        let name = plain_name(&raw_field.ident);
        let json = &field.json;
        let rules = field.rules.iter().map(|rule| rule::value(rule, &types));
        let unstored = (!field.stored).then(|| quote!(.__unstored()));
        let shown = raw.reads.as_ref().filter(|_| field.shown).map(|reads| {
            let token = constant(&raw_field.ident);
            let at = token.span();
            let token = quote_spanned!(at=> <#reads>::#token);
            let shown_by = Ident::new("shown_by", at);
            quote!(.__shown_by(#library::__private::#shown_by::<#reads>(#token)))
        });
        let any_row = field
            .any_row
            .as_ref()
            .map(|reason| quote!(.__any_row(#reason)));
        quote! {
            #library::__private::InputField::__new(#name, #json, ::std::vec![#(#rules),*])
                #unstored #shown #any_row
        }
    });
    let not_shown = not_shown(raw, input);
    let no_column = no_column(raw, input);
    let presets = input.presets.iter().map(|it| preset(it, entity, &types));
    let reads = raw.reads.as_ref().map(|reads| quote!(.__reads::<#reads>()));
    let checks = rule::check(input.fields.iter().flat_map(|field| &field.rules), &types);
    let variables: Vec<Ident> = raw
        .fields
        .iter()
        .map(|field| format_ident!("__field_{}", plain_name(&field.ident)))
        .collect();
    let takes = fields
        .clone()
        .zip(&variables)
        .map(|((raw, field), variable)| {
            let ty = &raw.ty;
            let json = &field.json;
            let object = tokens::own("__object", type_span(ty));
            quote_spanned!(type_span(ty)=> let #variable = #object.take::<#ty>(#json);)
        });
    let built = raw.fields.iter().zip(&variables).map(|(raw, variable)| {
        let name = &raw.ident;
        quote!(#name: #variable?)
    });
    let values = fields.map(|(raw_field, field)| {
        if !field.stored {
            return quote!(::core::option::Option::None);
        }
        let name = &raw_field.ident;
        let column = constant(name);
        let column = quote_spanned!(column.span()=> <#entity>::#column);
        let span = type_span(&raw_field.ty);
        let assigned = Ident::new("assigned", span);
        let value = tokens::over("self", span, |this| quote_spanned!(span=> &#this.#name));
        let of_column = quote_spanned!(name.span()=> _);
        quote_spanned! {span=>
            #library::__private::#assigned::<#entity, #of_column>(#column, #value)
        }
    });
    let assignable = (raw.derive == Derive::Patch).then(|| assignable(raw, input));
    let validate = raw.validated.then(|| {
        quote! {
            fn __validate(&self) -> ::std::vec::Vec<#library::__private::FieldError> {
                #library::__private::validate(self)
            }
        }
    });
    let kind = Ident::new(raw.derive.name(), Span::call_site());
    let action = Ident::new(raw.derive.action(), Span::call_site());
    quote! {
        #[automatically_derived]
        impl #library::Incoming for #ident {
            type Entity = #entity;

            fn __shape() -> &'static #library::__private::InputShape<#entity> {
                #not_shown
                #no_column
                static __SHAPE: ::std::sync::LazyLock<
                    #library::__private::InputShape<#entity>,
                > = ::std::sync::LazyLock::new(|| {
                    #library::__private::InputShape::__new(
                        #name,
                        #library::entity::RowAction::#action,
                        ::std::vec![#(#specs),*],
                        ::std::vec![#(#presets),*],
                    )
                    #reads
                });
                #checks
                #assignable
                &__SHAPE
            }

            fn __parse(
                __object: &mut #library::__private::Object,
            ) -> ::core::option::Option<Self> {
                #(#takes)*
                ::core::option::Option::Some(Self { #(#built),* })
            }

            fn __values(
                &self,
            ) -> ::std::vec::Vec<::core::option::Option<#library::policy::Value>> {
                #no_column
                ::std::vec![#(#values),*]
            }

            #validate
        }

        #[automatically_derived]
        impl #library::#kind for #ident {}
    }
}

/// Emits the code after an error: no body is accepted.
pub(crate) fn emit_nothing(raw: &RawInput) -> TokenStream {
    let RawInput { ident, library, .. } = raw;
    let Some(entity) = &raw.entity else {
        return TokenStream::new();
    };
    let refusal = refusal();
    let kind = Ident::new(raw.derive.name(), Span::call_site());
    quote! {
        #[automatically_derived]
        impl #library::Incoming for #ident {
            type Entity = #entity;

            fn __shape() -> &'static #library::__private::InputShape<#entity> {
                #refusal
            }

            fn __parse(_: &mut #library::__private::Object) -> ::core::option::Option<Self> {
                ::core::option::Option::None
            }

            fn __values(
                &self,
            ) -> ::std::vec::Vec<::core::option::Option<#library::policy::Value>> {
                #refusal
            }
        }

        #[automatically_derived]
        impl #library::#kind for #ident {}
    }
}

/// ```text
/// Preset::__viewer(<Note>::OWNER, source, |viewer: &Member, _: &Context| viewer.id)
/// ```
fn preset(preset: &Preset, entity: &syn::Path, types: &Types) -> TokenStream {
    let Types {
        library, viewer, ..
    } = types;
    let column = constant(&preset.field);
    let span = column.span();
    let blamed = library.at(span);
    let column = quote_spanned! {span=>
        #blamed::__private::column_of::<#entity, _>(<#entity>::#column)
    };
    let value = &preset.value;
    let text = tokens::text(value.to_token_stream());
    let source = rule::source(&text, preset.field.span(), library);
    let bound = tokens::bound(value.to_token_stream(), plain::NAMES_WITHOUT_ROW);
    let context = match &preset.context {
        Some(ident) => tokens::own("context", ident.span()).to_token_stream(),
        None => quote!(_),
    };
    let context = quote!(#context: &#library::policy::Context);
    let viewer_name = preset.viewer.as_ref();
    match viewer_name.map(|ident| tokens::own("viewer", ident.span())) {
        Some(ident) => quote! {
            #library::__private::Preset::<#entity>::__viewer(
                #column,
                #source,
                |#ident: &#viewer, #context| #bound,
            )
        },
        None => quote! {
            #library::__private::Preset::<#entity>::__circumstances(#column, #source, |#context| #bound)
        },
    }
}

/// Emits constants of the patch's names for a DTO without tokens of these names, so that the error says
/// so. A token of the DTO itself takes precedence over that of a trait.
///
/// ```text
/// trait __NotShown { const TITLE: NotShown = NotShown; }
/// impl<T: Dto> __NotShown for T {}
/// ```
fn not_shown(raw: &RawInput, input: &Input) -> Option<TokenStream> {
    let RawInput { library, .. } = raw;
    raw.reads.as_ref()?;
    let fields = raw.fields.iter().zip(&input.fields);
    let mut shown = fields.filter(|(_, field)| field.shown).peekable();
    shown.peek()?;
    let tokens = shown.map(|(raw_field, _)| {
        let token = constant(&raw_field.ident);
        let not_shown = quote!(#library::__private::NotShown);
        quote!(const #token: #not_shown = #not_shown;)
    });
    Some(quote! {
        #[allow(dead_code, reason = "a DTO has tokens of its own for what it shows")]
        trait __NotShown {
            #(#tokens)*
        }
        impl<__D: #library::Dto> __NotShown for __D {}
    })
}

/// Emits constants of the written names for an entity without columns of these names, so that the error
/// says so. A column of the entity itself takes precedence over that of a trait.
///
/// ```text
/// trait __NoColumn { const TITLE: NoColumn = NoColumn; }
/// impl<T: Entity> __NoColumn for T {}
/// ```
fn no_column(raw: &RawInput, input: &Input) -> Option<TokenStream> {
    let RawInput { library, .. } = raw;
    let mut columns = columns(raw, input).peekable();
    columns.peek()?;
    let columns = columns.map(|ident| {
        let column = constant(ident);
        let none = quote!(#library::__private::NoColumn);
        quote!(const #column: #none = #none;)
    });
    Some(quote! {
        #[allow(dead_code, reason = "an entity has columns of its own")]
        trait __NoColumn {
            #(#columns)*
        }
        impl<__E: #library::Entity> __NoColumn for __E {}
    })
}

/// Returns the fields of the entity that are written.
fn columns<'i>(raw: &'i RawInput, input: &'i Input) -> impl Iterator<Item = &'i Ident> {
    let fields = raw.fields.iter().zip(&input.fields);
    let sent = fields.filter(|(_, field)| field.stored);
    sent.map(|(field, _)| &field.ident)
        .chain(input.presets.iter().map(|preset| &preset.field))
}

/// Emits a check by the compiler that refuses a patch of the key.
///
/// ```text
/// ::clearance::__private::assignable(<Note>::TITLE);
/// ```
fn assignable(raw: &RawInput, input: &Input) -> TokenStream {
    let RawInput { library, .. } = raw;
    let entity = &input.entity;
    let calls = columns(raw, input).map(|ident| {
        let column = constant(ident);
        let call = Ident::new("assignable", ident.span());
        quote_spanned!(ident.span()=> #library::__private::#call(<#entity>::#column);)
    });
    quote! {
        #[allow(unused, reason = "only checked, never run")]
        fn __assignable() {
            #(#calls)*
        }
    }
}

fn type_span(ty: &syn::Type) -> Span {
    tokens::first_span(&quote!(#ty))
}
