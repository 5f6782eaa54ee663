//! Explanations: the tree of a rule with the truth of each node, and the nodes that decided.
//!
//! The truth of a node comes from the evaluator, or from the database by way of `asked.rs`, so this module
//! has no semantics of its own.

use std::fmt;

use super::decision::{Failure, Truth};
use super::eval::{Evaluation, NoRelatives};
use super::{Context, Expr, Op, Operand, Rule, Source};
use crate::schema::Columns;

/// The trace of one rule over one row: the truth of each node, and the nodes that decided.
///
/// It is for logs: `Display` shows the names of the operands and the truth of each part, never a value of
/// the row. It has no `Serialize` and is not [`Release`](crate::Release), so that no client gets it.
#[derive(Debug, Clone)]
pub struct RuleTrace {
    source: Source,
    root: Step,
}

/// One node of a rule, with its truth.
#[derive(Debug, Clone)]
pub struct Step {
    text: String,
    outcome: Result<Truth, Failure>,
    decides: bool,
    /// Set if it reads related rows, which are not available.
    related: bool,
    #[cfg(feature = "testing")]
    values: Vec<(String, super::Value)>,
    parts: Vec<Step>,
}

impl RuleTrace {
    /// Returns the text of the rule and its place in the source.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Returns the outcome of the whole rule.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it could not be evaluated.
    pub const fn outcome(&self) -> Result<Truth, Failure> {
        self.root.outcome
    }

    /// Returns whether the outcome depends on related rows, which are not available here.
    #[must_use]
    pub fn needs_related_rows(&self) -> bool {
        self.root.needs_related_rows()
    }

    /// Returns the root of the rule's tree.
    #[must_use]
    pub const fn root(&self) -> &Step {
        &self.root
    }
}

impl Step {
    /// Returns the node in words: `row.team == viewer.team`, or `all of` its parts.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the outcome of this node by itself, even if the evaluation of the rule does not reach it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it could not be evaluated.
    pub const fn outcome(&self) -> Result<Truth, Failure> {
        self.outcome
    }

    /// Returns whether the outcome of the rule rests on this node.
    #[must_use]
    pub const fn decides(&self) -> bool {
        self.decides
    }

    /// Returns the child nodes.
    #[must_use]
    pub fn parts(&self) -> &[Step] {
        &self.parts
    }

    /// Returns the operands and their values, for a test that checks the reason; none if the database
    /// evaluated the rule, because the values remain there. Compiled with the feature `testing` only.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn values(&self) -> &[(String, super::Value)] {
        &self.values
    }

    fn needs_related_rows(&self) -> bool {
        self.decides && (self.related || self.parts.iter().any(Self::needs_related_rows))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let mark = if self.decides { "* " } else { "  " };
        writeln!(
            f,
            "{:width$}{mark}{}: {}",
            "",
            outcome_word(self.outcome),
            self.text,
            width = depth * 2
        )?;
        self.parts
            .iter()
            .try_for_each(|part| part.write(f, depth + 1))
    }
}

impl fmt::Display for RuleTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    {}", self.source)?;
        self.root.write(f, 3)
    }
}

/// Returns the word for an outcome in explanations.
pub(crate) fn outcome_word(outcome: Result<Truth, Failure>) -> String {
    match outcome {
        Ok(Truth::True) => "true".to_owned(),
        Ok(Truth::False) => "false".to_owned(),
        Ok(Truth::Unknown) => "unknown".to_owned(),
        Err(failure) => format!("failed, {failure}"),
    }
}

/// Traces the evaluation of `rule` for `viewer` (or nobody) over `row`.
///
/// # Example
///
/// ```
/// # use clearance::{Entity, Viewer, rule};
/// # #[derive(Viewer)]
/// # struct Member { id: i64, team: Option<String> }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, team: Option<String> }
/// # #[rule]
/// # fn same_team(viewer: &Member, row: &User) -> bool { same(viewer.team, row.team) }
/// use clearance::policy::{Context, Truth, trace};
///
/// let row = User { id: 1, team: Some("red".into()) };
/// let context = Context::new("2026-01-01T00:00:00Z".parse().unwrap());
/// let trace = trace(&same_team(), None, &row, &context);
/// assert_eq!(trace.outcome(), Ok(Truth::Unknown));
/// assert_eq!(trace.root().text(), "viewer.team == row.team");
/// ```
#[must_use]
pub fn trace<V, R: Columns>(
    rule: &Rule<V, R>,
    viewer: Option<&V>,
    row: &R,
    context: &Context,
) -> RuleTrace {
    let evaluation = Evaluation::new(rule, viewer, row, context, &NoRelatives);
    traced(rule, &mut Evaluated { rule, evaluation })
}

/// A source of the truths of a rule's nodes.
pub(super) trait RuleNodes {
    /// `true` if conditions on related rows can be evaluated.
    const RELATED_AT_HAND: bool;

    /// Returns the truth of a node. It is called once for each node, in the order of [`nodes`].
    fn truth(&mut self, expr: &Expr) -> Result<Truth, Failure>;

    #[cfg(feature = "testing")]
    fn values(&self, expr: &Expr) -> Vec<(String, super::Value)>;
}

/// Visits the node and its descendants, each node before its children.
pub(super) fn nodes(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    visit(expr);
    for inner in inner(expr) {
        nodes(inner, visit);
    }
}

/// Builds the trace of `rule` from the truths of its nodes.
pub(super) fn traced<V, E, N: RuleNodes>(rule: &Rule<V, E>, nodes: &mut N) -> RuleTrace {
    let mut root = step(rule, nodes, rule.expr());
    mark(rule.expr(), &mut root);
    RuleTrace {
        source: rule.source(),
        root,
    }
}

struct Evaluated<'a, V, R> {
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "values are for tests")
    )]
    rule: &'a Rule<V, R>,
    evaluation: Evaluation<'a, V, R>,
}

impl<V, R: Columns> RuleNodes for Evaluated<'_, V, R> {
    const RELATED_AT_HAND: bool = false;

    fn truth(&mut self, expr: &Expr) -> Result<Truth, Failure> {
        self.evaluation.truth(expr)
    }

    #[cfg(feature = "testing")]
    fn values(&self, expr: &Expr) -> Vec<(String, super::Value)> {
        values(self.rule, &self.evaluation, expr)
    }
}

fn step<V, E, N: RuleNodes>(rule: &Rule<V, E>, nodes: &mut N, expr: &Expr) -> Step {
    Step {
        text: text(rule, expr, N::RELATED_AT_HAND),
        outcome: nodes.truth(expr),
        decides: false,
        related: !N::RELATED_AT_HAND && matches!(expr, Expr::Related { .. }),
        #[cfg(feature = "testing")]
        values: nodes.values(expr),
        parts: inner(expr)
            .iter()
            .map(|inner| step(rule, nodes, inner))
            .collect(),
    }
}

/// Returns the child nodes, as far as they refer to the same row.
fn inner(expr: &Expr) -> &[Expr] {
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts,
        Expr::Not(inner) => std::slice::from_ref(&**inner),
        Expr::Free(_)
        | Expr::Flag(_)
        | Expr::Compare { .. }
        | Expr::IsSome(_)
        | Expr::IsNone(_)
        | Expr::Contains { .. }
        | Expr::Related { .. }
        | Expr::Opaque(_) => &[],
    }
}

/// Marks the nodes that the outcome of `step` rests on.
fn mark(expr: &Expr, step: &mut Step) {
    step.decides = true;
    let outcome = step.outcome;
    // For `all`, one false part is enough for false, and `any` is the mirror image. Otherwise each part
    // with the same outcome counts: all of them, or those that are unknown.
    let (inner, enough): (&[Expr], Truth) = match expr {
        Expr::All(parts) => (parts, Truth::False),
        Expr::Any(parts) => (parts, Truth::True),
        Expr::Not(inner) => {
            if let Some(part) = step.parts.first_mut() {
                mark(inner, part);
            }
            return;
        }
        Expr::Free(_)
        | Expr::Flag(_)
        | Expr::Compare { .. }
        | Expr::IsSome(_)
        | Expr::IsNone(_)
        | Expr::Contains { .. }
        | Expr::Related { .. }
        | Expr::Opaque(_) => return,
    };
    for (expr, part) in inner.iter().zip(&mut step.parts) {
        if part.outcome == outcome {
            mark(expr, part);
            if outcome == Ok(enough) || outcome.is_err() {
                return;
            }
        }
    }
}

fn text<V, E>(rule: &Rule<V, E>, expr: &Expr, related_at_hand: bool) -> String {
    let named = |input: usize| match rule.input(input) {
        Some(input) => input.name(),
        None => "a missing input",
    };
    match expr {
        Expr::Free(input) => named(*input).to_owned(),
        Expr::Flag(field) => named_field(field),
        Expr::Compare { op, left, right } => format!(
            "{} {} {}",
            operand(rule, *left),
            symbol(*op),
            operand(rule, *right)
        ),
        Expr::IsSome(field) => format!("{}.is_some()", named_field(field)),
        Expr::IsNone(field) => format!("{}.is_none()", named_field(field)),
        Expr::Contains { list, field } => {
            format!("{}.contains({})", named(*list), named_field(field))
        }
        Expr::Opaque(_) => "opaque(..)".to_owned(),
        Expr::Related { relation, .. } if related_at_hand => format!("exists(row.{relation}, ..)"),
        // A row in memory comes without related rows, so their condition is left out.
        Expr::Related { relation, .. } => {
            format!("exists(row.{relation}, ..), related rows not at hand")
        }
        Expr::Not(_) => "not".to_owned(),
        Expr::All(_) => "all of".to_owned(),
        Expr::Any(_) => "any of".to_owned(),
    }
}

fn operand<V, E>(rule: &Rule<V, E>, operand: Operand) -> String {
    match operand {
        Operand::Field(field) => named_field(field),
        Operand::Input(input) => rule
            .input(input)
            .map_or("a missing input", |input| input.name())
            .to_owned(),
    }
}

/// Returns `row.field`, or `before.field`, which a rule names by itself, unchanged.
fn named_field(field: &str) -> String {
    if field.contains('.') {
        field.to_owned()
    } else {
        format!("row.{field}")
    }
}

/// Returns the operator as Rust writes it.
pub(crate) const fn symbol(op: Op) -> &'static str {
    match op {
        Op::Eq => "==",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

#[cfg(feature = "testing")]
fn values<V, R: Columns>(
    rule: &Rule<V, R>,
    evaluation: &Evaluation<'_, V, R>,
    expr: &Expr,
) -> Vec<(String, super::Value)> {
    let operands: Vec<Operand> = match expr {
        Expr::Free(_)
        | Expr::Opaque(_)
        | Expr::Related { .. }
        | Expr::Not(_)
        | Expr::All(_)
        | Expr::Any(_) => Vec::new(),
        Expr::Flag(field) | Expr::IsSome(field) | Expr::IsNone(field) => {
            vec![Operand::Field(field)]
        }
        Expr::Compare { left, right, .. } => vec![*left, *right],
        Expr::Contains { field, .. } => vec![Operand::Field(field)],
    };
    operands
        .into_iter()
        .filter_map(|given| Some((operand(rule, given), evaluation.value(given)?)))
        .collect()
}
