//! The errors for expressions outside the grammar: at the smallest wrong token, with a suggestion of
//! what to write instead.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{BinOp, Expr, ExprBinary, ExprCall, ExprPath, ExprUnary, Member, UnOp};

use super::grammar::{Place, comparison, is_free, is_row, row_field, strip_parens};
use crate::diag::Diag;
use crate::tokens;

/// The forms that a rule may use on the row, and the page that has all of them.
const FORMS: &str = "a rule compares columns with values, as in `row.field == x`, tests them with `row.field.is_some()`, `LIST.contains(&row.field)` or `exists(row.relation, |other| ..)`, and joins these by `&&`, `||` and `!`";
const PAGE: &str =
    "every form of a rule: https://docs.rs/clearance/latest/clearance/derive.Entity.html#rules";

/// An error, worded in terms of `row`.
#[derive(Debug)]
pub(super) struct Refusal {
    at: TokenStream,
    message: String,
    help: Help,
}

/// The way out of an error.
#[derive(Debug, Clone)]
enum Help {
    /// The form to write instead.
    Advice(String),
    /// The forms of the grammar, none of which is near.
    Forms,
}

pub(super) fn refusal(
    at: impl quote::ToTokens,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Refusal {
    helped(at, message, Help::Advice(help.into()))
}

fn helped(at: impl quote::ToTokens, message: impl Into<String>, help: Help) -> Refusal {
    Refusal {
        at: at.into_token_stream(),
        message: message.into(),
        help,
    }
}

impl Refusal {
    /// Reports the error, with `row` replaced by the name of the row in the present closure.
    pub(super) fn report(self, row: &str, diag: &mut Diag) {
        let message = called(&self.message, row);
        match self.help {
            Help::Advice(advice) => diag.error(self.at, message, called(&advice, row)),
            Help::Forms => {
                let forms = format!("{}; {PAGE}", called(FORMS, row));
                diag.explained_once(self.at, message, forms, PAGE);
            }
        }
    }
}

/// Replaces `row` in the code parts of the text. The word "row" in prose is kept.
fn called(text: &str, row: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| {
        // Every second part is between backticks.
        if index % 2 == 0 {
            return part.to_owned();
        }
        let words =
            part.split_inclusive(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        words
            .map(|word| match word.strip_prefix("row") {
                Some(end) if !end.starts_with(|it: char| it.is_alphanumeric() || it == '_') => {
                    format!("{row}{end}")
                }
                _ => word.to_owned(),
            })
            .collect()
    });
    parts.collect::<Vec<String>>().join("`")
}

/// Returns the error for an expression that is no condition of the grammar.
pub(super) fn condition(expr: &Expr, place: Place) -> Refusal {
    if is_row(expr) {
        return helped(expr, "`row` cannot be used by itself", Help::Forms);
    }
    match expr {
        Expr::Binary(binary) => arithmetic(binary, Help::Forms),
        Expr::Assign(assign) => assignment(assign),
        Expr::MethodCall(call) => method(call, Help::Forms),
        Expr::Call(call) => function(call, place),
        Expr::Field(field) => nested_field(field),
        Expr::Unary(unary) => operator(unary),
        other => construct(other, Help::Forms),
    }
}

/// Returns the error for a side of a comparison that is neither a column nor a value.
pub(super) fn operand(expr: &Expr, place: Place) -> Refusal {
    let sides = || {
        Help::Advice(
            "each side of a comparison is `row.field` or an expression without `row`".to_owned(),
        )
    };
    if is_row(expr) {
        return helped(expr, "`row` cannot be used by itself", sides());
    }
    match expr {
        Expr::Reference(reference) if row_field(strip_parens(&reference.expr)).is_some() => {
            refusal(
                reference.and_token,
                "a column is compared without a reference",
                "remove the `&`",
            )
        }
        Expr::Binary(binary) if comparison(&binary.op).is_some() => refusal(
            binary.op,
            "the outcome of a comparison cannot be compared",
            "use the comparison itself, or `!(..)` for its opposite",
        ),
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => refusal(
            binary.op,
            "a condition over the row cannot be compared",
            "use the condition itself, or `!(..)` for its opposite",
        ),
        Expr::Binary(binary) => arithmetic(binary, sides()),
        Expr::MethodCall(call) => method(call, sides()),
        Expr::Call(call) => function(call, place),
        Expr::Field(field) => nested_field(field),
        Expr::Unary(unary) => operator(unary),
        other => construct(other, sides()),
    }
}

/// `row.team == None`, `row.team == Some(x)`
pub(super) fn comparison_with_option(binary: &ExprBinary) -> Option<Refusal> {
    let left = strip_parens(&binary.left);
    let right = strip_parens(&binary.right);
    let (field, other) = match (row_field(left), row_field(right)) {
        (Some(field), None) => (field, right),
        (None, Some(field)) => (field, left),
        _ => return None,
    };
    let equal = match &binary.op {
        BinOp::Eq(_) => true,
        BinOp::Ne(_) => false,
        _ => return None,
    };
    match other {
        Expr::Path(path) if last_is(path, "None") => {
            let test = if equal { "is_none" } else { "is_some" };
            Some(refusal(
                path,
                "nothing equals `None` in a rule, because an absent value is unknown",
                format!("write `row.{field}.{test}()`"),
            ))
        }
        Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if last_is(path, "Some")) => {
            let value = call.args.to_token_stream();
            let op = if equal { "==" } else { "!=" };
            Some(refusal(
                &call.func,
                "a column is compared with a value, not with an option",
                format!("write `row.{field} {op} {}`", tokens::text(value)),
            ))
        }
        _ => None,
    }
}

pub(super) fn float(literal: &syn::LitFloat) -> Refusal {
    refusal(
        literal,
        "a float cannot be compared in a rule, because databases differ on it",
        "store a whole number, such as cents or micros, and compare that",
    )
}

pub(super) fn null_test_argument(argument: &Expr) -> Refusal {
    refusal(
        argument,
        "unexpected argument",
        "`is_some()` and `is_none()` take none",
    )
}

pub(super) fn same_arguments(call: &ExprCall) -> Refusal {
    refusal(
        &call.func,
        "`same` compares two values",
        "the correct form is `same(viewer.field, row.field)`",
    )
}

/// `exists(row.comments)`, `exists(comments, |comment| ..)`
pub(super) fn related_arguments(call: &ExprCall, word: &str) -> Refusal {
    refusal(
        &call.func,
        format!("`{word}` takes a relation of the row and a condition on the rows it leads to"),
        format!("the correct form is `{word}(row.comments, |comment| comment.open)`"),
    )
}

pub(super) fn opaque_arguments(call: &ExprCall) -> Refusal {
    refusal(
        &call.func,
        "`opaque` takes the path of one function",
        "the correct form is `opaque(path)`, with `fn path(viewer: &V, row: &E, context: &Context) -> bool`",
    )
}

pub(super) fn opaque_place(call: &ExprCall, place: Place) -> Option<Refusal> {
    match place {
        Place::Field => None,
        Place::Row | Place::Updated => Some(refusal(
            &call.func,
            "`opaque` cannot be used in a row rule, because the database selects the rows",
            "express it with columns of the row, or hide fields with `#[visible_if(opaque(path))]` on the DTO",
        )),
        Place::Named => Some(refusal(
            &call.func,
            "`opaque` cannot be used in a named rule, because a row rule may use it",
            "write `#[visible_if(opaque(path))]` on the DTO's field",
        )),
        Place::Related => Some(refusal(
            &call.func,
            "`opaque` cannot be used in a condition on related rows, because the database selects them",
            "express it with columns of the related row",
        )),
    }
}

fn arithmetic(binary: &ExprBinary, otherwise: Help) -> Refusal {
    let help = match &binary.op {
        BinOp::BitAnd(_) => Help::Advice("write `&&`".to_owned()),
        BinOp::BitOr(_) => Help::Advice("write `||`".to_owned()),
        BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_) | BinOp::Div(_) | BinOp::Rem(_) => {
            Help::Advice(
                "do the arithmetic on the side without `row`, as in `row.count < viewer.limit - 1`"
                    .to_owned(),
            )
        }
        _ => otherwise,
    };
    helped(
        binary.op,
        format!(
            "`{}` cannot be used on the row",
            binary.op.to_token_stream()
        ),
        help,
    )
}

/// `*row.team == x`, `-row.balance > 3`
fn operator(unary: &ExprUnary) -> Refusal {
    let help = match unary.op {
        UnOp::Deref(_) => "a column is compared without a reference: remove the `*`",
        UnOp::Neg(_) => "do the arithmetic on the side without `row`, as in `row.balance < -3`",
        _ => "use `!` on a condition, as in `!(row.field == x)`",
    };
    refusal(
        unary.op,
        format!("`{}` cannot be used on the row", unary.op.to_token_stream()),
        help,
    )
}

fn assignment(assign: &syn::ExprAssign) -> Refusal {
    if tokens::mentions(assign.left.to_token_stream(), "rule") {
        return refusal(
            assign.eq_token,
            "`rule = path` must be alone in its attribute",
            "state the other condition in an attribute of its own; several combine by AND",
        );
    }
    refusal(
        assign.eq_token,
        "a rule cannot assign",
        "write `==` to compare",
    )
}

fn method(call: &syn::ExprMethodCall, otherwise: Help) -> Refusal {
    let name = call.method.to_string();
    let receiver = strip_parens(&call.receiver);
    if let Some(field) = row_field(receiver) {
        let help = match name.as_str() {
            "contains" => {
                format!("the list must be on the left, as in `LIST.contains(&row.{field})`")
            }
            "eq" | "as_str" | "as_deref" | "as_ref" | "clone" => {
                format!("compare the column itself, as in `row.{field} == x`")
            }
            "unwrap" | "unwrap_or" | "unwrap_or_default" | "is_some_and" => format!(
                "compare the column itself, as in `row.{field} == x`: a comparison with an absent value allows nothing"
            ),
            _ => format!(
                "compare the column itself, as in `row.{field} == x`; of its methods only `is_some()` and `is_none()` can be called"
            ),
        };
        return refusal(
            &call.method,
            format!("`{name}` cannot be called on a column of the row"),
            help,
        );
    }
    if is_row(receiver) {
        return refusal(
            &call.method,
            "a method of the row cannot be called",
            "write its condition over the columns of the row; a function under `#[rule]` gives it a name",
        );
    }
    if !is_free(receiver) {
        return helped(
            &call.method,
            format!("`{name}` cannot be called on an expression that depends on the row"),
            otherwise,
        );
    }
    if name == "contains" {
        return refusal(
            &call.args,
            "`contains` takes one column of the row",
            "the correct form is `LIST.contains(&row.field)`",
        );
    }
    refusal(
        row_token(&call.args.to_token_stream(), &call.method),
        format!("`row` cannot be passed to `{name}`"),
        "compare the column with a value of the viewer, as in `row.field == viewer.id` or `viewer.list.contains(&row.field)`",
    )
}

fn function(call: &ExprCall, place: Place) -> Refusal {
    if !matches!(&*call.func, Expr::Path(_)) {
        return construct(strip_parens(&call.func), Help::Forms);
    }
    let name = tokens::text(call.func.to_token_stream());
    let help = match place {
        Place::Field => format!(
            "if it is a `#[rule]`, write `rule = {name}` in an attribute of its own; if it must run in Rust, write `opaque({name})`"
        ),
        Place::Row | Place::Updated => format!(
            "if it is a `#[rule]`, write `rule = {name}` in an attribute of its own; else write its condition over the columns of the row"
        ),
        Place::Named | Place::Related => {
            "write its condition over the columns of the row".to_owned()
        }
    };
    let tokens = call.args.to_token_stream();
    if let Some(row) = tokens::find(tokens, "row") {
        refusal(row, format!("`row` cannot be passed to `{name}`"), help)
    } else {
        refusal(&call.func, "unexpected call", help)
    }
}

fn nested_field(field: &syn::ExprField) -> Refusal {
    const HELP: &str = "a rule reads the columns of the row, `row.field`";
    match &field.member {
        Member::Unnamed(_) if is_row(&field.base) => {
            refusal(&field.member, "columns have names, not numbers", HELP)
        }
        member => refusal(
            member,
            "a rule cannot look inside a column",
            "make it a column of its own and use `row.field`, or, for a relation, `exists(row.relation, |other| ..)`",
        ),
    }
}

/// Returns the error for any other expression, at the token that identifies its kind.
fn construct(expr: &Expr, otherwise: Help) -> Refusal {
    let (at, what, advice) = match expr {
        Expr::Macro(it) => (
            it.mac.path.to_token_stream(),
            "a macro",
            Some("compare the column, as in `row.status == Status::Draft`, and join cases by `||`"),
        ),
        Expr::Closure(it) => (it.inputs_begin.to_token_stream(), "a closure", None),
        Expr::Block(it) => (
            open(expr, &it.block),
            "a block",
            Some("write one condition without braces"),
        ),
        Expr::If(it) => (
            it.if_token.to_token_stream(),
            "`if`",
            Some("join conditions by `&&`, `||` and `!`"),
        ),
        Expr::Let(it) => (
            it.let_token.to_token_stream(),
            "`let`",
            Some(
                "test the column with `row.field.is_some()`, or compare it, as in `row.field == x`",
            ),
        ),
        Expr::Match(it) => (
            it.match_token.to_token_stream(),
            "`match`",
            Some("write a comparison for each case, and join them by `||`"),
        ),
        Expr::Cast(it) => (
            it.as_token.to_token_stream(),
            "`as`",
            Some("compare the column itself: integers of any size compare with each other"),
        ),
        Expr::Index(it) => (
            it.index.to_token_stream(),
            "an index",
            Some("make it a column of its own and use `row.field`"),
        ),
        Expr::Reference(it) => (
            it.and_token.to_token_stream(),
            "a reference",
            Some("remove the `&`"),
        ),
        Expr::Range(it) => (
            it.limits.to_token_stream(),
            "a range",
            Some("write two comparisons, `a <= row.field && row.field < b`"),
        ),
        other => (
            row_token(&other.to_token_stream(), other),
            "this expression",
            None,
        ),
    };
    helped(
        at,
        format!("{what} over the row cannot be used in a rule"),
        advice.map_or(otherwise, |advice| Help::Advice(advice.to_owned())),
    )
}

/// Returns the `row` inside a block, or else the block.
fn open(expr: &Expr, block: &syn::Block) -> TokenStream {
    row_token(&block.to_token_stream(), expr)
}

/// Returns the first `row` in `tokens`, or else `whole`.
fn row_token(tokens: &TokenStream, whole: impl quote::ToTokens) -> TokenStream {
    tokens::find(tokens.clone(), "row")
        .map_or_else(|| whole.to_token_stream(), |row| row.to_token_stream())
}

fn last_is(path: &ExprPath, name: &str) -> bool {
    path.path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}
