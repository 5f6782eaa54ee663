//! A check that an expression neither leaves the surrounding code (`return`, `?`) nor rebinds a name of
//! the rule language.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Expr, Item, PatIdent};

use crate::diag::Diag;

/// The names with a meaning in a rule.
pub(crate) const NAMES: &[&str] = &["viewer", "row", "context", "before"];

/// The names with a meaning where there is no row.
pub(crate) const NAMES_WITHOUT_ROW: &[&str] = &["viewer", "context"];

/// Checks that `expr` does neither, and reports each violation. `what` names it in messages: "a rule".
///
/// ```text
/// viewer.admin || { return Ok(rows) }
/// viewer.teams.first()? == team
/// exists(row.notes, |row| row.shared)
/// ```
pub(crate) fn is_plain(expr: &Expr, what: &str, names: &[&str], diag: &mut Diag) -> bool {
    let before = diag.count();
    let mut finder = Finder {
        what,
        names,
        inside: Inside::default(),
        diag,
    };
    finder.visit_expr(expr);
    diag.count() == before
}

struct Finder<'a> {
    /// The name of the expression in messages.
    what: &'a str,
    names: &'a [&'a str],
    inside: Inside,
    diag: &'a mut Diag,
}

/// The enclosing parts of the expression that contain control flow.
#[derive(Clone, Copy, Default)]
struct Inside {
    /// A closure or an async block, which `return`, `?` and `.await` do not leave.
    function: bool,
    /// A loop or a block with a label, which `break` and `continue` do not leave.
    labelled: bool,
}

impl Finder<'_> {
    fn leaves(&mut self, word: impl ToTokens, shown: &str) {
        self.diag.error(
            word,
            format!("`{shown}` cannot be used in {}", self.what),
            "write one expression for the value; move a computation of several steps into a function",
        );
    }

    fn within(&mut self, inside: Inside, walk: impl FnOnce(&mut Self)) {
        let around = std::mem::replace(&mut self.inside, inside);
        walk(self);
        self.inside = around;
    }

    fn in_function(&mut self, walk: impl FnOnce(&mut Self)) {
        let inside = Inside {
            function: true,
            labelled: false,
        };
        self.within(inside, walk);
    }

    fn in_loop(&mut self, walk: impl FnOnce(&mut Self)) {
        let inside = Inside {
            labelled: true,
            ..self.inside
        };
        self.within(inside, walk);
    }

    fn named(&mut self, ident: &Ident) {
        if self.names.iter().any(|name| ident == name) {
            self.diag.error(
                ident,
                format!("`{ident}` has another meaning in {}", self.what),
                "give the variable a name of its own",
            );
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Return(it) if !self.inside.function => self.leaves(it.return_token, "return"),
            Expr::Try(it) if !self.inside.function => self.leaves(it.question_token, "?"),
            Expr::Await(it) if !self.inside.function => self.leaves(it.await_token, ".await"),
            Expr::Yield(it) if !self.inside.function => self.leaves(it.yield_token, "yield"),
            Expr::Break(it) if !self.inside.labelled => self.leaves(it.break_token, "break"),
            Expr::Continue(it) if !self.inside.labelled => {
                self.leaves(it.continue_token, "continue");
            }
            _ => {}
        }
        match expr {
            Expr::Closure(_) | Expr::Async(_) => {
                self.in_function(|finder| visit::visit_expr(finder, expr));
            }
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => {
                self.in_loop(|finder| visit::visit_expr(finder, expr));
            }
            Expr::Block(block) if block.label.is_some() => {
                self.in_loop(|finder| visit::visit_expr(finder, expr));
            }
            _ => visit::visit_expr(self, expr),
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.named(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    /// Skips items: an item sees no variable, and its control flow is its own.
    fn visit_item(&mut self, _: &'ast Item) {}
}
