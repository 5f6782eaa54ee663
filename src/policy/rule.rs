//! A rule with what it needs to be worked out: its data, its inputs, and where it stands.

use std::fmt;

use super::{Context, Expr, Value};

/// A rule over a viewer `V`, a row `E` and the [`Context`], written with the rule grammar in an
/// attribute or as a function under `#[rule]`.
///
/// # Example
///
/// A named rule, used by a DTO as `#[visible_if(rule = same_team)]`:
///
/// ```
/// # use clearance::{Entity, Viewer, rule};
/// # #[derive(Viewer)]
/// # struct Member { id: i64, team: Option<String> }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, team: Option<String> }
/// #[rule]
/// fn same_team(viewer: &Member, row: &User) -> bool {
///     same(viewer.team, row.team)
/// }
///
/// assert_eq!(same_team().source().text, "same(viewer.team, row.team)");
/// ```
pub struct Rule<V, E> {
    source: Source,
    expr: Expr,
    inputs: Vec<Input<V>>,
    opaque: Vec<OpaqueRule<V, E>>,
}

/// A part of a rule that runs in Rust only.
pub(crate) type OpaqueRule<V, E> = fn(&V, &E, &Context) -> bool;

/// Where a rule stands, for explanations and the registry. Never sent to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// The rule as it was written.
    pub text: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line in that file.
    pub line: u32,
}

impl Source {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(text: &'static str, file: &'static str, line: u32) -> Self {
        Self { text, file, line }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// A part of a rule that does not depend on the row, worked out once for a request.
#[doc(hidden)]
pub struct Input<V>(pub(crate) Kind<V>);

pub(crate) enum Kind<V> {
    ViewerFlag(fn(&V, &Context) -> bool),
    FreeFlag(fn(&Context) -> bool),
    ViewerValue(fn(&V, &Context) -> Computed),
    FreeValue(fn(&Context) -> Computed),
}

/// What an input that is not a flag gives.
#[doc(hidden)]
#[derive(Debug)]
pub struct Computed(pub(crate) Given);

#[derive(Debug)]
pub(crate) enum Given {
    Flag(bool),
    Value(Value),
    List(Vec<Value>),
    /// The input reads the viewer, and there is none.
    Unknown,
}

#[doc(hidden)]
impl<V> Input<V> {
    #[must_use]
    pub fn viewer_flag(compute: fn(&V, &Context) -> bool) -> Self {
        Self(Kind::ViewerFlag(compute))
    }

    #[must_use]
    pub fn free_flag(compute: fn(&Context) -> bool) -> Self {
        Self(Kind::FreeFlag(compute))
    }

    #[must_use]
    pub fn viewer_value(compute: fn(&V, &Context) -> Computed) -> Self {
        Self(Kind::ViewerValue(compute))
    }

    #[must_use]
    pub fn free_value(compute: fn(&Context) -> Computed) -> Self {
        Self(Kind::FreeValue(compute))
    }

    #[must_use]
    pub fn viewer_list(compute: fn(&V, &Context) -> Computed) -> Self {
        Self(Kind::ViewerValue(compute))
    }

    #[must_use]
    pub fn free_list(compute: fn(&Context) -> Computed) -> Self {
        Self(Kind::FreeValue(compute))
    }

    /// What this input gives for `viewer`, or for nobody.
    pub(crate) fn compute(&self, viewer: Option<&V>, context: &Context) -> Given {
        match (&self.0, viewer) {
            (Kind::ViewerFlag(compute), Some(viewer)) => Given::Flag(compute(viewer, context)),
            (Kind::ViewerValue(compute), Some(viewer)) => compute(viewer, context).0,
            (Kind::ViewerFlag(_) | Kind::ViewerValue(_), None) => Given::Unknown,
            (Kind::FreeFlag(compute), _) => Given::Flag(compute(context)),
            (Kind::FreeValue(compute), _) => compute(context).0,
        }
    }
}

impl<V, E> Rule<V, E> {
    #[doc(hidden)]
    #[must_use]
    pub fn __new(
        source: Source,
        expr: Expr,
        inputs: Vec<Input<V>>,
        opaque: Vec<OpaqueRule<V, E>>,
    ) -> Self {
        Self {
            source,
            expr,
            inputs,
            opaque,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __negated(mut self) -> Self {
        self.expr = Expr::Not(Box::new(self.expr));
        self
    }

    /// Where the rule stands and how it was written.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The rule as data.
    #[must_use]
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    pub(crate) fn input(&self, index: usize) -> Option<&Input<V>> {
        self.inputs.get(index)
    }

    pub(crate) fn opaque(&self, index: usize) -> Option<OpaqueRule<V, E>> {
        self.opaque.get(index).copied()
    }

    /// Whether a part of the rule runs in Rust only.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        !self.opaque.is_empty()
    }
}

impl<V, E> fmt::Debug for Rule<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("source", &self.source)
            .field("expr", &self.expr)
            .finish_non_exhaustive()
    }
}
