//! The expression tree of a rule.

use std::mem;

use crate::limits::{RULE_DEPTH, RULE_PARTS};

/// A rule as plain data: the derives emit it, the evaluator reads it, and SQL is rendered from it.
///
/// It has three truth values. An atom over a null is unknown, `Not` keeps unknown, and a rule allows only
/// if it is definitely true. Matches on it name every node, so that a new node cannot be forgotten
/// anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A truth that does not depend on the row: the input at this index.
    Free(usize),
    /// A boolean field of the row.
    Flag(&'static str),
    /// A comparison of two operands.
    Compare {
        /// The operator.
        op: Op,
        /// The operand on the left.
        left: Operand,
        /// The operand on the right.
        right: Operand,
    },
    /// A test that a field is set. Never unknown.
    IsSome(&'static str),
    /// A test that a field is unset. Never unknown.
    IsNone(&'static str),
    /// A test that a list, the input at this index, contains a field.
    Contains {
        /// Index of the input that gives the list.
        list: usize,
        /// The field that is looked for.
        field: &'static str,
    },
    /// A function, by its index, that runs in Rust over viewer, row and context.
    Opaque(usize),
    /// A test that a related row fulfils a condition. For a relation to many rows, it is true if one does
    /// and false if none can. For a relation to one row, it has the truth of the condition there, and is
    /// unknown if there is no such row.
    Related {
        /// The relation, by its name on the entity of this row.
        relation: &'static str,
        /// The condition, over the fields of the related row.
        condition: Box<Expr>,
    },
    /// The negation.
    Not(Box<Expr>),
    /// The conjunction; true if it is empty.
    All(Vec<Expr>),
    /// The disjunction; false if it is empty.
    Any(Vec<Expr>),
}

impl Expr {
    /// An expression that always fails to evaluate, because it has no such input.
    pub(super) const FAILS: Self = Self::Free(usize::MAX);

    /// Flattens each list of parts that is directly in a list of its kind, or returns `None` if the rule is
    /// larger or deeper than the limits. Everything else walks rules by recursion and relies on them.
    pub(super) fn flattened(self) -> Option<Self> {
        self.is_within_limits().then(|| flat(self))
    }

    fn is_within_limits(&self) -> bool {
        let mut rest = vec![(self, 1)];
        let mut parts = 0;
        while let Some((expr, depth)) = rest.pop() {
            parts += 1;
            if parts > RULE_PARTS || depth > RULE_DEPTH {
                return false;
            }
            match expr {
                Self::All(inner) => rest.extend(inner.iter().map(|inner| {
                    let joined = matches!(inner, Self::All(_));
                    (inner, depth + usize::from(!joined))
                })),
                Self::Any(inner) => rest.extend(inner.iter().map(|inner| {
                    let joined = matches!(inner, Self::Any(_));
                    (inner, depth + usize::from(!joined))
                })),
                Self::Not(inner)
                | Self::Related {
                    condition: inner, ..
                } => rest.push((inner, depth + 1)),
                Self::Free(_)
                | Self::Flag(_)
                | Self::Compare { .. }
                | Self::IsSome(_)
                | Self::IsNone(_)
                | Self::Contains { .. }
                | Self::Opaque(_) => {}
            }
        }
        true
    }

    /// Moves its child nodes into `parts`, except a single one that is a leaf.
    fn take_parts(&mut self, parts: &mut Vec<Self>) {
        match self {
            Self::All(inner) | Self::Any(inner) => parts.append(inner),
            Self::Not(inner)
            | Self::Related {
                condition: inner, ..
            } => match **inner {
                // Most of these nodes have a leaf below them, which can be dropped in place.
                Self::Free(_)
                | Self::Flag(_)
                | Self::Compare { .. }
                | Self::IsSome(_)
                | Self::IsNone(_)
                | Self::Contains { .. }
                | Self::Opaque(_) => {}
                Self::All(_) | Self::Any(_) | Self::Not(_) | Self::Related { .. } => {
                    parts.push(mem::replace(inner, Self::FAILS));
                }
            },
            Self::Free(_)
            | Self::Flag(_)
            | Self::Compare { .. }
            | Self::IsSome(_)
            | Self::IsNone(_)
            | Self::Contains { .. }
            | Self::Opaque(_) => {}
        }
    }
}

/// Drops the tree iteratively: an expression that was built by hand can be too deep for the stack.
impl Drop for Expr {
    fn drop(&mut self) {
        let mut rest = Vec::new();
        self.take_parts(&mut rest);
        while let Some(mut expr) = rest.pop() {
            expr.take_parts(&mut rest);
        }
    }
}

fn flat(mut expr: Expr) -> Expr {
    match &mut expr {
        Expr::All(parts) => {
            let parts = row(mem::take(parts), |part| {
                if let Expr::All(inner) = part {
                    Some(mem::take(inner))
                } else {
                    None
                }
            });
            Expr::All(parts)
        }
        Expr::Any(parts) => {
            let parts = row(mem::take(parts), |part| {
                if let Expr::Any(inner) = part {
                    Some(mem::take(inner))
                } else {
                    None
                }
            });
            Expr::Any(parts)
        }
        Expr::Not(inner)
        | Expr::Related {
            condition: inner, ..
        } => {
            **inner = flat(mem::replace(&mut **inner, Expr::FAILS));
            expr
        }
        Expr::Free(_)
        | Expr::Flag(_)
        | Expr::Compare { .. }
        | Expr::IsSome(_)
        | Expr::IsNone(_)
        | Expr::Contains { .. }
        | Expr::Opaque(_) => expr,
    }
}

/// Returns the parts in their order, each part of which `inner` returns a list being replaced by that list.
fn row(parts: Vec<Expr>, inner: fn(&mut Expr) -> Option<Vec<Expr>>) -> Vec<Expr> {
    let mut flattened = Vec::with_capacity(parts.len());
    let mut rest = parts;
    rest.reverse();
    while let Some(mut part) = rest.pop() {
        match inner(&mut part) {
            Some(parts) => rest.extend(parts.into_iter().rev()),
            None => flattened.push(flat(part)),
        }
    }
    flattened
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A field of the row, by its name in Rust.
    Field(&'static str),
    /// A value that does not depend on the row: the input at this index.
    Input(usize),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// Returns the operator that holds exactly if this one does not, given that both operands are set.
    pub(crate) const fn negated(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
        }
    }

    /// Returns whether the operator holds for operands of this ordering.
    pub(crate) const fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}
