//! What the registry knows of repositories.

use std::any::Any;

use crate::policy::Context;

/// A repository, as the registry knows it.
#[derive(Debug, Clone)]
pub struct RepositoryInfo {
    name: &'static str,
    methods: Vec<MethodInfo>,
}

/// A method of a repository, with its guard.
#[derive(Debug, Clone)]
pub struct MethodInfo {
    name: &'static str,
    guard: Guard,
    action: Action,
    file: &'static str,
    line: u32,
    allows: Option<Allows>,
}

/// What the condition of a method comes to for a viewer of its type.
type Allows = fn(&dyn Any, &Context) -> Option<bool>;

/// Who a repository method is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Any verified viewer.
    Authenticated,
    /// The viewers that this expression picks.
    Authorize(&'static str),
    /// Everybody, for this reason.
    Public(&'static str),
}

/// What a repository method may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read rows.
    Read,
    /// Read and write rows.
    Write,
}

impl RepositoryInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(name: &'static str, methods: Vec<MethodInfo>) -> Self {
        Self { name, methods }
    }

    /// The name of the repository's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its methods.
    #[must_use]
    pub fn methods(&self) -> &[MethodInfo] {
        &self.methods
    }
}

impl MethodInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        name: &'static str,
        guard: Guard,
        action: Action,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            name,
            guard,
            action,
            file,
            line,
            allows: None,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn __allows(mut self, allows: Allows) -> Self {
        self.allows = Some(allows);
        self
    }

    /// What its condition comes to for `viewer`; `None` when that takes more than the viewer.
    #[cfg(feature = "matrix")]
    pub(crate) fn allows(&self, viewer: &dyn Any, context: &Context) -> Option<bool> {
        self.allows.and_then(|allows| allows(viewer, context))
    }

    /// The name of the method.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Who it is open to.
    #[must_use]
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// What it may do.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// `file:line`, the same on every machine.
    #[cfg(feature = "matrix")]
    pub(crate) fn place(&self) -> String {
        crate::policy::rule::place(self.file, self.line)
    }

    /// The source file and the line of the method.
    #[must_use]
    pub const fn location(&self) -> (&'static str, u32) {
        (self.file, self.line)
    }
}

/// A type whose methods `#[repository]` guards.
pub trait Repository {
    #[doc(hidden)]
    fn __repository() -> RepositoryInfo;
}
