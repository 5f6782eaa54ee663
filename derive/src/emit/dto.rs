//! The code of `#[derive(Dto)]`.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use super::rule::{self, Types};
use super::{constant, no_column_type, refusal, serialize};
use crate::attribute::Library;
use crate::check::dto::{Dto, Field, Mask, Output, Source, is_field};
use crate::rule::Rule;
use crate::syntax::dto::{RawDto, RawField};
use crate::syntax::{constant_name, plain_name};
use crate::tokens::own;

/// ```text
/// impl ::clearance::Dto for Profile { .. }
/// impl ::clearance::Release for Profile {}
/// impl Profile {
///     pub fn select() -> ::clearance::repository::Select<Profile> { .. }
///     pub const PHONE: ::clearance::FieldName<Profile, Field<Option<String>>> = ..;
/// }
/// impl Serialize for Profile { .. }
/// ```
pub(crate) fn emit(raw: &RawDto, dto: &Dto) -> TokenStream {
    let RawDto { ident, library, .. } = raw;
    let entity = &dto.entity;
    let types = types(raw, entity);
    let name = plain_name(ident);
    let fields: Vec<(usize, &RawField, &Field)> = raw
        .fields
        .iter()
        .zip(&dto.fields)
        .enumerate()
        .map(|(index, (raw, field))| (index, raw, field))
        .collect();
    let specs = fields.iter().map(|(_, raw, field)| {
        let rules = field.rules.iter().map(|rule| rule::value(rule, &types));
        let output = output(&field.output, library);
        spec(raw, field, quote!(#(#rules),*), &output, library)
    });
    let checks = rule::check(dto.fields.iter().flat_map(|field| &field.rules), &types);
    let nested_checks = nested_checks(&fields, entity, library);
    let from_cells = fields.iter().map(|(index, raw, field)| {
        match &field.source {
            Source::Column => {}
            Source::Related(_) => return nested_from_cells(*index, raw),
            Source::Computed(path, inputs) => {
                return computed_from_cells(*index, raw, path, inputs, entity, library);
            }
        }
        column_from_cells(*index, raw, &field.output, entity, library)
    });
    let computed = fields
        .iter()
        .filter_map(|(index, raw, field)| computed_from_row(*index, raw, field, library));
    let from_row = fields.iter().map(|(index, raw, field)| {
        let name = &raw.ident;
        match &field.source {
            Source::Column => {}
            Source::Related(_) => {
                return quote!(#name: #library::__private::not_at_hand()?);
            }
            Source::Computed(..) => {
                let value = computed_variable(raw);
                return quote!(#name: #value);
            }
        }
        column_from_row(*index, raw, &field.output, library)
    });
    let related = related_constants(&fields, raw);
    let names = constants(raw, |index| {
        dto.fields.get(index).is_some_and(|field| {
            let masked = matches!(field.output, Output::Mask(_) | Output::MaskInProcess(_));
            let column = matches!(field.source, Source::Column);
            column && !masked && !field.rules.iter().any(Rule::is_opaque)
        })
    });
    let no_column_type = no_column_type(library);
    let serialize = serialize::emit(raw, dto);
    let release = release(raw);
    let nested = nested(&fields, entity, library);
    let streamed = nested.is_none().then(|| streamed(raw));
    quote! {
        #[automatically_derived]
        impl #library::Dto for #ident {
            type Entity = #entity;

            fn __shape() -> &'static #library::__private::Shape<#entity> {
                static __SHAPE: ::std::sync::LazyLock<
                    #library::__private::Shape<#entity>,
                > = ::std::sync::LazyLock::new(|| {
                    #library::__private::Shape::__new(#name, ::std::vec![#(#specs),*])
                });
                #checks
                #nested_checks
                &__SHAPE
            }

            fn __from_cells(
                __cells: &mut impl #library::__private::ReadFields,
            ) -> #library::Result<Self> {
                #no_column_type
                ::core::result::Result::Ok(Self { #(#from_cells),* })
            }

            #[inline(always)]
            fn __from_row(
                __row: #entity,
                __visible: #library::__private::Visibility,
            ) -> #library::Result<Self> {
                #(#computed)*
                ::core::result::Result::Ok(Self { #(#from_row),* })
            }

            #nested
        }

        #release
        #streamed
        #names
        #related
        #serialize
    }
}

/// Emits the code after an error: every field has a rule that allows nothing, and no JSON is written.
pub(crate) fn emit_nothing(raw: &RawDto) -> TokenStream {
    let RawDto { ident, library, .. } = raw;
    let release = release(raw);
    let serialize = serialize::emit_nothing(raw);
    let Some(entity) = &raw.entity else {
        return quote!(#release #serialize);
    };
    let types = types(raw, entity);
    let name = plain_name(ident);
    let nothing = rule::nothing(&types);
    let output = output(&Output::Error, library);
    let specs = raw.fields.iter().map(|field| {
        let name = plain_name(&field.ident);
        quote! {
            #library::__private::FieldSpec::__new(#name, #name, ::std::vec![#nothing], #output)
        }
    });
    let names = constants(raw, |_| true);
    let streamed = streamed(raw);
    let refusal = refusal();
    quote! {
        #[automatically_derived]
        impl #library::Dto for #ident {
            type Entity = #entity;

            fn __shape() -> &'static #library::__private::Shape<#entity> {
                static __SHAPE: ::std::sync::LazyLock<
                    #library::__private::Shape<#entity>,
                > = ::std::sync::LazyLock::new(|| {
                    #library::__private::Shape::__new(#name, ::std::vec![#(#specs),*])
                });
                &__SHAPE
            }

            fn __from_cells(
                _: &mut impl #library::__private::ReadFields,
            ) -> #library::Result<Self> {
                #refusal
            }

            fn __from_row(
                _: #entity,
                _: #library::__private::Visibility,
            ) -> #library::Result<Self> {
                #refusal
            }
        }

        #release
        #streamed
        #names
        #serialize
    }
}

fn types(raw: &RawDto, entity: &syn::Path) -> Types {
    let library = &raw.library;
    Types {
        library: library.clone(),
        viewer: quote!(<#entity as #library::Entity>::Viewer),
        row: quote!(#entity),
    }
}

fn spec(
    raw: &RawField,
    field: &Field,
    rules: TokenStream,
    output: &TokenStream,
    library: &Library,
) -> TokenStream {
    let name = plain_name(&raw.ident);
    let json = &field.json;
    let source = match &field.source {
        Source::Column => TokenStream::new(),
        Source::Related(relation) => {
            let relation = plain_name(relation);
            let ty = &raw.ty;
            quote_spanned!(type_span(raw)=> .__related::<#ty>(#relation))
        }
        Source::Computed(path, inputs) => {
            let function = crate::tokens::text(path.to_token_stream());
            let inputs = inputs.iter().map(plain_name);
            quote!(.__computed(#function, ::std::vec![#(#inputs),*]))
        }
    };
    quote! {
        #library::__private::FieldSpec::__new(#name, #json, ::std::vec![#rules], #output) #source
    }
}

/// Emits a check by the compiler that a nested DTO shows the rows that its relation leads to.
///
/// ```text
/// fn __nested(__row: &Post) {
///     ::clearance::__private::check_nested::<Vec<CommentView>, _, _>(__row.__comments());
/// }
/// ```
fn nested_checks(
    fields: &[(usize, &RawField, &Field)],
    entity: &syn::Path,
    library: &Library,
) -> Option<TokenStream> {
    let calls: Vec<TokenStream> = fields
        .iter()
        .filter_map(|(_, raw, field)| match &field.source {
            Source::Related(relation) => {
                let ty = &raw.ty;
                let span = type_span(raw);
                let check = Ident::new("check_nested", span);
                let rows = super::relation::rows(relation);
                Some(quote_spanned!(span=> #library::__private::#check::<#ty, _, _>(#rows);))
            }
            Source::Column | Source::Computed(..) => None,
        })
        .collect();
    if calls.is_empty() {
        return None;
    }
    Some(quote! {
        #[allow(unused, reason = "only checked, never run")]
        fn __nested(__row: &#entity) {
            #(#calls)*
        }
    })
}

/// Emits the visit of the DTOs that show related rows; none if no field does.
///
/// ```text
/// fn __nested<__T: VisitNested<Member>>(__field: usize, __visitor: __T) -> Option<__T::Output> {
///     match __field {
///         3 => Some(__visitor.visit::<<Vec<CommentView> as Nested>::Dto>()),
///         _ => None,
///     }
/// }
/// ```
fn nested(
    fields: &[(usize, &RawField, &Field)],
    entity: &syn::Path,
    library: &Library,
) -> Option<TokenStream> {
    let visits: Vec<TokenStream> = fields
        .iter()
        .filter(|(_, _, field)| matches!(field.source, Source::Related(_)))
        .map(|(index, raw, _)| {
            let ty = &raw.ty;
            let span = type_span(raw);
            let visitor = own("__visitor", span);
            let shown = quote_spanned!(span=> <#ty as #library::dto::Nested>::Dto);
            let visit = quote_spanned!(span=> #visitor.visit::<#shown>());
            quote!(#index => ::core::option::Option::Some(#visit))
        })
        .collect();
    if visits.is_empty() {
        return None;
    }
    Some(quote! {
        fn __nested<__T>(
            __field: ::core::primitive::usize,
            __visitor: __T,
        ) -> ::core::option::Option<__T::Output>
        where
            __T: #library::__private::VisitNested<<#entity as #library::Entity>::Viewer>,
        {
            match __field {
                #(#visits,)*
                _ => ::core::option::Option::None,
            }
        }
    })
}

/// `comments: __cells.nested::<Vec<CommentView>>(3)?`
fn nested_from_cells(index: usize, raw: &RawField) -> TokenStream {
    let RawField { ident, ty, .. } = raw;
    let span = type_span(raw);
    let cells = own("__cells", span);
    quote_spanned!(span=> #ident: #cells.nested::<#ty>(#index)?)
}

/// Emits a computed field; the function is called only if the value may be seen.
///
/// ```text
/// name: if __cells.is_shown(3)? {
///     Field::Visible(full_name(&__cells.input(3, 0, <User>::FIRST)?, ..))
/// } else {
///     Field::Hidden
/// }
/// ```
fn computed_from_cells(
    index: usize,
    raw: &RawField,
    path: &syn::Path,
    inputs: &[Ident],
    entity: &syn::Path,
    library: &Library,
) -> TokenStream {
    let name = &raw.ident;
    let inputs = inputs.iter().enumerate().map(|(number, input)| {
        let column = constant(input);
        let source = quote_spanned!(input.span()=> <#entity>::#column);
        let cells = own("__cells", input.span());
        quote_spanned!(input.span()=> &#cells.input(#index, #number, #source)?)
    });
    let value = quote!(#path(#(#inputs),*));
    let value = computed_value(raw, &quote!(__cells.is_shown(#index)?), &value, library);
    quote!(#name: #value)
}

/// Emits a computed field from a row in memory, computed before the row is moved out of.
fn computed_from_row(
    index: usize,
    raw: &RawField,
    field: &Field,
    library: &Library,
) -> Option<TokenStream> {
    let Source::Computed(path, inputs) = &field.source else {
        return None;
    };
    let variable = computed_variable(raw);
    let inputs = inputs.iter().map(|input| {
        let row = own("__row", input.span());
        quote_spanned!(input.span()=> &#row.#input)
    });
    let value = quote!(#path(#(#inputs),*));
    let value = computed_value(raw, &quote!(__visible.shows(#index)), &value, library);
    Some(quote!(let #variable = #value;))
}

fn computed_variable(raw: &RawField) -> Ident {
    quote::format_ident!("__computed_{}", plain_name(&raw.ident))
}

fn computed_value(
    raw: &RawField,
    shown: &TokenStream,
    value: &TokenStream,
    library: &Library,
) -> TokenStream {
    if is_field(&raw.ty) {
        quote! {
            if #shown {
                #library::Field::Visible(#value)
            } else {
                #library::Field::Hidden
            }
        }
    } else {
        quote!(#value)
    }
}

fn output(output: &Output, library: &Library) -> TokenStream {
    let path = quote!(#library::__private::Output);
    match output {
        Output::Shown => quote!(#path::Shown),
        Output::Omit => quote!(#path::Omit),
        Output::Null => quote!(#path::Null),
        Output::Error => quote!(#path::Error),
        Output::Mask(mask) => {
            let mask = self::mask(*mask, library);
            quote!(#path::Mask(#mask))
        }
        Output::MaskInProcess(_) => quote!(#path::MaskInProcess),
    }
}

fn mask(mask: Mask, library: &Library) -> TokenStream {
    let name = match mask {
        Mask::Last4 => quote!(Last4),
        Mask::Domain => quote!(Domain),
        Mask::Initial => quote!(Initial),
    };
    quote!(#library::__private::Mask::#name)
}

/// ```text
/// id: ColumnType::<i64>::shown(__cells, 0)?
/// phone: ColumnType::<Field<String>>::in_field(__cells, 2)?
/// team: __cells.hideable(3, <User>::TEAM)?
/// ```
///
/// A hideable `Option` names its column, whose type the type of the field does not tell: it may be an `Option`
/// too.
fn column_from_cells(
    index: usize,
    raw: &RawField,
    output: &Output,
    entity: &syn::Path,
    library: &Library,
) -> TokenStream {
    let RawField { ident, ty, .. } = raw;
    let span = type_span(raw);
    let (read, extra) = match output {
        Output::Shown => ("shown", None),
        Output::Omit | Output::Null if is_field(ty) => ("in_field", None),
        Output::Omit | Output::Null => {
            let column = constant(ident);
            let column = quote_spanned!(ident.span()=> <#entity>::#column);
            let cells = own("__cells", span);
            return quote_spanned!(span=> #ident: #cells.hideable(#index, #column)?);
        }
        Output::Error => ("or_error", None),
        Output::Mask(_) => ("masked", None),
        Output::MaskInProcess(path) => ("masked_in_process", Some(quote!(, #path))),
    };
    let read = Ident::new(read, span);
    let cells = own("__cells", span);
    quote_spanned! {span=>
        #ident: #library::__private::ColumnType::<#ty>::#read(#cells, #index #extra)?
    }
}

/// ```text
/// id: __visible.shown(__row.id)
/// phone: __visible.in_field(2, __row.phone)
/// mail: { let __column = __row.mail; __visible.masked(3, __column, Mask::Domain) }
/// ```
///
/// Located at the field's type, because the type is wrong if the two do not fit; a mask at its own word.
fn column_from_row(
    index: usize,
    raw: &RawField,
    output: &Output,
    library: &Library,
) -> TokenStream {
    let RawField { ident, ty, .. } = raw;
    let span = type_span(raw);
    let visible = own("__visible", span);
    let row = own("__row", ident.span());
    let column = quote_spanned!(ident.span()=> #row.#ident);
    let value = match output {
        Output::Shown => quote_spanned!(span=> #visible.shown(#column)),
        Output::Omit | Output::Null => {
            let read = if is_field(ty) { "in_field" } else { "hideable" };
            let read = Ident::new(read, span);
            quote_spanned!(span=> #visible.#read(#index, #column))
        }
        Output::Error => quote_spanned!(span=> #visible.or_error(#index, #column)?),
        Output::Mask(given) => {
            let word = raw.mask.as_ref().map_or(span, |(_, word)| word.span());
            let masked = Ident::new("__column", word);
            let mask = mask(*given, library);
            let call = quote_spanned!(span=> #visible.masked(#index, #masked, #mask));
            quote!({ let #masked = #column; #call })
        }
        Output::MaskInProcess(path) => {
            quote_spanned!(span=> #visible.masked_in_process(#index, #column, #path))
        }
    };
    quote!(#ident: #value)
}

fn type_span(raw: &RawField) -> proc_macro2::Span {
    let ty = &raw.ty;
    crate::tokens::first_span(&quote!(#ty))
}

/// Emits the names of the fields, for filters and orders, each with the visibility of its field.
fn constants(raw: &RawDto, usable: impl Fn(usize) -> bool) -> TokenStream {
    let RawDto {
        ident,
        vis,
        library,
        ..
    } = raw;
    // Two fields with the same constant were reported.
    let mut seen = BTreeSet::new();
    let constants = raw
        .fields
        .iter()
        .enumerate()
        .filter(|(index, field)| usable(*index) && seen.insert(constant_name(&field.ident)))
        .map(|(index, field)| {
            let name = plain_name(&field.ident);
            let constant = constant(&field.ident);
            let RawField { vis, ty, .. } = field;
            let doc = format!(" The field `{name}`, for filters and orders.");
            quote! {
                #[doc = #doc]
                #vis const #constant: #library::FieldName<#ident, #ty> = #library::FieldName::__new(#index);
            }
        });
    quote! {
        #[automatically_derived]
        #[allow(dead_code, reason = "not every DTO is queried, filtered or ordered by")]
        impl #ident {
            /// Starts a query for rows shown as this DTO.
            #vis fn select() -> #library::repository::Select<#ident> {
                #library::__private::select::<#ident>()
            }

            #(#constants)*
        }
    }
}

/// Emits the names of the fields that show related rows.
///
/// ```text
/// pub const COMMENTS: RelatedName<PostView, <Vec<CommentView> as Nested>::Dto> = ..;
/// ```
fn related_constants(fields: &[(usize, &RawField, &Field)], raw: &RawDto) -> Option<TokenStream> {
    let RawDto { ident, library, .. } = raw;
    let constants: Vec<TokenStream> = fields
        .iter()
        .filter(|(_, _, field)| matches!(field.source, Source::Related(_)))
        .map(|(index, raw, _)| {
            let RawField { vis, ty, .. } = raw;
            let constant = constant(&raw.ident);
            let doc = format!(
                " The field `{}`, for filters and orders.",
                plain_name(&raw.ident)
            );
            let of = quote_spanned!(type_span(raw)=> <#ty as #library::dto::Nested>::Dto);
            quote! {
                #[doc = #doc]
                #vis const #constant: #library::dto::RelatedName<#ident, #of> =
                    #library::dto::RelatedName::__new(#index);
            }
        })
        .collect();
    if constants.is_empty() {
        return None;
    }
    Some(quote! {
        #[automatically_derived]
        #[allow(dead_code, reason = "not every relation is filtered or ordered by")]
        impl #ident {
            #(#constants)*
        }
    })
}

fn streamed(raw: &RawDto) -> TokenStream {
    let RawDto { ident, library, .. } = raw;
    quote! {
        #[automatically_derived]
        impl #library::repository::Streamed for #ident {}
    }
}

fn release(raw: &RawDto) -> TokenStream {
    let RawDto { ident, library, .. } = raw;
    quote! {
        #[automatically_derived]
        impl #library::Release for #ident {}

        #[automatically_derived]
        impl #library::__private::Checked for #ident {}
    }
}
