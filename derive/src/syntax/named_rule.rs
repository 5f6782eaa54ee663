//! Parsing of `#[rule]` on a function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens as _;
use syn::{Attribute, Expr, FnArg, ItemFn, Pat, ReturnType, Signature, Stmt, Type, Visibility};

use crate::attribute::{Keys, Library};
use crate::diag::Diag;
use crate::form::Form;
use crate::rule::RawRule;
use crate::tokens::bare_type;

#[derive(Debug)]
pub(crate) struct RawNamedRule {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) library: Library,
    pub(crate) signature: Signature,
    /// The types of `viewer` and `row`, without the `&`.
    pub(crate) viewer: Option<Type>,
    pub(crate) row: Option<Type>,
    pub(crate) rule: Option<RawRule>,
}

pub(crate) const FORM: &str = "the correct form is `fn name(viewer: &Member, row: &User) -> bool { .. }`, with `context: &Context` as a third parameter where needed";

pub(crate) fn read(arguments: TokenStream, item: ItemFn, diag: &mut Diag) -> RawNamedRule {
    let mut library = Library::default();
    Keys::new(Form::Rule).read_tokens(arguments, diag, |_, input| {
        library = Library::parse(input)?;
        Ok(())
    });
    let attributes = others(item.attrs, diag);
    let mut raw = RawNamedRule {
        attributes,
        vis: item.vis,
        ident: item.sig.ident.clone(),
        library,
        viewer: None,
        row: None,
        rule: None,
        signature: item.sig,
    };
    raw.parameters(diag);
    raw.output(diag);
    raw.body(item.block.stmts, item.block.brace_token.span.join(), diag);
    raw
}

/// Returns the function's attributes without a second `#[rule]`, which would no longer find a function.
fn others(attributes: Vec<Attribute>, diag: &mut Diag) -> Vec<Attribute> {
    let mut keys = Keys::new(Form::RuleFunction);
    // The first one is being expanded.
    let _ = keys.meet(&Ident::new("rule", Span::call_site()));
    let mut others = Vec::new();
    for attribute in attributes {
        let word = attribute.path().segments.last();
        match word.and_then(|word| keys.meet(&word.ident)) {
            Some(Err(twice)) => diag.push(twice),
            Some(Ok(_)) => {}
            None => others.push(attribute),
        }
    }
    others
}

impl RawNamedRule {
    fn parameters(&mut self, diag: &mut Diag) {
        const NAMES: [&str; 3] = ["viewer", "row", "context"];
        if self.signature.inputs.len() < 2 {
            diag.error(&self.ident, "a rule takes the viewer and the row", FORM);
        }
        let mut types = Vec::new();
        for (index, input) in self.signature.inputs.iter().enumerate() {
            let Some(expected) = NAMES.get(index) else {
                diag.error(input, "a rule takes no further parameter", FORM);
                continue;
            };
            let FnArg::Typed(parameter) = input else {
                diag.error(input, "a rule is a function, not a method", FORM);
                continue;
            };
            let named = matches!(&*parameter.pat, Pat::Ident(pattern)
                if pattern.ident == expected
                    || pattern.ident == format!("_{expected}"));
            if !named {
                diag.error(
                    &parameter.pat,
                    format!("this parameter of a rule is called `{expected}`"),
                    FORM,
                );
            }
            match bare_type(&parameter.ty) {
                Type::Reference(reference)
                    if reference.mutability.is_none() && reference.lifetime.is_none() =>
                {
                    types.push((*reference.elem).clone());
                }
                other => diag.error(other, format!("`{expected}` is taken by reference"), FORM),
            }
        }
        let mut types = types.into_iter();
        self.viewer = types.next();
        self.row = types.next();
    }

    fn output(&self, diag: &mut Diag) {
        match &self.signature.output {
            ReturnType::Type(_, ty) if matches!(bare_type(ty), Type::Path(path) if path.path.is_ident("bool")) =>
                {}
            ReturnType::Type(_, ty) => diag.error(ty, "a rule returns `bool`", FORM),
            ReturnType::Default => diag.error(&self.ident, "a rule returns `bool`", FORM),
        }
    }

    fn body(&mut self, statements: Vec<Stmt>, span: proc_macro2::Span, diag: &mut Diag) {
        const HELP: &str = "write one condition, without `let` and without a semicolon; part of it can be a rule of its own";
        let mut statements = statements.into_iter();
        match (statements.next(), statements.next()) {
            (Some(Stmt::Expr(expr, None)), None) => {
                let tokens = expr.to_token_stream();
                let expr = match expr {
                    // Parentheses around the whole condition carry no meaning.
                    Expr::Paren(paren) => *paren.expr,
                    other => other,
                };
                self.rule = Some(RawRule::from_expr(expr, tokens));
            }
            (None, _) => diag.push(syn::Error::new(
                span,
                format!("a rule needs a condition\nhelp: {HELP}"),
            )),
            (Some(Stmt::Expr(_, Some(semicolon))), None) => {
                diag.error(semicolon, "a rule is one expression", HELP);
            }
            (Some(first), _) => diag.error(first, "a rule is one expression", HELP),
        }
    }
}
