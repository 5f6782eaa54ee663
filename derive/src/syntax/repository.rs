//! Parsing of `#[repository]` on an impl block. The bodies of methods stay tokens, so that an editor
//! completes in them even while they do not parse.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{Parse as _, ParseStream, Parser as _};
use syn::{
    Attribute, BinOp, Expr, ExprBinary, ExprParen, ImplItem, ItemImpl, LitStr, Meta, Path,
    Signature, Token, Type, Visibility,
};

use crate::attribute::{Keys, Library, path};
use crate::diag::{Diag, error};
use crate::form::Form;
use crate::tokens;

#[derive(Debug)]
pub(crate) struct RawRepository {
    pub(crate) library: Library,
    pub(crate) viewer: Option<Type>,
    /// The impl block without its items.
    pub(crate) head: ItemImpl,
    pub(crate) items: Vec<RawItem>,
}

#[derive(Debug)]
pub(crate) enum RawItem {
    Method(Box<RawMethod>),
    /// A constant or type, passed through.
    Other(TokenStream),
}

#[derive(Debug)]
pub(crate) struct RawMethod {
    /// The attributes without those of the policy.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) policies: Vec<RawPolicy>,
    /// The path of `#[memo]`, if it is present.
    pub(crate) memo: Option<Path>,
    pub(crate) vis: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

/// One policy attribute of a method.
#[derive(Debug)]
pub(crate) struct RawPolicy {
    pub(crate) attribute: Path,
    pub(crate) kind: PolicyKind,
    /// The name under which the method uses its access.
    pub(crate) binding: Option<Ident>,
    /// `Read` or `Write`.
    pub(crate) action: Option<Ident>,
    pub(crate) condition: Option<Condition>,
    pub(crate) reason: Option<LitStr>,
}

#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) expr: Expr,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyKind {
    Authenticated,
    Authorize,
    Public,
}

impl PolicyKind {
    const fn keys(self) -> Form {
        match self {
            Self::Authenticated => Form::Authenticated,
            Self::Authorize => Form::Authorize,
            Self::Public => Form::Public,
        }
    }

    pub(crate) const fn form(self) -> &'static str {
        match self {
            Self::Authenticated => "#[authenticated(access)]",
            Self::Authorize => "#[authorize(access, if viewer.role >= Role::Admin)]",
            Self::Public => "#[public(access, reason = \"..\")]",
        }
    }
}

pub(crate) fn read(
    arguments: TokenStream,
    item: TokenStream,
    diag: &mut Diag,
) -> syn::Result<RawRepository> {
    let mut library = Library::default();
    let mut viewer = None;
    let mut keys = Keys::new(Form::Repository);
    keys.read_tokens(arguments, diag, |key, input| {
        if key == "viewer" {
            let path = path(key, input)?;
            viewer = Some(Type::Path(syn::TypePath {
                attrs: Vec::new(),
                qself: None,
                path,
            }));
        } else {
            library = Library::parse(input)?;
        }
        Ok(())
    });
    let (head, body) = split(item)?;
    let items = (|input: ParseStream<'_>| {
        let mut items = Vec::new();
        while !input.is_empty() {
            items.push(read_item(input, diag)?);
        }
        Ok(items)
    })
    .parse2(body.stream())?;
    Ok(RawRepository {
        library,
        viewer,
        head,
        items,
    })
}

/// Splits off the items of an impl block, so that its head can be parsed without them.
fn split(item: TokenStream) -> syn::Result<(ItemImpl, Group)> {
    const HELP: &str = "`#[repository]` belongs on an impl block\nhelp: the correct form is `#[repository(viewer = Member)] impl Users { .. }`";
    let mut trees: Vec<TokenTree> = item.into_iter().collect();
    // A macro may have wrapped the whole item in an invisible group.
    if let [TokenTree::Group(group)] = trees.as_slice()
        && group.delimiter() == Delimiter::None
    {
        return split(group.stream());
    }
    match trees.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
            let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
            empty.set_span(body.span());
            let head: TokenStream = trees.iter().cloned().collect();
            let head = syn::parse2::<ItemImpl>(quote!(#head #empty)).map_err(|failed| {
                let is_impl = trees
                    .iter()
                    .any(|tree| matches!(tree, TokenTree::Ident(ident) if ident == "impl"));
                if is_impl {
                    failed
                } else {
                    let first = trees.first().map(ToTokens::to_token_stream);
                    syn::Error::new_spanned(first, HELP)
                }
            })?;
            Ok((head, body))
        }
        last => Err(syn::Error::new_spanned(
            trees.first().or(last.as_ref()),
            HELP,
        )),
    }
}

fn read_item(input: ParseStream<'_>, diag: &mut Diag) -> syn::Result<RawItem> {
    let ahead = input.fork();
    let attributes = ahead.call(Attribute::parse_outer)?;
    let vis: Visibility = ahead.parse()?;
    if !starts_signature(&ahead) {
        let item = ImplItem::parse(input)?;
        if let ImplItem::Macro(call) = &item {
            diag.error(
                &call.mac.path,
                "a macro could generate methods without a policy",
                "write the methods out, or move the macro to an impl block without `#[repository]`",
            );
            return Ok(RawItem::Other(TokenStream::new()));
        }
        return Ok(RawItem::Other(item.into_token_stream()));
    }
    let signature: Signature = ahead.parse()?;
    let body = body(ahead.parse()?)?;
    input.advance_to(&ahead);
    let mut method = RawMethod {
        attributes: Vec::new(),
        policies: Vec::new(),
        memo: None,
        vis,
        signature,
        body,
    };
    let mut keys = Keys::new(Form::Method);
    for attribute in attributes {
        let word = word(attribute.path());
        match word.and_then(|word| keys.meet(word)) {
            None => method.attributes.push(attribute),
            Some(Err(twice)) => diag.push(twice),
            Some(Ok("authenticated")) => method.policy(PolicyKind::Authenticated, &attribute, diag),
            Some(Ok("authorize")) => method.policy(PolicyKind::Authorize, &attribute, diag),
            Some(Ok("public")) => method.policy(PolicyKind::Public, &attribute, diag),
            Some(Ok(_)) => method.memo(&attribute, diag),
        }
    }
    Ok(RawItem::Method(Box::new(method)))
}

/// Returns the braces of a body, which a macro may have wrapped in an invisible group.
fn body(tree: TokenTree) -> syn::Result<Group> {
    match tree {
        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => Ok(body),
        TokenTree::Group(piece) if piece.delimiter() == Delimiter::None => {
            body(syn::parse2(piece.stream())?)
        }
        other => Err(syn::Error::new_spanned(other, "expected a body")),
    }
}

fn starts_signature(input: ParseStream<'_>) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
        || (input.peek(Token![const]) && input.peek2(Token![fn]))
        || (input.peek(Token![const]) && input.peek2(Token![async]))
        || (input.peek(Token![const]) && input.peek2(Token![unsafe]))
}

/// Returns the name of a possible attribute of the library: alone, or as the second segment of a path.
fn word(path: &Path) -> Option<&Ident> {
    let last = path.segments.last()?;
    (path.segments.len() <= 2).then_some(&last.ident)
}

impl RawMethod {
    fn policy(&mut self, kind: PolicyKind, attribute: &Attribute, diag: &mut Diag) {
        self.policies.push(read_policy(kind, attribute, diag));
    }

    fn memo(&mut self, attribute: &Attribute, diag: &mut Diag) {
        if !matches!(attribute.meta, Meta::Path(_)) {
            diag.error(
                &attribute.meta,
                "`#[memo]` takes no arguments",
                "write `#[memo]`: its key is always repository, method, arguments and viewer",
            );
        }
        self.memo = Some(attribute.path().clone());
    }
}

fn read_policy(kind: PolicyKind, attribute: &Attribute, diag: &mut Diag) -> RawPolicy {
    let mut policy = RawPolicy {
        attribute: attribute.path().clone(),
        kind,
        binding: None,
        action: None,
        condition: None,
        reason: None,
    };
    let parsed = match &attribute.meta {
        Meta::List(list) => list.parse_args_with(|input: ParseStream<'_>| policy.parse(input)),
        Meta::Path(_) | Meta::NameValue(_) => Err(error(
            &attribute.meta,
            "the attribute does not name the access",
            format!("the correct form is `{}`", kind.form()),
        )),
    };
    if let Err(failed) = parsed {
        diag.push(failed);
        // A partially parsed policy is not the one that was meant.
        policy.binding = None;
    }
    policy
}

impl RawPolicy {
    /// Parses `access`, `access: Write`, then `if condition` or `reason = ".."`.
    fn parse(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let form = self.kind.form();
        if !input.peek(syn::Ident) || input.peek2(Token![=]) {
            return Err(input.error(format!(
                "expected the name under which the method uses its access\nhelp: the correct form is `{form}`"
            )));
        }
        self.binding = Some(input.parse()?);
        if input.parse::<Option<Token![:]>>()?.is_some() {
            self.action = Some(input.parse()?);
        }
        let mut keys = Keys::new(self.kind.keys());
        let mut conditions = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>().map_err(|_| {
                input.error(format!("expected `,`\nhelp: the correct form is `{form}`"))
            })?;
            if input.is_empty() {
                break;
            }
            let key = input.call(Ident::parse_any).map_err(|_| {
                input.error(format!(
                    "unexpected token\nhelp: the correct form is `{form}`"
                ))
            })?;
            match keys.meet(&key).ok_or_else(|| self.unknown(&key))?? {
                "if" => conditions.push(condition(&key, input)?),
                _ => self.reason = Some(crate::attribute::text(&key, input)?),
            }
        }
        self.condition = Condition::all(conditions);
        Ok(())
    }

    fn unknown(&self, key: &Ident) -> syn::Error {
        if key == "if" {
            return error(
                key,
                "only `#[authorize(..)]` takes a condition",
                format!("the correct form is `{}`", PolicyKind::Authorize.form()),
            );
        }
        error(
            key,
            format!("unknown key `{key}`"),
            format!("the correct form is `{}`", self.kind.form()),
        )
    }
}

/// Parses the condition after `if`.
fn condition(word: &Ident, input: ParseStream<'_>) -> syn::Result<Condition> {
    if input.is_empty() {
        return Err(error(
            word,
            "expected a condition",
            format!("the correct form is `{}`", PolicyKind::Authorize.form()),
        ));
    }
    let expr: Expr = input.parse()?;
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(input.error("expected the end of the condition"));
    }
    let text = tokens::text(expr.to_token_stream());
    Ok(Condition { expr, text })
}

impl Condition {
    /// Joins conditions with AND; `None` if there are none.
    fn all(conditions: Vec<Self>) -> Option<Self> {
        conditions.into_iter().reduce(|first, second| {
            let (first, second) = (first.operand(), second.operand());
            Self {
                text: format!("{} && {}", first.text, second.text),
                expr: Expr::Binary(ExprBinary {
                    attrs: Vec::new(),
                    left: Box::new(first.expr),
                    op: BinOp::And(<Token![&&]>::default()),
                    right: Box::new(second.expr),
                }),
            }
        })
    }

    /// Puts the condition in parentheses if it needs them as a side of `&&`.
    fn operand(self) -> Self {
        let binds = match &self.expr {
            Expr::Binary(binary) => matches!(
                binary.op,
                BinOp::And(_)
                    | BinOp::Eq(_)
                    | BinOp::Ne(_)
                    | BinOp::Lt(_)
                    | BinOp::Le(_)
                    | BinOp::Gt(_)
                    | BinOp::Ge(_)
            ),
            Expr::Path(_)
            | Expr::Field(_)
            | Expr::Call(_)
            | Expr::MethodCall(_)
            | Expr::Macro(_)
            | Expr::Unary(_)
            | Expr::Lit(_)
            | Expr::Paren(_) => true,
            _ => false,
        };
        if binds {
            return self;
        }
        Self {
            text: format!("({})", self.text),
            expr: Expr::Paren(ExprParen {
                attrs: Vec::new(),
                paren_token: syn::token::Paren::default(),
                expr: Box::new(self.expr),
            }),
        }
    }
}
