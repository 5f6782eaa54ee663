//! `before.field`: the row as it was before an update.
//!
//! The grammar sees it as a field of the row under a prefixed name; the emitted code separates the two
//! again.

use proc_macro2::Ident;
use quote::format_ident;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Member};

const PREFIX: &str = "__before_";

/// Renames each `before.field` to `row.__before_field`, and returns the first `before`.
pub(super) fn rename(expr: &mut Expr) -> Option<Ident> {
    let mut before = Before { first: None };
    before.visit_expr_mut(expr);
    before.first
}

/// Returns the field in `__before_field`.
pub(crate) fn field(ident: &Ident) -> Option<Ident> {
    let name = ident.to_string();
    let field = name.strip_prefix(PREFIX)?;
    // A raw identifier keeps its `r#`.
    Some(match field.strip_prefix("r_") {
        Some(raw) => Ident::new_raw(raw, ident.span()),
        None => Ident::new(field.strip_prefix("p_")?, ident.span()),
    })
}

/// Strips the invisible groups and parentheses that a macro may have put around an expression.
fn bare(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::Group(group) => bare(&mut group.expr),
        Expr::Paren(paren) => bare(&mut paren.expr),
        other => other,
    }
}

struct Before {
    first: Option<Ident>,
}

impl VisitMut for Before {
    fn visit_expr_field_mut(&mut self, field: &mut syn::ExprField) {
        visit_mut::visit_expr_field_mut(self, field);
        let Expr::Path(base) = bare(&mut field.base) else {
            return;
        };
        if !base.path.is_ident("before") {
            return;
        }
        if let Member::Named(ident) = &mut field.member {
            let name = ident.to_string();
            *ident = match name.strip_prefix("r#") {
                Some(raw) => format_ident!("{PREFIX}r_{raw}", span = ident.span()),
                None => format_ident!("{PREFIX}p_{name}", span = ident.span()),
            };
        }
        if let Some(segment) = base.path.segments.first_mut() {
            self.first.get_or_insert_with(|| segment.ident.clone());
            segment.ident = Ident::new("row", segment.ident.span());
        }
    }
}
