//! Rules: the raw form as parsed from an attribute, and the checked form that is emitted.

pub(crate) mod before;
mod grammar;
pub(crate) mod plain;
mod refusal;
mod related;

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse::ParseStream;
use syn::{Expr, Path, Token};

use crate::diag::{Diag, error};
use crate::tokens;

pub(crate) use grammar::Place;

/// A rule as parsed.
#[derive(Debug)]
pub(crate) struct RawRule {
    body: RawBody,
    /// Set if it states the opposite, as `hidden_if` and `read_unless` do.
    negated: bool,
    text: String,
    span: Span,
}

#[derive(Debug)]
enum RawBody {
    /// `rule = path`
    Named(Path),
    Inline(Box<Expr>),
}

/// A rule within the grammar.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) body: Body,
    pub(crate) negated: bool,
    /// The text as the user wrote it, for explanations.
    pub(crate) text: String,
    /// The span of its beginning, for its line and file.
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Body {
    Named(Path),
    Inline(Inline),
}

/// The data of an inline rule.
#[derive(Debug)]
pub(crate) struct Inline {
    pub(crate) node: Node,
    pub(crate) inputs: Vec<Input>,
    pub(crate) opaque: Vec<Path>,
}

/// A node of the rule, in the form of the library's `Expr`.
#[derive(Debug)]
pub(crate) enum Node {
    Free(usize),
    Flag(Ident),
    Compare {
        comparison: Comparison,
        /// The operator, or the word `same`.
        span: Span,
        left: Operand,
        right: Operand,
    },
    IsSome(Ident),
    IsNone(Ident),
    Contains {
        list: usize,
        field: Ident,
    },
    Opaque(usize),
    /// Rows on the other side of a relation; in `condition`, `row` is one of them.
    Related {
        relation: Ident,
        condition: Box<Node>,
    },
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// The operator of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `same(a, b)`: equality that accepts two options.
    Same,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug)]
pub(crate) enum Operand {
    Field(Ident),
    Input(usize),
}

/// An expression that is independent of the row.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) kind: InputKind,
    pub(crate) expr: Expr,
    /// The first use of `viewer`; an input without one is known even if nobody is signed in.
    pub(crate) viewer: Option<Ident>,
    pub(crate) context: Option<Ident>,
    /// Set if it may read `context.now`: it names `context` other than for its address.
    pub(crate) timed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputKind {
    Flag,
    Value,
    List,
}

impl RawRule {
    /// Parses a rule: an expression, or `rule = path`. `form` names the attribute in messages, as
    /// `visible_if`.
    pub(crate) fn parse(input: ParseStream<'_>, form: &str, negated: bool) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(input.error(format!(
                "expected a rule\nhelp: the correct form is `{form}(viewer.id == row.id)` or `{form}(rule = path)`"
            )));
        }
        let tokens = input.cursor().token_stream();
        let span = tokens::first_span(&tokens);
        let text = tokens::text(tokens);
        let text = text.trim_end_matches(',').to_owned();
        let body = Self::parse_body(input, form)?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error(format!(
                "expected the end of the rule\nhelp: join conditions by `&&` or `||`, or state a second `{form}(..)`"
            )));
        }
        Ok(Self {
            body,
            negated,
            text,
            span,
        })
    }

    fn parse_body(input: ParseStream<'_>, form: &str) -> syn::Result<RawBody> {
        if input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let key: Ident = input.parse()?;
            if key != "rule" {
                return Err(error(
                    &key,
                    format!("unknown key `{key}` in `{form}(..)`"),
                    format!(
                        "the correct form is `{form}(rule = path)`, or `==` to compare two values"
                    ),
                ));
            }
            input.parse::<Token![=]>()?;
            let path: Path = input.call(Path::parse_mod_style).map_err(|_| {
                error(
                    &key,
                    "`rule` needs the path of a function under `#[rule]`",
                    format!("the correct form is `{form}(rule = path)`"),
                )
            })?;
            if !input.is_empty() && !input.peek(Token![,]) {
                return Err(input.error(format!(
                    "`rule = path` must be alone in its attribute\nhelp: state the other condition in a second `{form}(..)`; several combine by AND"
                )));
            }
            return Ok(RawBody::Named(path));
        }
        let expr = input.parse::<Expr>().map_err(|failed| {
            // The parser's own message states the error, but not what to write instead.
            if failed.to_string().contains("chained") {
                syn::Error::new(
                    failed.span(),
                    "comparison operators cannot be chained\nhelp: write two comparisons, `a <= row.field && row.field <= b`",
                )
            } else {
                failed
            }
        })?;
        if let Expr::Lit(literal) = &expr
            && let syn::Lit::Str(text) = &literal.lit
        {
            return Err(error(
                text,
                "a rule is an expression, not a string",
                "remove the quotes",
            ));
        }
        Ok(RawBody::Inline(Box::new(expr)))
    }

    /// Makes a rule from an expression that was already parsed, as the body of a named rule.
    pub(crate) fn from_expr(expr: Expr, tokens: TokenStream) -> Self {
        Self {
            body: RawBody::Inline(Box::new(expr)),
            negated: false,
            span: tokens::first_span(&tokens),
            text: tokens::text(tokens),
        }
    }

    /// Checks the rule against the grammar. Returns `None` if it is outside; every error is reported.
    pub(crate) fn check(self, place: Place, diag: &mut Diag) -> Option<Rule> {
        let body = match self.body {
            RawBody::Named(path) => Body::Named(path),
            RawBody::Inline(expr) => Body::Inline(grammar::check(&expr, place, diag)?),
        };
        Some(Rule {
            body,
            negated: self.negated,
            text: self.text,
            span: self.span,
        })
    }
}

impl Rule {
    /// Returns whether a part of the rule runs in Rust only, so that no query can use it.
    pub(crate) const fn is_opaque(&self) -> bool {
        match &self.body {
            Body::Inline(inline) => !inline.opaque.is_empty(),
            Body::Named(_) => false,
        }
    }
}
