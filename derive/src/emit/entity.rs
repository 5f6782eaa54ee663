//! The code of `#[derive(Entity)]`.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};

use super::rule::{self, Types};
use super::{constant, no_column_type, refusal, relation};
use crate::check::entity::{Entity, Rows, column_name};
use crate::rule::Rule;
use crate::syntax::entity::{RawColumn, RawEntity};
use crate::syntax::{constant_name, plain_name};
use crate::tokens;

/// ```text
/// impl ::clearance::Entity for User { .. }
/// impl User { pub const SLUG: ::clearance::entity::Column<User, String, Lookup> = ..; }
/// ```
pub(crate) fn emit(raw: &RawEntity, entity: &Entity) -> TokenStream {
    let RawEntity { ident, library, .. } = raw;
    let viewer = &entity.viewer;
    let types = Types {
        library: library.clone(),
        viewer: viewer.to_token_stream(),
        row: ident.to_token_stream(),
    };
    let name = plain_name(ident);
    let table = &entity.table;
    let key = entity.key;
    let key_type = raw.fields.get(key).map(|field| &field.ty);
    let specs = raw.fields.iter().map(|field| column_spec(field, raw));
    let all = [&entity.read, &entity.create, &entity.update, &entity.delete];
    let updated = entity.updated.as_ref().map_or_else(
        || quote!(::core::option::Option::None),
        |rules| {
            let operation = operation(rules, &entity.tenant, &types);
            quote!(::core::option::Option::Some(#operation))
        },
    );
    let checks = rule::check(
        entity
            .tenant
            .iter()
            .chain(
                all.into_iter()
                    .chain(&entity.updated)
                    .flat_map(|rows| match rows {
                        Rows::Rules(rules) => rules.as_slice(),
                        Rows::Denied | Rows::Open(_) => &[],
                    }),
            )
            .chain(entity.filters.iter().flat_map(|(_, rules)| rules)),
        &types,
    );
    let [read, create, update, delete] = all.map(|rows| operation(rows, &entity.tenant, &types));
    let tenant = rules(&entity.tenant, &types);
    let relations = relation::specs(raw);
    let join_checks = relation::checks(raw);
    let filters = filters(raw, entity, &types);
    let viewer_of = raw.viewer_of.then(|| quote!(.__viewer_of()));
    let cells = raw.fields.iter().enumerate().map(|(index, field)| {
        let RawColumn {
            ident: name, ty, ..
        } = field;
        let span = name.span();
        let place = tokens::over("self", span, |this| quote_spanned!(span=> &#this.#name));
        quote!(#index => #library::__private::ColumnType::<#ty>::cell(#place))
    });
    let columns = raw.fields.iter().enumerate().map(|(index, field)| {
        let RawColumn {
            ident: name, ty, ..
        } = field;
        quote!(#name: #library::__private::ColumnType::<#ty>::column(cells, #index)?)
    });
    let no_column_type = no_column_type(library);
    let constants = constants(raw);
    let stays_inside = stays_inside(raw);
    quote! {
        #[automatically_derived]
        impl #library::Entity for #ident {
            type Viewer = #viewer;
            type Key = #key_type;

            fn __table() -> &'static #library::entity::Table<Self> {
                static __TABLE: ::std::sync::LazyLock<#library::entity::Table<#ident>> =
                    ::std::sync::LazyLock::new(|| {
                        #library::entity::Table::__new(
                            #name,
                            #table,
                            ::std::vec![#(#specs),*],
                            #key,
                            #relations,
                            #library::entity::RowRules {
                                tenant: #tenant,
                                read: #read,
                                create: #create,
                                update: #update,
                                updated: #updated,
                                delete: #delete,
                            },
                        )
                        #filters
                        #viewer_of
                    });
                #checks
                #join_checks
                #stays_inside
                &__TABLE
            }

            #[inline]
            fn __cell(&self, column: ::core::primitive::usize) -> #library::policy::Cell<'_> {
                #no_column_type
                match column {
                    #(#cells,)*
                    _ => #library::policy::Cell::Null,
                }
            }

            fn __from_cells(
                cells: &mut impl #library::__private::ReadCells,
            ) -> #library::Result<Self> {
                #no_column_type
                ::core::result::Result::Ok(Self { #(#columns),* })
            }
        }

        #constants
    }
}

/// Emits checks by the compiler that the entity implements neither `Serialize` nor `Release`, by
/// whatever impl.
///
/// ```text
/// fn __inside() {
///     ::clearance::__private::inside::<User>().check_unserialized();
///     ::clearance::__private::inside::<User>().check_unreleased();
/// }
/// ```
fn stays_inside(raw: &RawEntity) -> TokenStream {
    let RawEntity { ident, library, .. } = raw;
    let span = ident.span();
    let blamed = library.at(span);
    let checks = quote_spanned! {span=>
        #blamed::__private::inside::<#ident>().check_unserialized();
        #blamed::__private::inside::<#ident>().check_unreleased();
    };
    quote! {
        #[allow(unused, reason = "only checked, never run")]
        fn __inside() {
            use #library::__private::Otherwise as _;
            #checks
        }
    }
}

/// Emits the code after an error: a table without columns, on which every operation is denied.
pub(crate) fn emit_nothing(raw: &RawEntity) -> TokenStream {
    let RawEntity { ident, library, .. } = raw;
    let name = plain_name(ident);
    let key_type = raw
        .fields
        .iter()
        .find(|field| field.key.is_some())
        .map_or_else(
            || quote!(::core::primitive::i64),
            |field| field.ty.to_token_stream(),
        );
    let (nobody, viewer) = match &raw.viewer {
        Some(viewer) => (None, viewer.to_token_stream()),
        None => (
            Some(quote! {
                pub enum __Nobody {}

                impl #library::Viewer for __Nobody {
                    fn subject(&self) -> #library::Subject {
                        match *self {}
                    }
                }
            }),
            quote!(__Nobody),
        ),
    };
    let refusal = refusal();
    let constants = constants(raw);
    quote! {
        const _: () = {
            #nobody

            #[automatically_derived]
            impl #library::Entity for #ident {
                type Viewer = #viewer;
                type Key = #key_type;

                fn __table() -> &'static #library::entity::Table<Self> {
                    static __TABLE: ::std::sync::LazyLock<#library::entity::Table<#ident>> =
                        ::std::sync::LazyLock::new(|| {
                            #library::entity::Table::__new(
                                #name,
                                #name,
                                ::std::vec![],
                                0,
                                ::std::vec![],
                                #library::entity::RowRules {
                                    tenant: ::std::vec![],
                                    read: #library::entity::Operation::Denied,
                                    create: #library::entity::Operation::Denied,
                                    update: #library::entity::Operation::Denied,
                                    updated: ::core::option::Option::None,
                                    delete: #library::entity::Operation::Denied,
                                },
                            )
                        });
                    &__TABLE
                }

                fn __cell(&self, _: ::core::primitive::usize) -> #library::policy::Cell<'_> {
                    #library::policy::Cell::Null
                }

                fn __from_cells(
                    _: &mut impl #library::__private::ReadCells,
                ) -> #library::Result<Self> {
                    #refusal
                }
            }
        };

        #constants
    }
}

/// Emits the description of a column, the one place where the compiler refuses its type.
fn column_spec(field: &RawColumn, raw: &RawEntity) -> TokenStream {
    let RawEntity { ident, library, .. } = raw;
    let name = plain_name(&field.ident);
    let column = column_name(field);
    if field.key.is_some() {
        return quote!(#library::entity::Table::<#ident>::__key(#name, #column));
    }
    let ty = &field.ty;
    let lookup = field.lookup.is_some();
    let many = field.many.then(|| quote!(.__many()));
    quote!(#library::entity::ColumnSpec::__new::<#ty>(#name, #column, #lookup) #many)
}

/// ```text
/// .__filters(vec![("email", vec![rule])])
/// ```
fn filters(raw: &RawEntity, entity: &Entity, types: &Types) -> Option<TokenStream> {
    if entity.filters.is_empty() {
        return None;
    }
    let filters = entity.filters.iter().filter_map(|(index, rules)| {
        let name = plain_name(&raw.fields.get(*index)?.ident);
        let rules = rules.iter().map(|rule| rule::value(rule, types));
        Some(quote!((#name, ::std::vec![#(#rules),*])))
    });
    Some(quote!(.__filters(::std::vec![#(#filters),*])))
}

/// Emits an operation. The tenant's rules precede its own, because they are the cheaper ones.
fn operation(rows: &Rows, tenant: &[Rule], types: &Types) -> TokenStream {
    let library = &types.library;
    match rows {
        Rows::Denied => quote!(#library::entity::Operation::Denied),
        Rows::Open(reason) => {
            let tenant = rules(tenant, types);
            quote!(#library::entity::Operation::Open { reason: #reason, tenant: #tenant })
        }
        Rows::Rules(own) => {
            let rules = rules(tenant.iter().chain(own), types);
            quote!(#library::entity::Operation::Rules(#rules))
        }
    }
}

fn rules<'r>(rules: impl IntoIterator<Item = &'r Rule>, types: &Types) -> TokenStream {
    let rules = rules.into_iter().map(|rule| rule::value(rule, types));
    quote!(::std::vec![#(#rules),*])
}

/// Emits the column constants, each with the visibility of the struct.
fn constants(raw: &RawEntity) -> TokenStream {
    let RawEntity {
        ident,
        library,
        vis,
        ..
    } = raw;
    // Two fields with the same constant were reported.
    let mut seen = BTreeSet::new();
    let fields = raw.fields.iter();
    let fields = fields.filter(|field| seen.insert(constant_name(&field.ident)));
    let constants = fields.map(|field| {
        let name = plain_name(&field.ident);
        let constant = constant(&field.ident);
        let ty = &field.ty;
        let usage = if field.key.is_some() {
            quote!(PrimaryKey)
        } else if field.lookup.is_some() {
            quote!(Lookup)
        } else if field.filtered {
            quote!(Filtered)
        } else {
            quote!(Plain)
        };
        let doc = format!(" The column of `{name}`.");
        quote! {
            #[doc = #doc]
            #vis const #constant: #library::entity::Column<#ident, #ty, #library::entity::#usage> =
                #library::entity::Column::__new(#name);
        }
    });
    let relations = relation::fields(raw);
    quote! {
        #[automatically_derived]
        #[allow(dead_code, reason = "not every column is looked up or written")]
        impl #ident {
            #(#constants)*
        }

        #relations
    }
}
