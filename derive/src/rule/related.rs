//! The closure of `exists(..)` and `all(..)`.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprClosure, Pat, Stmt};

use super::grammar::strip_parens;
use super::refusal::{Refusal, refusal};
use crate::tokens;

/// Returns the condition, with the closure's parameter renamed to `row`: the grammar for a related row
/// is that for the row itself.
pub(super) fn body(closure: &ExprClosure) -> Result<(&Ident, Expr), Refusal> {
    let parameter = parameter(closure)?;
    if let Some(row) = tokens::find(closure.body.to_token_stream(), "row") {
        return Err(refusal(
            row,
            "a condition on related rows can use only their columns",
            "declare the columns that join them to the row in the relation, as in `has_many(notes: Note, on(team = team))`",
        ));
    }
    let mut body = without_block(&closure.body).clone();
    Renamed { from: parameter }.visit_expr_mut(&mut body);
    Ok((parameter, body))
}

/// Strips the braces around a body: rustfmt adds them if the body is long.
fn without_block(body: &Expr) -> &Expr {
    match strip_parens(body) {
        Expr::Block(braces) if braces.label.is_none() => match braces.block.stmts.as_slice() {
            [Stmt::Expr(only, None)] => without_block(only),
            _ => body,
        },
        other => other,
    }
}

/// `|comment|`
fn parameter(closure: &ExprClosure) -> Result<&Ident, Refusal> {
    let mut inputs = closure.inputs.iter();
    match (inputs.next(), inputs.next()) {
        (Some(Pat::Ident(pattern)), None)
            if pattern.by_ref.is_none() && pattern.subpat.is_none() =>
        {
            Ok(&pattern.ident)
        }
        _ => Err(refusal(
            &closure.inputs,
            "the condition takes one related row, by name",
            "the correct form is `|comment| comment.open`",
        )),
    }
}

/// Renames a variable to `row`, and keeps the span of each use.
struct Renamed<'a> {
    from: &'a Ident,
}

impl VisitMut for Renamed<'_> {
    fn visit_ident_mut(&mut self, _: &mut Ident) {}

    fn visit_expr_path_mut(&mut self, path: &mut syn::ExprPath) {
        if path.path.is_ident(self.from)
            && let Some(segment) = path.path.segments.first_mut()
        {
            segment.ident = Ident::new("row", segment.ident.span());
        }
    }
}
