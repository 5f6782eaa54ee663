//! Rules as data.

/// A rule as plain data: what the derives emit, the evaluator reads and SQL is made from.
///
/// It has three truth values. An atom over a null is unknown, `Not` keeps unknown, and a rule
/// allows only when it is definitely true. Matches on it name every node, so that a new node
/// cannot be forgotten anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A truth that does not depend on the row: the input at this index.
    Free(usize),
    /// A boolean field of the row.
    Flag(&'static str),
    /// A comparison of two operands.
    Compare {
        /// How they are compared.
        op: Op,
        /// The operand on the left.
        left: Operand,
        /// The operand on the right.
        right: Operand,
    },
    /// Whether a field is set. Never unknown.
    IsSome(&'static str),
    /// Whether a field is unset. Never unknown.
    IsNone(&'static str),
    /// Whether a list, the input at this index, contains a field.
    Contains {
        /// Index of the input that gives the list.
        list: usize,
        /// The field that is looked for.
        field: &'static str,
    },
    /// A function that runs in Rust over viewer, row and context.
    Opaque(usize),
    /// Whether a related row fulfils a condition. Of a relation to many rows this is true when
    /// one does and false when none can. Of a relation to one row it is what the condition comes
    /// to there, and unknown when there is no such row.
    Related {
        /// The relation, by its name on the entity of this row.
        relation: &'static str,
        /// The condition, over the fields of the related row.
        condition: Box<Expr>,
    },
    /// The opposite.
    Not(Box<Expr>),
    /// Every one of these; true when there is none.
    All(Vec<Expr>),
    /// At least one of these; false when there is none.
    Any(Vec<Expr>),
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A field of the row, by its name in Rust.
    Field(&'static str),
    /// A value that does not depend on the row: the input at this index.
    Input(usize),
}

/// How two operands are compared.
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
    /// The operator that holds exactly when this one does not, both operands being set.
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

    /// Whether it holds for operands that stand in this order.
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
