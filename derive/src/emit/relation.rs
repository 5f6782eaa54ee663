//! The relations of an entity: as data, and as fields with which the compiler checks rules.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::constant;
use crate::syntax::entity::{Join, RawEntity, RawRelation};
use crate::syntax::plain_name;

/// Emits the related rows for the compiler's check of a rule. They are a field, because for an unknown
/// field the compiler lists the existing ones.
///
/// ```text
/// __row.__relations().author
/// ```
pub(super) fn rows(relation: &Ident) -> TokenStream {
    let span = relation.span();
    crate::tokens::over(
        "__row",
        span,
        |row| quote_spanned!(span=> #row.__relations().#relation),
    )
}

/// ```text
/// vec![RelationSpec::__belongs_to::<User>("author", "author_id")]
/// ```
pub(super) fn specs(raw: &RawEntity) -> TokenStream {
    let library = &raw.library;
    let relations = raw.relations.iter().map(|relation| {
        let name = plain_name(&relation.ident);
        let target = &relation.target;
        let spec = quote!(#library::__private::RelationSpec);
        match &relation.join {
            Join::OwnField(field) => {
                let field = plain_name(field);
                quote!(#spec::__belongs_to::<#target>(#name, #field))
            }
            Join::TheirField(field) => {
                let field = plain_name(field);
                quote!(#spec::__has_many::<#target>(#name, #field))
            }
            Join::Pairs(pairs) => {
                let pairs = pairs.iter().map(|(theirs, own)| {
                    let (theirs, own) = (plain_name(theirs), plain_name(own));
                    quote!((#theirs, #own))
                });
                quote!(#spec::__has_many_on::<#target>(#name, ::std::vec![#(#pairs),*]))
            }
        }
    });
    quote!(::std::vec![#(#relations),*])
}

/// Emits checks by the compiler that the joined columns are comparable.
///
/// ```text
/// ::clearance::__private::check_key::<User, _, _, _>(<Post>::AUTHOR_ID);
/// ```
pub(super) fn checks(raw: &RawEntity) -> TokenStream {
    let calls = raw.relations.iter().map(|relation| check(raw, relation));
    quote!(#(#calls)*)
}

fn check(raw: &RawEntity, relation: &RawRelation) -> TokenStream {
    let RawEntity { ident, library, .. } = raw;
    let target = &relation.target;
    let column = |of: &TokenStream, field: &Ident| {
        let constant = constant(field);
        quote_spanned!(field.span()=> <#of>::#constant)
    };
    let (own, theirs) = (quote!(#ident), quote!(#target));
    match &relation.join {
        Join::OwnField(field) => {
            let column = column(&own, field);
            let check = Ident::new("check_key", field.span());
            quote!(#library::__private::#check::<#target, _, _, _>(#column);)
        }
        Join::TheirField(field) => {
            let column = column(&theirs, field);
            let check = Ident::new("check_key", field.span());
            quote!(#library::__private::#check::<#ident, _, _, _>(#column);)
        }
        Join::Pairs(pairs) => pairs
            .iter()
            .map(|(theirs_field, own_field)| {
                let theirs = column(&theirs, theirs_field);
                let own = column(&own, own_field);
                let check = Ident::new("check_pair", theirs_field.span());
                quote!(#library::__private::#check(#theirs, #own);)
            })
            .collect(),
    }
}

/// ```text
/// pub struct __PostRelations { pub author: Related<User, One> }
///
/// impl Post {
///     pub fn __relations(&self) -> __PostRelations { .. }
/// }
/// ```
pub(super) fn fields(raw: &RawEntity) -> TokenStream {
    let RawEntity {
        ident,
        vis,
        library,
        ..
    } = raw;
    let name = format_ident!("__{}Relations", plain_name(ident));
    let fields = raw.relations.iter().map(|relation| {
        let field = &relation.ident;
        let target = &relation.target;
        let cardinality = match relation.join {
            Join::OwnField(_) => quote!(One),
            Join::TheirField(_) | Join::Pairs(_) => quote!(Many),
        };
        quote! {
            pub #field: #library::__private::Related<#target, #library::__private::#cardinality>
        }
    });
    let values = raw.relations.iter().map(|relation| {
        let field = &relation.ident;
        quote!(#field: #library::__private::related())
    });
    quote! {
        #[doc(hidden)]
        #[allow(dead_code, reason = "only the compiler's checks of rules ask for it")]
        #vis struct #name { #(#fields),* }

        #[automatically_derived]
        impl #ident {
            #[doc(hidden)]
            #[allow(dead_code, reason = "only the compiler's checks of rules ask for it")]
            #vis fn __relations(&self) -> #name {
                #name { #(#values),* }
            }
        }
    }
}
