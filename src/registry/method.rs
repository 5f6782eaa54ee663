//! Descriptions of repositories: their methods, and the guard of each.

use std::any::Any;

use crate::policy::Context;

/// A repository: its name and its methods.
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

/// The condition of a method, evaluated for a viewer of the method's type.
type Allows = fn(&dyn Any, &Context) -> Option<bool>;

/// The guard of a repository method: the viewers that may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Any verified viewer.
    Authenticated,
    /// The viewers for which this expression is true.
    Authorize(&'static str),
    /// Everybody, for this reason.
    Public(&'static str),
}

/// The kind of access that a repository method takes.
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

    /// Returns the name of the repository's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its methods.
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

    /// Evaluates its condition for `viewer`; `None` if that requires more than the viewer.
    pub(crate) fn allows(&self, viewer: &dyn Any, context: &Context) -> Option<bool> {
        self.allows.and_then(|allows| allows(viewer, context))
    }

    /// Returns the name of the method.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the guard of the method.
    #[must_use]
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// Returns the kind of access that the method takes.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Returns the source file and the line of the method.
    #[must_use]
    pub const fn location(&self) -> (&'static str, u32) {
        (self.file, self.line)
    }
}

/// A type whose methods are guarded by `#[repository]`.
pub trait Repository {
    #[doc(hidden)]
    fn __repository() -> RepositoryInfo;
}
