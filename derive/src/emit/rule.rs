//! Emission of rules: as the library's data, and as Rust that the compiler checks at the user's tokens.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use crate::attribute::Library;
use crate::rule::{Body, Comparison, Inline, Input, InputKind, Node, Operand, Rule, before, plain};
use crate::tokens;

/// The viewer and row types of a rule, as tokens.
pub(super) struct Types {
    pub(super) library: Library,
    pub(super) viewer: TokenStream,
    pub(super) row: TokenStream,
}

/// Emits a rule as an expression of the library's type `Rule`.
///
/// ```text
/// ::clearance::policy::Rule::<Member, User>::__new(source, expr, inputs, opaque)
/// ::clearance::__private::named::<Member, User>(can_see_phone)
/// ```
pub(super) fn value(rule: &Rule, types: &Types) -> TokenStream {
    let Types {
        library,
        viewer,
        row,
    } = types;
    let value = match &rule.body {
        Body::Named(path) => {
            // All at the path, so that a function that is no rule, or one of another viewer or entity, is
            // refused there.
            let span = path
                .segments
                .first()
                .map_or_else(Span::call_site, |segment| segment.ident.span());
            let named = Ident::new("named", span);
            let blamed = library.at(span);
            quote_spanned!(span=> #blamed::__private::#named::<#viewer, #row>(#path))
        }
        Body::Inline(inline) => {
            let source = source(&rule.text, rule.span, library);
            let expr = node(&inline.node, library);
            let inputs = inline.inputs.iter().map(|given| input(given, types));
            let opaque = inline.opaque.iter().map(|path| {
                quote! {{
                    let __opaque: fn(&#viewer, &#row, &#library::policy::Context) -> bool = #path;
                    __opaque
                }}
            });
            quote! {
                #library::policy::Rule::<#viewer, #row>::__new(
                    #source,
                    #expr,
                    ::std::vec![#(#inputs),*],
                    ::std::vec![#(#opaque),*],
                )
            }
        }
    };
    if rule.negated {
        quote!(#library::policy::Rule::__negated(#value))
    } else {
        value
    }
}

/// Emits a rule that allows nothing, for an item with an error.
pub(super) fn nothing(types: &Types) -> TokenStream {
    let Types {
        library,
        viewer,
        row,
    } = types;
    quote! {
        #library::policy::Rule::<#viewer, #row>::__new(
            #library::policy::Source::__new("", "", 0),
            #library::policy::Expr::Any(::std::vec![]),
            ::std::vec![],
            ::std::vec![],
        )
    }
}

/// Emits a text of the user's with its place. The macros for file and line carry the user's span, so
/// that they give its own line and not that of the derive.
pub(super) fn source(text: &str, span: Span, library: &Library) -> TokenStream {
    let file = quote_spanned!(span=> ::core::file!());
    let line = quote_spanned!(span=> ::core::line!());
    quote!(#library::policy::Source::__new(#text, #file, #line))
}

fn node(node: &Node, library: &Library) -> TokenStream {
    let expr = quote!(#library::policy::Expr);
    match node {
        Node::Free(index) => quote!(#expr::Free(#index)),
        Node::Flag(field) => {
            let field = name(field);
            quote!(#expr::Flag(#field))
        }
        Node::Compare {
            comparison,
            left,
            right,
            ..
        } => {
            let op = match comparison {
                Comparison::Same | Comparison::Eq => quote!(Eq),
                Comparison::Ne => quote!(Ne),
                Comparison::Lt => quote!(Lt),
                Comparison::Le => quote!(Le),
                Comparison::Gt => quote!(Gt),
                Comparison::Ge => quote!(Ge),
            };
            let left = operand(left, library);
            let right = operand(right, library);
            quote! {
                #expr::Compare { op: #library::policy::Op::#op, left: #left, right: #right }
            }
        }
        Node::IsSome(field) => {
            let field = name(field);
            quote!(#expr::IsSome(#field))
        }
        Node::IsNone(field) => {
            let field = name(field);
            quote!(#expr::IsNone(#field))
        }
        Node::Contains { list, field } => {
            let field = name(field);
            quote!(#expr::Contains { list: #list, field: #field })
        }
        Node::Opaque(index) => quote!(#expr::Opaque(#index)),
        Node::Related {
            relation,
            condition,
        } => {
            let relation = name(relation);
            let condition = self::node(condition, library);
            quote! {
                #expr::Related {
                    relation: #relation,
                    condition: ::std::boxed::Box::new(#condition),
                }
            }
        }
        Node::Not(inner) => {
            let inner = self::node(inner, library);
            quote!(#expr::Not(::std::boxed::Box::new(#inner)))
        }
        Node::All(nodes) => {
            let nodes = nodes.iter().map(|inner| self::node(inner, library));
            quote!(#expr::All(::std::vec![#(#nodes),*]))
        }
        Node::Any(nodes) => {
            let nodes = nodes.iter().map(|inner| self::node(inner, library));
            quote!(#expr::Any(::std::vec![#(#nodes),*]))
        }
    }
}

fn operand(operand: &Operand, library: &Library) -> TokenStream {
    match operand {
        Operand::Field(field) => {
            let field = name(field);
            quote!(#library::policy::Operand::Field(#field))
        }
        Operand::Input(index) => quote!(#library::policy::Operand::Input(#index)),
    }
}

fn name(field: &Ident) -> String {
    match before::field(field) {
        Some(field) => format!("before.{}", crate::syntax::plain_name(&field)),
        None => crate::syntax::plain_name(field),
    }
}

/// ```text
/// ::clearance::__private::RuleInput::viewer_flag(|viewer: &Member, _: &Context| viewer.admin)
///     .named("viewer.admin")
/// ```
fn input(input: &Input, types: &Types) -> TokenStream {
    let Types {
        library, viewer, ..
    } = types;
    let context = match &input.context {
        Some(ident) => tokens::own("context", ident.span()).to_token_stream(),
        None => quote!(_),
    };
    let body = match input.kind {
        InputKind::Flag => bound(input),
        InputKind::Value => {
            let operand = operand_of("value", given(input), library);
            quote!(#operand.computed())
        }
        InputKind::List => {
            let operand = operand_of("list", given(input), library);
            quote!(#operand.computed())
        }
    };
    let viewer_name = input.viewer.as_ref();
    let (constructor, parameters) = match viewer_name.map(|it| tokens::own("viewer", it.span())) {
        Some(ident) => (
            match input.kind {
                InputKind::Flag => quote!(viewer_flag),
                InputKind::Value => quote!(viewer_value),
                InputKind::List => quote!(viewer_list),
            },
            quote!(#ident: &#viewer, #context: &#library::policy::Context),
        ),
        None => (
            match input.kind {
                InputKind::Flag => quote!(free_flag),
                InputKind::Value => quote!(free_value),
                InputKind::List => quote!(free_list),
            },
            quote!(#context: &#library::policy::Context),
        ),
    };
    let name = tokens::text(input.expr.to_token_stream());
    let timed = input.timed.then(|| quote!(.timed()));
    quote!(#library::__private::RuleInput::#constructor(|#parameters| #body).named(#name) #timed)
}

/// Emits a function that is never called: in it the compiler checks, at the user's tokens, that the
/// rule compares comparable types.
///
/// ```text
/// fn __check(viewer: &Member, row: &User, context: &Context) {
///     ::clearance::__private::compared(value(&row.team), value(&(viewer.team))).check_same();
/// }
/// ```
pub(super) fn check<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    types: &Types,
) -> Option<TokenStream> {
    let Types {
        library,
        viewer,
        row,
    } = types;
    let functions: Vec<TokenStream> = rules
        .filter_map(|rule| match &rule.body {
            Body::Inline(inline) => Some(inline),
            Body::Named(_) => None,
        })
        .map(|inline| {
            let mut calls = Vec::new();
            checks(&inline.node, inline, library, &mut calls);
            (inline, calls)
        })
        .filter(|(_, calls)| !calls.is_empty())
        .map(|(inline, calls)| {
            let parameter = |found: Option<&Ident>, name: &str| {
                tokens::own(name, found.map_or_else(Span::call_site, Ident::span))
            };
            let viewer_name = parameter(
                inline.inputs.iter().find_map(|input| input.viewer.as_ref()),
                "viewer",
            );
            let context_name = parameter(
                inline
                    .inputs
                    .iter()
                    .find_map(|input| input.context.as_ref()),
                "context",
            );
            quote! {
                #[allow(unused, clippy::all, clippy::pedantic, reason = "only checked, never run")]
                fn __check(
                    #viewer_name: &#viewer,
                    __row: &#row,
                    __before: &#row,
                    #context_name: &#library::policy::Context,
                ) {
                    use #library::__private::RefusedOperands as _;
                    #(#calls)*
                }
            }
        })
        .collect();
    if functions.is_empty() {
        return None;
    }
    Some(quote!(#({ #functions })*))
}

fn checks(node: &Node, inline: &Inline, library: &Library, calls: &mut Vec<TokenStream>) {
    match node {
        Node::Free(_) | Node::Opaque(_) => {}
        Node::Flag(field) => {
            let place = place(field);
            calls.push(call("tested", "check_flag", field.span(), &place, library));
        }
        Node::Compare {
            comparison,
            span,
            left,
            right,
        } => {
            let function = match comparison {
                Comparison::Same => "check_same",
                Comparison::Eq | Comparison::Ne => "check_eq",
                Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge => "check_order",
            };
            // The column comes first, because the checks read as "this column with that value".
            let (first, second) = match (left, right) {
                (Operand::Input(_), Operand::Field(_)) => (right, left),
                _ => (left, right),
            };
            let first = compared(first, inline, library);
            let second = compared(second, inline, library);
            calls.push(call(
                "compared",
                function,
                *span,
                &quote!(#first, #second),
                library,
            ));
        }
        Node::IsSome(field) | Node::IsNone(field) => {
            let place = place(field);
            let function = Ident::new("check_option", field.span());
            calls.push(quote_spanned! {field.span()=>
                #library::__private::#function(#place);
            });
        }
        Node::Contains { list, field } => {
            let list = inline.inputs.get(*list).map(given);
            let list = operand_of("list", list.unwrap_or_default(), library);
            let place = operand_of("value", place(field), library);
            calls.push(call(
                "listed",
                "check_contains",
                field.span(),
                &quote!(#list, #place),
                library,
            ));
        }
        Node::Related {
            relation,
            condition,
        } => {
            let mut inner = Vec::new();
            checks(condition, inline, library, &mut inner);
            let rows = super::relation::rows(relation);
            calls.push(quote! {
                #library::__private::check_related(#rows, |__row| { #(#inner)* });
            });
        }
        Node::Not(inner) => checks(inner, inline, library, calls),
        Node::All(nodes) | Node::Any(nodes) => {
            for inner in nodes {
                checks(inner, inline, library, calls);
            }
        }
    }
}

/// Emits a check of operands, whose types are known by then, located at `span`.
///
/// ```text
/// ::clearance::__private::compared(value(&row.team), value(&(viewer.team))).check_same();
/// ```
fn call(
    operands: &str,
    check: &str,
    span: Span,
    arguments: &TokenStream,
    library: &Library,
) -> TokenStream {
    let operands = Ident::new(operands, span);
    let check = Ident::new(check, span);
    let library = library.at(span);
    quote_spanned!(span=> #library::__private::#operands(#arguments).#check();)
}

fn compared(operand: &Operand, inline: &Inline, library: &Library) -> TokenStream {
    let operand = match operand {
        Operand::Field(field) => place(field),
        Operand::Input(index) => inline.inputs.get(*index).map(given).unwrap_or_default(),
    };
    operand_of("value", operand, library)
}

/// Emits `::clearance::__private::value(&(viewer.team))`, located at the operand.
fn operand_of(function: &str, operand: TokenStream, library: &Library) -> TokenStream {
    let span = tokens::first_span(&operand);
    let function = Ident::new(function, span);
    let library = library.at(span);
    quote_spanned!(span=> #library::__private::#function(#operand))
}

/// Emits `&row.field`, located at the field.
fn place(field: &Ident) -> TokenStream {
    let (row, field) = match before::field(field) {
        Some(field) => ("__before", field),
        None => ("__row", field.clone()),
    };
    let span = field.span();
    tokens::over(row, span, |row| quote_spanned!(span=> &#row.#field))
}

/// Emits `&(expr)`, located at the expression.
fn given(input: &Input) -> TokenStream {
    let expr = bound(input);
    let span = tokens::first_span(&expr);
    quote_spanned!(span=> &(#expr))
}

/// Emits the expression so that its names resolve to the surrounding variables.
fn bound(input: &Input) -> TokenStream {
    tokens::bound(input.expr.to_token_stream(), plain::NAMES_WITHOUT_ROW)
}
