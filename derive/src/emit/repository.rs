//! The code of `#[repository]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Pat, PatIdent, PathArguments, ReceiverKind,
    Signature, Type,
};

use super::refusal;
use crate::attribute::Library;
use crate::check::repository::{Action, Guard, Memo, Method};
use crate::rule::plain;
use crate::syntax::repository::{Condition, RawItem, RawMethod, RawRepository};
use crate::tokens;

/// Emits the user's impl block with its guards, and beside it `with(context)` and the list of methods.
pub(crate) fn emit(raw: &RawRepository, methods: &[Option<Method>]) -> TokenStream {
    let mut checked = methods.iter();
    let mut written: Vec<(&RawMethod, Option<&Method>)> = Vec::new();
    let items: Vec<TokenStream> = raw
        .items
        .iter()
        .map(|item| match item {
            RawItem::Other(tokens) => tokens.clone(),
            RawItem::Method(method) => {
                let checked = checked.next().and_then(Option::as_ref);
                written.push((method, checked));
                guarded(raw, method, checked)
            }
        })
        .collect();
    let head = &raw.head;
    let attributes = &head.attrs;
    let unsafety = &head.unsafety;
    let (parameters, _, clause) = head.generics.split_for_impl();
    let of_trait = head
        .trait_
        .as_ref()
        .map(|(path, for_token)| quote!(#path #for_token));
    let self_ty = &head.self_ty;
    let block = quote! {
        #(#attributes)*
        #unsafety impl #parameters #of_trait #self_ty #clause {
            #(#items)*
        }
    };
    if head.trait_.is_some() {
        return block;
    }
    let with = with(raw, &written);
    let registered = registered(raw, &written);
    quote!(#block #with #registered)
}

/// ```text
/// pub async fn rename(&self, id: Uuid) -> Result<Profile> {
///     { let __error = ::clearance::__private::returned::<Result<Profile>>(); .. }
///     let access = ::clearance::Access::<::clearance::Write<Member>>::authenticated().await?;
///     { .. }
/// }
/// ```
fn guarded(raw: &RawRepository, method: &RawMethod, checked: Option<&Method>) -> TokenStream {
    let RawMethod {
        attributes,
        vis,
        signature,
        body,
        ..
    } = method;
    let Some(checked) = checked else {
        let refusal = refusal();
        return quote! {
            #(#attributes)*
            #[allow(unused, reason = "the method has an error")]
            #vis #signature { #refusal }
        };
    };
    let library = &raw.library;
    let binding = &checked.binding;
    let output = &checked.output;
    let returned = returned(output, library);
    let viewer = raw.viewer.as_ref();
    let guard = match &checked.guard {
        Guard::Authenticated(action) => {
            let action = action_type(*action, viewer, library);
            quote!(let #binding = #library::Access::<#action>::authenticated().await?;)
        }
        Guard::Authorize(action, condition) => {
            let action = action_type(*action, viewer, library);
            let allowed = allowed(condition, library);
            quote! {
                let __access = #library::Access::<#action>::authenticated().await?;
                let __allowed: ::core::primitive::bool = #allowed;
                let #binding = __access.__authorized(__allowed)?;
            }
        }
        Guard::Public(reason) => quote! {
            let #binding = #library::Access::<#library::Public>::public(#reason)?;
        },
    };
    let body = match &checked.memo {
        Some(memo) => remembered(raw, method, checked, memo),
        None => body.to_token_stream(),
    };
    quote! {
        #(#attributes)*
        #[allow(unused_braces, reason = "the braces of a body of one line")]
        #vis #signature {
            #returned
            #guard
            #body
        }
    }
}

/// Emits checks by the compiler of the types that leave: the returned type, and the parts of its error
/// type that its syntax shows.
///
/// ```text
/// let __error = ::clearance::__private::returned::<Result<Profile, Failed<User>>>();
/// __error.check_no_entity();
/// ::clearance::__private::inside::<User>().check_no_entity();
/// ```
fn returned(output: &Type, library: &Library) -> TokenStream {
    let mut written = Written(Vec::new());
    if let Type::Path(path) = tokens::bare_type(output)
        && let Some(last) = path.path.segments.last()
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
    {
        let types = arguments.args.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(tokens::bare_type(ty)),
            _ => None,
        });
        for error in types.skip(1) {
            syn::visit::visit_type(&mut written, error);
        }
    }
    let span = tokens::first_span(&output.to_token_stream());
    let parts = written.0.iter().map(|part| {
        let span = tokens::first_span(&part.to_token_stream());
        let library = library.at(span);
        quote_spanned!(span=> #library::__private::inside::<#part>().check_no_entity();)
    });
    let blamed = library.at(span);
    // Two statements: the first alone reports errors about the type as a whole.
    let whole = quote_spanned! {span=>
        let __error = #blamed::__private::returned::<#output>();
        __error.check_no_entity();
    };
    quote!({
        use #library::__private::Otherwise as _;
        #whole
        #(#parts)*
    })
}

/// A visitor that collects the types within a type.
struct Written(Vec<Type>);

impl Visit<'_> for Written {
    fn visit_type(&mut self, ty: &Type) {
        match tokens::bare_type(ty) {
            // The types in these have no size, or no name.
            Type::TraitObject(_) | Type::ImplTrait(_) | Type::Infer(_) | Type::Macro(_) => {}
            bare => {
                self.0.push(bare.clone());
                syn::visit::visit_type(self, bare);
            }
        }
    }
}

/// ```text
/// {
///     enum __Memo {}
///     ::clearance::__private::remember::<(PhantomData<T>, __Memo), _, _, _>(
///         ::clearance::__private::recall(&access),
///         ::clearance::__private::MemoKey::new::<Self>(self).and::<str>(slug),
///         ::clearance::__private::run::<Result<Profile>, _>(async { .. }),
///     )
///     .await
/// }
/// ```
///
/// The enum makes the type distinct for each method, whatever their names.
fn remembered(
    raw: &RawRepository,
    method: &RawMethod,
    checked: &Method,
    memo: &Memo,
) -> TokenStream {
    let library = &raw.library;
    let body = &method.body;
    let binding = &checked.binding;
    let output = &checked.output;
    let span = tokens::first_span(&raw.head.self_ty.to_token_stream());
    let this = this(&method.signature, span);
    let mut key = quote_spanned!(span=> #library::__private::MemoKey::new::<Self>(#this));
    for (name, ty, borrowed) in &memo.arguments {
        let span = tokens::first_span(&ty.to_token_stream());
        let name = Ident::new(&name.to_string(), name.span().located_at(span));
        let argument = if *borrowed {
            quote!(#name)
        } else {
            quote_spanned!(span=> &#name)
        };
        // The type of an `impl Trait` argument cannot be stated.
        let stated = (!has_impl(ty)).then(|| quote_spanned!(span=> ::<#ty>));
        key.extend(quote_spanned!(span=> .and #stated(#argument)));
    }
    let mut types = quote!(__Memo);
    for parameter in &method.signature.generics.params {
        match parameter {
            GenericParam::Type(parameter) => {
                let ident = &parameter.ident;
                types = quote!((::core::marker::PhantomData<#ident>, #types));
            }
            GenericParam::Const(parameter) => {
                let ident = &parameter.ident;
                key.extend(quote!(.and(&#ident)));
            }
            GenericParam::Lifetime(_) => {}
        }
    }
    let recall = quote!(#library::__private::recall(&#binding));
    // One span for every possible error of the return type, so that it is reported once.
    let span = tokens::first_span(&output.to_token_stream());
    let library = library.at(span);
    let remember = quote_spanned! {span=>
        #library::__private::remember::<#types, _, _, _>(
            #recall,
            #key,
            #library::__private::run::<#output, _>(async #body),
        )
        .await
    };
    quote!({ enum __Memo {} #remember })
}

/// Returns the `self` that the signature declares, located at `span`.
fn this(signature: &Signature, span: Span) -> Ident {
    let declared = signature.receiver().map_or(span, |it| it.self_token.span);
    Ident::new("self", declared.located_at(span))
}

fn action_type(action: Action, viewer: Option<&Type>, library: &Library) -> TokenStream {
    match action {
        Action::Read => quote!(#library::Read<#viewer>),
        Action::Write => quote!(#library::Write<#viewer>),
    }
}

/// Emits the condition with the two names that it may use, if it uses them.
fn allowed(condition: &Condition, library: &Library) -> TokenStream {
    let expr = bound(condition);
    let viewer =
        tokens::find(expr.clone(), "viewer").map(|viewer| quote!(let #viewer = __access.viewer();));
    let context = tokens::find(expr.clone(), "context")
        .map(|context| quote!(let #context = __access.context();));
    // INVARIANT (plain): in a function of its own, no macro that stands in the condition can return
    // from the method before it is decided.
    quote!(#library::__private::allowed(|| { #viewer #context #expr }))
}

/// Emits the condition so that its names resolve to the surrounding variables.
fn bound(condition: &Condition) -> TokenStream {
    tokens::bound(condition.expr.to_token_stream(), plain::NAMES_WITHOUT_ROW)
}

/// Emits `with(context)`: the same methods, inside an explicit request context.
///
/// ```text
/// impl Users {
///     pub fn with<'__a>(&'__a self, context: &'__a RequestContext) -> __UsersIn<'__a> { .. }
/// }
/// impl __UsersIn<'_> {
///     pub async fn profile(&self, __0: &str) -> Result<Profile> {
///         self.context.scope(self.repository.profile(__0)).await
///     }
/// }
/// ```
fn with(raw: &RawRepository, methods: &[(&RawMethod, Option<&Method>)]) -> TokenStream {
    let library = &raw.library;
    let self_ty = &*raw.head.self_ty;
    let Some(name) = type_name(self_ty) else {
        return TokenStream::new();
    };
    let scoped = format_ident!("__{name}In", span = Span::call_site());
    let (parameters, _, clause) = raw.head.generics.split_for_impl();
    let mut generics = raw.head.generics.clone();
    generics
        .params
        .insert(0, GenericParam::Lifetime(syn::parse_quote!('__a)));
    let (scoped_parameters, scoped_arguments, _) = generics.split_for_impl();
    let forwards = methods
        .iter()
        .filter(|(method, _)| is_forwarded(method))
        .map(|(method, checked)| forward(method, checked.is_some(), self_ty));
    quote! {
        #[automatically_derived]
        impl #parameters #self_ty #clause {
            /// The same methods on behalf of whoever made the request of `context`.
            #[must_use]
            #[allow(dead_code, reason = "most calls stand inside a request")]
            pub fn with<'__a>(
                &'__a self,
                context: &'__a #library::RequestContext,
            ) -> #scoped #scoped_arguments {
                #scoped { repository: self, context }
            }
        }

        #[doc(hidden)]
        #[allow(missing_debug_implementations, reason = "it only stands in a chain of calls")]
        pub struct #scoped #scoped_parameters #clause {
            repository: &'__a #self_ty,
            context: &'__a #library::RequestContext,
        }

        #[automatically_derived]
        #[allow(dead_code, missing_docs, clippy::all, clippy::pedantic, reason = "copies of the methods above")]
        impl #scoped_parameters #scoped #scoped_arguments #clause {
            #(#forwards)*
        }
    }
}

/// Returns whether `with` forwards the method: it is async and takes `&self`.
fn is_forwarded(method: &RawMethod) -> bool {
    let shared = method
        .signature
        .receiver()
        .is_some_and(|receiver| matches!(&receiver.kind, ReceiverKind::Reference(_, _, None)));
    shared && method.signature.asyncness.is_some()
}

fn forward(method: &RawMethod, valid: bool, self_ty: &Type) -> TokenStream {
    let attributes = method
        .attributes
        .iter()
        .filter(|attribute| is_copied(attribute));
    let vis = &method.vis;
    let name = &method.signature.ident;
    let mut signature = method.signature.clone();
    NameSelf(self_ty).visit_signature_mut(&mut signature);
    let arguments = rename_arguments(&mut signature);
    let generics: Vec<&Ident> = method
        .signature
        .generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    // If an argument is an `impl Trait`, the other generics cannot be stated and are inferred.
    let explicit = !generics.is_empty() && !has_impl_argument(&method.signature);
    let turbofish = explicit.then(|| quote!(::<#(#generics),*>));
    let this = this(&method.signature, Span::call_site());
    let body = if valid {
        quote!(#this.context.scope(#this.repository.#name #turbofish(#(#arguments),*)).await)
    } else {
        refusal()
    };
    quote! {
        #(#attributes)*
        #vis #signature { #body }
    }
}

fn is_copied(attribute: &Attribute) -> bool {
    ["cfg", "deprecated", "must_use"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}

/// Renames every argument by its position, because a pattern cannot be passed on.
fn rename_arguments(signature: &mut Signature) -> Vec<Ident> {
    let mut names = Vec::new();
    for (index, input) in signature.inputs.iter_mut().enumerate() {
        if let FnArg::Typed(argument) = input {
            let name = format_ident!("__{index}");
            *argument.pat = Pat::Ident(PatIdent {
                attrs: Vec::new(),
                by_ref: None,
                mutability: None,
                ident: name.clone(),
                subpat: None,
            });
            argument.attrs.clear();
            names.push(name);
        }
    }
    names
}

fn has_impl_argument(signature: &Signature) -> bool {
    signature.inputs.iter().any(|input| match input {
        FnArg::Typed(argument) => has_impl(&argument.ty),
        FnArg::Receiver(_) => false,
    })
}

fn has_impl(ty: &Type) -> bool {
    struct Finder(bool);

    impl syn::visit::Visit<'_> for Finder {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }

    let mut finder = Finder(false);
    syn::visit::Visit::visit_type(&mut finder, ty);
    finder.0
}

/// A visitor that replaces `Self`, which is another type in the copies.
struct NameSelf<'t>(&'t Type);

impl VisitMut for NameSelf<'_> {
    fn visit_receiver_mut(&mut self, _: &mut syn::Receiver) {}

    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(path) = ty
            && path.qself.is_none()
        {
            if path.path.is_ident("Self") {
                *ty = self.0.clone();
                return;
            }
            let first_is_self = path
                .path
                .segments
                .first()
                .is_some_and(|segment| segment.ident == "Self");
            if first_is_self {
                let own = self.0;
                let rest = path.path.segments.iter().skip(1);
                *ty = syn::parse_quote!(<#own>::#(#rest)::*);
                return;
            }
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }
}

/// ```text
/// impl ::clearance::__private::Repository for Users {
///     fn __repository() -> RepositoryInfo { .. }
/// }
/// ```
fn registered(raw: &RawRepository, methods: &[(&RawMethod, Option<&Method>)]) -> TokenStream {
    let library = &raw.library;
    let self_ty = &*raw.head.self_ty;
    let name = tokens::text(self_ty.to_token_stream());
    let (parameters, _, clause) = raw.head.generics.split_for_impl();
    let infos = methods.iter().filter_map(|(method, checked)| {
        let checked = (*checked)?;
        let ident = &method.signature.ident;
        let name = crate::syntax::plain_name(ident);
        let (guard, action) = match &checked.guard {
            Guard::Authenticated(action) => {
                (quote!(#library::registry::Guard::Authenticated), *action)
            }
            Guard::Authorize(action, condition) => {
                let text = &condition.text;
                (quote!(#library::registry::Guard::Authorize(#text)), *action)
            }
            Guard::Public(reason) => (
                quote!(#library::registry::Guard::Public(#reason)),
                Action::Read,
            ),
        };
        let action = match action {
            Action::Read => quote!(#library::registry::Action::Read),
            Action::Write => quote!(#library::registry::Action::Write),
        };
        let file = quote_spanned!(ident.span()=> ::core::file!());
        let line = quote_spanned!(ident.span()=> ::core::line!());
        let conditions = method
            .attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"));
        let allows = match &checked.guard {
            Guard::Authorize(_, condition) => allows(raw, method, condition),
            Guard::Authenticated(_) | Guard::Public(_) => None,
        };
        Some(quote! {
            #(#conditions)*
            __methods.push(
                #library::registry::MethodInfo::__new(#name, #guard, #action, #file, #line) #allows,
            );
        })
    });
    quote! {
        #[automatically_derived]
        impl #parameters #library::__private::Repository for #self_ty #clause {
            fn __repository() -> #library::registry::RepositoryInfo {
                #[allow(unused_mut, reason = "a repository may have no methods")]
                let mut __methods = ::std::vec::Vec::new();
                #(#infos)*
                #library::registry::RepositoryInfo::__new(#name, __methods)
            }
        }
    }
}

/// Emits the condition as a function of the viewer alone, for the access matrix; `None` if the
/// condition reads an argument.
///
/// ```text
/// .__allows(|__viewer, context| {
///     let viewer = __viewer.downcast_ref::<Member>()?;
///     Some(allowed(|| viewer.role >= Role::Admin))
/// })
/// ```
fn allows(raw: &RawRepository, method: &RawMethod, condition: &Condition) -> Option<TokenStream> {
    let library = &raw.library;
    let viewer_type = raw.viewer.as_ref()?;
    let written = bound(condition);
    let signature = &method.signature;
    let mut names = vec!["self".to_owned()];
    for input in &signature.inputs {
        if let FnArg::Typed(argument) = input {
            names.extend(tokens::idents(argument.pat.to_token_stream()));
        }
    }
    for parameter in &signature.generics.params {
        match parameter {
            GenericParam::Type(parameter) => names.push(parameter.ident.to_string()),
            GenericParam::Const(parameter) => names.push(parameter.ident.to_string()),
            GenericParam::Lifetime(_) => {}
        }
    }
    if names
        .iter()
        .any(|name| tokens::mentions(written.clone(), name))
    {
        return None;
    }
    let viewer = tokens::find(written.clone(), "viewer").map(|viewer| {
        quote! {
            let #viewer = <dyn ::core::any::Any>::downcast_ref::<#viewer_type>(__viewer)?;
        }
    });
    let context =
        tokens::find(written.clone(), "context").map(|context| quote!(let #context = __context;));
    Some(quote! {
        .__allows(|__viewer, __context| {
            #viewer
            #context
            ::core::option::Option::Some(#library::__private::allowed(|| #written))
        })
    })
}

/// Returns the last name in the path of a type.
fn type_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => type_name(&group.elem),
        _ => None,
    }
}
