//! A rule with everything that its evaluation needs: its expression, its inputs and its place in the
//! source.

use std::fmt;

use super::{Context, Expr, Failure};
use crate::schema::Value;

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
    inputs: Vec<RuleInput<V>>,
    opaque: Vec<OpaqueRule<V, E>>,
    /// Set if its attribute states when it does *not* allow: `hidden_if`, `read_unless`.
    negated: bool,
    /// Set if its expression exceeded the limits and was discarded.
    too_large: bool,
}

/// A function under `#[rule]`, over a viewer `V` and a row `E`.
#[diagnostic::on_unimplemented(
    message = "this is not a rule over a row `{E}` for a viewer `{V}`",
    label = "not a rule of this viewer and this row",
    note = "`rule = path` takes a function under `#[rule]`, as `#[rule] fn name(viewer: &{V}, row: &{E}) -> bool {{ .. }}`"
)]
pub trait NamedRule<V, E> {
    #[doc(hidden)]
    fn __rule(self) -> Rule<V, E>;
}

#[diagnostic::do_not_recommend]
impl<V, E, F: FnOnce() -> Rule<V, E>> NamedRule<V, E> for F {
    fn __rule(self) -> Rule<V, E> {
        self()
    }
}

/// Returns a named rule; called by generated code.
#[doc(hidden)]
pub fn named<V, E>(rule: impl NamedRule<V, E>) -> Rule<V, E> {
    rule.__rule()
}

/// A part of a rule that runs in Rust only.
pub(crate) type OpaqueRule<V, E> = fn(&V, &E, &Context) -> bool;

/// The text and the place of a rule, for explanations and the registry. Never sent to a client.
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

    /// Returns `file:line`, the same on every machine: the file with slashes, from the folder of its
    /// package on if the compiler was given an absolute path.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Entity, Viewer, rule};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64 }
    /// #[rule]
    /// fn own(viewer: &Member, row: &User) -> bool { row.id == viewer.id }
    ///
    /// let source = own().source();
    /// assert!(source.place().ends_with(&format!(":{}", source.line)));
    /// ```
    #[must_use]
    pub fn place(&self) -> String {
        place(self.file, self.line)
    }
}

/// Returns `file:line` of any item; see [`Source::place`].
pub(crate) fn place(file: &str, line: u32) -> String {
    let slashed = without_detours(&file.replace('\\', "/"));
    let is_absolute = slashed.starts_with('/') || slashed.get(1..3) == Some(":/");
    let path = if is_absolute {
        in_its_package(&slashed)
    } else {
        slashed.as_str()
    };
    format!("{path}:{line}")
}

/// Resolves the `.` and `..` in a path, which a module under `#[path]` brings in.
fn without_detours(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            (".", _) => {}
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            (part, _) => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the path from the folder that holds `src`, `tests`, `examples` or `benches` on; without one of
/// them, the file name.
fn in_its_package(path: &str) -> &str {
    let folder = ["/src/", "/tests/", "/examples/", "/benches/"]
        .iter()
        .filter_map(|folder| path.rfind(folder))
        .max();
    let package = folder.and_then(|folder| {
        let start = path.get(..folder)?.rfind('/')? + 1;
        path.get(start..)
    });
    package.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.text)
    }
}

/// A part of a rule that does not depend on the row, so that partial evaluation computes it once for all
/// rows.
#[doc(hidden)]
pub struct RuleInput<V> {
    kind: RuleKind<V>,
    name: &'static str,
    /// Set if it may read `context.now`.
    timed: bool,
}

pub(crate) enum RuleKind<V> {
    ViewerFlag(fn(&V, &Context) -> bool),
    FreeFlag(fn(&Context) -> bool),
    ViewerValue(fn(&V, &Context) -> Computed),
    FreeValue(fn(&Context) -> Computed),
}

/// The result of an input that is not a flag; none if its attribute was not loaded.
#[doc(hidden)]
#[derive(Debug)]
pub struct Computed(pub(crate) Option<Given>);

#[derive(Debug)]
pub(crate) enum Given {
    Flag(bool),
    Value(Value),
    List(Vec<Value>),
    /// The result of an input that reads the viewer when there is none.
    Unknown,
}

#[doc(hidden)]
impl<V> RuleInput<V> {
    #[must_use]
    pub fn viewer_flag(compute: fn(&V, &Context) -> bool) -> Self {
        Self::of(RuleKind::ViewerFlag(compute))
    }

    #[must_use]
    pub fn free_flag(compute: fn(&Context) -> bool) -> Self {
        Self::of(RuleKind::FreeFlag(compute))
    }

    #[must_use]
    pub fn viewer_value(compute: fn(&V, &Context) -> Computed) -> Self {
        Self::of(RuleKind::ViewerValue(compute))
    }

    #[must_use]
    pub fn free_value(compute: fn(&Context) -> Computed) -> Self {
        Self::of(RuleKind::FreeValue(compute))
    }

    #[must_use]
    pub fn viewer_list(compute: fn(&V, &Context) -> Computed) -> Self {
        Self::of(RuleKind::ViewerValue(compute))
    }

    #[must_use]
    pub fn free_list(compute: fn(&Context) -> Computed) -> Self {
        Self::of(RuleKind::FreeValue(compute))
    }

    /// Sets the words that the rule has for the input.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Marks the input as one that may read `context.now`.
    #[must_use]
    pub const fn timed(mut self) -> Self {
        self.timed = true;
        self
    }

    fn of(kind: RuleKind<V>) -> Self {
        Self {
            kind,
            name: "an input",
            timed: false,
        }
    }

    /// Returns the input as the rule writes it, for explanations.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Computes the input for `viewer`, or for nobody.
    ///
    /// # Errors
    ///
    /// [`Failure::NotLoaded`] if it reads an attribute that was not loaded.
    pub(crate) fn compute(&self, viewer: Option<&V>, context: &Context) -> Result<Given, Failure> {
        let computed = match (&self.kind, viewer) {
            (RuleKind::ViewerFlag(compute), Some(viewer)) => {
                Some(Given::Flag(compute(viewer, context)))
            }
            (RuleKind::ViewerValue(compute), Some(viewer)) => compute(viewer, context).0,
            (RuleKind::ViewerFlag(_) | RuleKind::ViewerValue(_), None) => Some(Given::Unknown),
            (RuleKind::FreeFlag(compute), _) => Some(Given::Flag(compute(context))),
            (RuleKind::FreeValue(compute), _) => compute(context).0,
        };
        computed.ok_or(Failure::NotLoaded(self.name))
    }
}

impl<V, E> Rule<V, E> {
    #[doc(hidden)]
    #[must_use]
    pub fn __new(
        source: Source,
        expr: Expr,
        inputs: Vec<RuleInput<V>>,
        opaque: Vec<OpaqueRule<V, E>>,
    ) -> Self {
        let flattened = expr.flattened();
        Self {
            source,
            too_large: flattened.is_none(),
            expr: flattened.unwrap_or(Expr::FAILS),
            inputs,
            opaque,
            negated: false,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __negated(mut self) -> Self {
        self.expr = Expr::Not(Box::new(self.expr));
        self.negated = !self.negated;
        self
    }

    /// Returns the text of the rule and its place in the source.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Returns the rule as data, which is not covered by semantic versioning.
    #[doc(hidden)]
    #[must_use]
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    pub(crate) fn input(&self, index: usize) -> Option<&RuleInput<V>> {
        self.inputs.get(index)
    }

    /// Computes the input at this index for `viewer`, or for nobody.
    pub(crate) fn given(
        &self,
        index: usize,
        viewer: Option<&V>,
        context: &Context,
    ) -> Result<Given, Failure> {
        match self.inputs.get(index) {
            Some(input) => input.compute(viewer, context),
            None if self.too_large => Err(Failure::TooLarge),
            None => Err(Failure::UnknownInput),
        }
    }

    /// Returns whether its attribute states when it does not allow, as `hidden_if` does.
    #[must_use]
    pub const fn is_negated(&self) -> bool {
        self.negated
    }

    /// Returns whether its decision before any row may change with time.
    pub(crate) fn reads_time(&self) -> bool {
        self.inputs.iter().any(|input| input.timed)
    }

    pub(crate) fn opaque(&self, index: usize) -> Option<OpaqueRule<V, E>> {
        self.opaque.get(index).copied()
    }

    /// Returns whether a part of the rule runs in Rust only.
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

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn x7_a_place_is_the_same_on_every_machine() {
        for (file, expected) in [
            ("src/users.rs", "src/users.rs:7"),
            ("crates/app/src/users.rs", "crates/app/src/users.rs:7"),
            ("src\\deep\\users.rs", "src/deep/users.rs:7"),
            ("./src/users.rs", "src/users.rs:7"),
            ("tests/../examples/a/main.rs", "examples/a/main.rs:7"),
            ("../other/src/lib.rs", "../other/src/lib.rs:7"),
            (
                "/home/me/work/app/src/deep/users.rs",
                "app/src/deep/users.rs:7",
            ),
            ("C:\\work\\app\\src\\users.rs", "app/src/users.rs:7"),
            ("/odd/users.rs", "users.rs:7"),
        ] {
            assert_eq!(place(file, 7), expected);
        }
    }
}
