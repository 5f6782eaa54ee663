//! The grammar of rules: turns an expression into the rule's data, or reports why it is outside the
//! grammar.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{BinOp, Expr, ExprBinary, ExprCall, ExprMethodCall, Lit, Member, Path, UnOp};

use super::refusal::Refusal;
use super::{Comparison, Inline, Input, InputKind, Node, Operand};
use super::{before, plain, refusal, related};
use crate::diag::Diag;
use crate::tokens;

/// The position of a rule, which decides whether it may be opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a DTO's field, the only place for `opaque(..)`.
    Field,
    /// On an entity: the rule becomes a part of every statement.
    Row,
    /// On an entity, about a row as updated, `row`, and as it was, `before`.
    Updated,
    /// A function under `#[rule]`, usable in both places.
    Named,
    /// The closure of `exists(..)` or `all(..)`: it becomes a part of every statement.
    Related,
}

pub(super) fn check(expr: &Expr, place: Place, diag: &mut Diag) -> Option<Inline> {
    if !plain::is_plain(expr, "a rule", plain::NAMES, diag) {
        return None;
    }
    let mut expr = expr.clone();
    if let Some(found) = before::rename(&mut expr)
        && place != Place::Updated
    {
        diag.error(
            found,
            "`before` is the row as it was before an update, which this rule does not have",
            "use it only in `updated_if(..)` of an entity, and in `#[writable_if(..)]` of a patch",
        );
        return None;
    }
    let mut reader = Reader {
        place,
        row: "row".to_owned(),
        diag,
        inputs: Vec::new(),
        opaque: Vec::new(),
    };
    let node = reader.node(&expr)?;
    Some(Inline {
        node,
        inputs: reader.inputs,
        opaque: reader.opaque,
    })
}

struct Reader<'d> {
    place: Place,
    /// The name of the row in the present closure, which the grammar reads as `row`.
    row: String,
    diag: &'d mut Diag,
    inputs: Vec<Input>,
    opaque: Vec<Path>,
}

/// The parts of a free expression that read the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Every,
    No,
    Some,
}

impl Reader<'_> {
    /// Parses an expression where a condition is expected.
    fn node(&mut self, expr: &Expr) -> Option<Node> {
        if is_free(expr) && reads_viewer(expr) != Reads::Some {
            return Some(Node::Free(self.input(InputKind::Flag, expr)));
        }
        match expr {
            Expr::Paren(paren) => self.node(&paren.expr),
            Expr::Group(group) => self.node(&group.expr),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                Some(Node::Not(Box::new(self.node(&unary.expr)?)))
            }
            Expr::Binary(binary) => match &binary.op {
                BinOp::And(_) => self.joined(binary).map(Node::All),
                BinOp::Or(_) => self.joined(binary).map(Node::Any),
                op => match comparison(op) {
                    Some(comparison) => self.compare(comparison, binary),
                    None => self.refuse(expr),
                },
            },
            Expr::Field(_) => match row_field(expr) {
                Some(field) => Some(Node::Flag(field.clone())),
                None => self.refuse(expr),
            },
            Expr::MethodCall(call) => self.method(expr, call),
            Expr::Call(call) => self.call(expr, call),
            _ => self.refuse(expr),
        }
    }

    /// Parses the operands of `a && b && c` or `a || b || c`, in one list.
    fn joined(&mut self, binary: &ExprBinary) -> Option<Vec<Node>> {
        let is_and = matches!(binary.op, BinOp::And(_));
        let left = self.node(&binary.left);
        let right = self.node(&binary.right);
        let mut nodes = match (left?, is_and) {
            (Node::All(nodes), true) | (Node::Any(nodes), false)
                if matches!(&*binary.left, Expr::Binary(_)) =>
            {
                nodes
            }
            (node, _) => vec![node],
        };
        nodes.push(right?);
        Some(nodes)
    }

    fn compare(&mut self, comparison: Comparison, binary: &ExprBinary) -> Option<Node> {
        if let Some(refusal) = refusal::comparison_with_option(binary) {
            self.report(refusal);
            return None;
        }
        let left = self.operand(&binary.left);
        let right = self.operand(&binary.right);
        Some(Node::Compare {
            comparison,
            span: tokens::first_span(&binary.op.to_token_stream()),
            left: left?,
            right: right?,
        })
    }

    /// Parses one side of a comparison: a column of the row, or a value.
    fn operand(&mut self, expr: &Expr) -> Option<Operand> {
        let bare = strip_parens(expr);
        if let Some(field) = row_field(bare) {
            return Some(Operand::Field(field.clone()));
        }
        if let Some(literal) = float_literal(bare) {
            self.report(refusal::float(literal));
            return None;
        }
        if is_free(bare) {
            return Some(Operand::Input(self.input(InputKind::Value, bare)));
        }
        self.report(refusal::operand(bare, self.place));
        None
    }

    fn method(&mut self, expr: &Expr, call: &ExprMethodCall) -> Option<Node> {
        if let Some(field) = row_field(strip_parens(&call.receiver)) {
            let found = match call.method.to_string().as_str() {
                "is_some" => Node::IsSome(field.clone()),
                "is_none" => Node::IsNone(field.clone()),
                _ => return self.refuse(expr),
            };
            if let Some(argument) = call.args.first() {
                self.report(refusal::null_test_argument(argument));
                return None;
            }
            return Some(found);
        }
        if call.method == "contains" && is_free(&call.receiver) && call.args.len() == 1 {
            let field = call.args.first().map(strip_reference).and_then(row_field);
            if let Some(field) = field {
                let list = self.input(InputKind::List, strip_parens(&call.receiver));
                return Some(Node::Contains {
                    list,
                    field: field.clone(),
                });
            }
        }
        self.refuse(expr)
    }

    fn call(&mut self, expr: &Expr, call: &ExprCall) -> Option<Node> {
        let Expr::Path(function) = strip_parens(&call.func) else {
            return self.refuse(expr);
        };
        if function.path.is_ident("same") {
            let mut arguments = call.args.iter();
            let (Some(left), Some(right), None) =
                (arguments.next(), arguments.next(), arguments.next())
            else {
                self.report(refusal::same_arguments(call));
                return None;
            };
            let left = self.operand(strip_reference(left));
            let right = self.operand(strip_reference(right));
            return Some(Node::Compare {
                comparison: Comparison::Same,
                span: tokens::first_span(&function.to_token_stream()),
                left: left?,
                right: right?,
            });
        }
        if function.path.is_ident("opaque") {
            return self.opaque_call(call);
        }
        if function.path.is_ident("exists") {
            return self.related(call, "exists");
        }
        if function.path.is_ident("all") {
            // `all(c)` is `!exists(!c)`.
            let opposite = match self.related(call, "all")? {
                Node::Related {
                    relation,
                    condition,
                } => Node::Related {
                    relation,
                    condition: Box::new(Node::Not(condition)),
                },
                other => other,
            };
            return Some(Node::Not(Box::new(opposite)));
        }
        self.refuse(expr)
    }

    fn opaque_call(&mut self, call: &ExprCall) -> Option<Node> {
        if let Some(refusal) = refusal::opaque_place(call, self.place) {
            self.report(refusal);
            return None;
        }
        let mut arguments = call.args.iter();
        let (Some(Expr::Path(path)), None) = (arguments.next().map(strip_parens), arguments.next())
        else {
            self.report(refusal::opaque_arguments(call));
            return None;
        };
        self.opaque.push(path.path.clone());
        Some(Node::Opaque(self.opaque.len() - 1))
    }

    /// Parses `exists(row.comments, |comment| ..)`: inside the closure its parameter is the row.
    fn related(&mut self, call: &ExprCall, word: &str) -> Option<Node> {
        let mut arguments = call.args.iter();
        let (Some(rows), Some(Expr::Closure(closure)), None) = (
            arguments.next(),
            arguments.next().map(strip_parens),
            arguments.next(),
        ) else {
            self.report(refusal::related_arguments(call, word));
            return None;
        };
        let Some(relation) = row_field(strip_parens(rows)) else {
            self.report(refusal::related_arguments(call, word));
            return None;
        };
        let (parameter, condition) = match related::body(closure) {
            Ok(body) => body,
            Err(refusal) => {
                self.report(refusal);
                return None;
            }
        };
        let place = std::mem::replace(&mut self.place, Place::Related);
        let row = std::mem::replace(&mut self.row, parameter.to_string());
        let condition = self.node(&condition);
        self.place = place;
        self.row = row;
        Some(Node::Related {
            relation: relation.clone(),
            condition: Box::new(condition?),
        })
    }

    fn input(&mut self, kind: InputKind, expr: &Expr) -> usize {
        let tokens = expr.to_token_stream();
        self.inputs.push(Input {
            kind,
            expr: expr.clone(),
            viewer: tokens::find(tokens.clone(), "viewer"),
            context: tokens::find(tokens.clone(), "context"),
            timed: tokens::mentions_beside(tokens, "context", "address"),
        });
        self.inputs.len() - 1
    }

    fn report(&mut self, refusal: Refusal) {
        refusal.report(&self.row, self.diag);
    }

    fn refuse(&mut self, expr: &Expr) -> Option<Node> {
        self.report(refusal::condition(expr, self.place));
        None
    }
}

/// Returns whether an expression can be evaluated without the row.
pub(super) fn is_free(expr: &Expr) -> bool {
    let tokens = expr.to_token_stream();
    !tokens::mentions(tokens.clone(), "row")
        && tokens::find_call(tokens.clone(), "same").is_none()
        && tokens::find_call(tokens, "opaque").is_none()
}

/// Returns which operands of a free condition read the viewer.
///
/// If some do and some do not, the condition is split, so that the others count when nobody is signed
/// in (decision 4). Otherwise it stays one piece, with the short circuits of Rust.
fn reads_viewer(expr: &Expr) -> Reads {
    match expr {
        Expr::Paren(paren) => reads_viewer(&paren.expr),
        Expr::Group(group) => reads_viewer(&group.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => reads_viewer(&unary.expr),
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => {
            let left = reads_viewer(&binary.left);
            if left == reads_viewer(&binary.right) {
                left
            } else {
                Reads::Some
            }
        }
        _ if tokens::mentions(expr.to_token_stream(), "viewer") => Reads::Every,
        _ => Reads::No,
    }
}

/// Returns the field in `row.field`.
pub(super) fn row_field(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Field(field) if is_row(&field.base) => match &field.member {
            Member::Named(ident) => Some(ident),
            Member::Unnamed(_) => None,
        },
        _ => None,
    }
}

/// Returns whether an expression is the bare `row`.
pub(super) fn is_row(expr: &Expr) -> bool {
    matches!(strip_parens(expr), Expr::Path(path) if path.path.is_ident("row"))
}

pub(super) fn strip_parens(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => strip_parens(&paren.expr),
        Expr::Group(group) => strip_parens(&group.expr),
        other => other,
    }
}

fn strip_reference(expr: &Expr) -> &Expr {
    match strip_parens(expr) {
        Expr::Reference(reference) if reference.mutability.is_none() => {
            strip_parens(&reference.expr)
        }
        other => other,
    }
}

pub(super) const fn comparison(op: &BinOp) -> Option<Comparison> {
    match op {
        BinOp::Eq(_) => Some(Comparison::Eq),
        BinOp::Ne(_) => Some(Comparison::Ne),
        BinOp::Lt(_) => Some(Comparison::Lt),
        BinOp::Le(_) => Some(Comparison::Le),
        BinOp::Gt(_) => Some(Comparison::Gt),
        BinOp::Ge(_) => Some(Comparison::Ge),
        _ => None,
    }
}

fn float_literal(expr: &Expr) -> Option<&syn::LitFloat> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Float(float) => Some(float),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            float_literal(strip_parens(&unary.expr))
        }
        _ => None,
    }
}
