//! Grants: the kinds of permission that an access can prove.

use std::fmt;
use std::sync::Arc;

use super::memo::WhileHeld;
use crate::policy::Context;
use crate::request::RequestContext;
use crate::session::{LoadedSession, Verified};
use crate::viewer::Viewer;

/// The grant that a verified viewer may read.
pub struct Read<V: Viewer> {
    verified: Verified<V>,
    context: Context,
}

/// The grant that a verified viewer may read and write.
pub struct Write<V: Viewer> {
    verified: Verified<V>,
    context: Context,
    /// Disables memoization while held: a value read meanwhile may be stale once the write is done.
    _writing: WhileHeld,
}

/// The grant that everybody may read; there is no viewer.
pub struct Public {
    sealed: (),
}

/// The grant that the program itself may do everything; there is no viewer.
pub struct System {
    reason: &'static str,
}

impl<V: Viewer> Read<V> {
    pub(super) fn new(verified: Verified<V>, request: &RequestContext) -> Self {
        Self {
            verified,
            context: request.circumstances(),
        }
    }
}

impl<V: Viewer> Write<V> {
    pub(super) fn new(verified: Verified<V>, request: &RequestContext) -> Self {
        Self {
            verified,
            context: request.circumstances(),
            _writing: WhileHeld::begin(request),
        }
    }
}

impl Public {
    pub(super) const fn new() -> Self {
        Self { sealed: () }
    }
}

impl System {
    pub(super) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

/// The identity under which rules are evaluated.
#[doc(hidden)]
pub enum Principal<'a, V: Viewer> {
    /// A verified viewer.
    Viewer(&'a Verified<V>),
    /// No viewer: conditions that read the viewer are unknown.
    Nobody,
    /// The program itself: no rule is evaluated.
    System,
}

/// The session that a grant depends on, if any.
#[doc(hidden)]
pub struct Held<'a>(pub(super) Option<&'a Arc<LoadedSession>>);

/// A grant to read the rows of entities whose viewer is `V`.
#[diagnostic::on_unimplemented(
    message = "this access does not read rows of entities whose viewer is `{V}`",
    note = "`Read<{V}>`, `Write<{V}>`, `Public` and `System` do",
    note = "the viewer of the repository, `#[repository(viewer = ..)]`, and that of the entity, `#[entity(viewer = ..)]`, must be the same"
)]
pub trait Reads<V: Viewer>: sealed::Sealed + Send + Sync {
    #[doc(hidden)]
    fn __asker(&self) -> Principal<'_, V>;
}

/// A grant to write the rows of entities whose viewer is `V`.
#[diagnostic::on_unimplemented(
    message = "this access does not write rows of entities whose viewer is `{V}`",
    note = "say `access: Write` in the attribute of the method, or take `Access::<Write<{V}>>::authenticated()`",
    note = "the viewer of the repository, `#[repository(viewer = ..)]`, and that of the entity, `#[entity(viewer = ..)]`, must be the same"
)]
pub trait Writes<V: Viewer>: Reads<V> + MayWrite {}

/// A grant to write, regardless of the type of the viewer.
#[diagnostic::on_unimplemented(
    message = "this access does not write",
    note = "say `access: Write` in the attribute of the method, or take `Access::<Write<..>>::authenticated()`"
)]
pub trait MayWrite: sealed::Sealed + Send + Sync {
    /// Returns the reason why there is no viewer.
    #[doc(hidden)]
    fn __reason(&self) -> Option<&'static str> {
        None
    }

    #[doc(hidden)]
    fn __held(&self) -> Held<'_> {
        Held(None)
    }
}

/// A grant that depends on a session.
#[doc(hidden)]
pub trait BySession: sealed::Sealed {
    type Viewer: Viewer;

    fn verified(&self) -> &Verified<Self::Viewer>;

    fn context(&self) -> &Context;
}

impl<V: Viewer> BySession for Read<V> {
    type Viewer = V;

    fn verified(&self) -> &Verified<V> {
        &self.verified
    }

    fn context(&self) -> &Context {
        &self.context
    }
}

impl<V: Viewer> BySession for Write<V> {
    type Viewer = V;

    fn verified(&self) -> &Verified<V> {
        &self.verified
    }

    fn context(&self) -> &Context {
        &self.context
    }
}

impl<V: Viewer> Reads<V> for Read<V> {
    fn __asker(&self) -> Principal<'_, V> {
        Principal::Viewer(&self.verified)
    }
}

impl<V: Viewer> Reads<V> for Write<V> {
    fn __asker(&self) -> Principal<'_, V> {
        Principal::Viewer(&self.verified)
    }
}

impl<V: Viewer> Reads<V> for Public {
    fn __asker(&self) -> Principal<'_, V> {
        let () = self.sealed;
        Principal::Nobody
    }
}

impl<V: Viewer> Reads<V> for System {
    fn __asker(&self) -> Principal<'_, V> {
        Principal::System
    }
}

impl<V: Viewer> MayWrite for Write<V> {
    fn __held(&self) -> Held<'_> {
        Held(Some(self.verified.loaded()))
    }
}
impl MayWrite for System {
    fn __reason(&self) -> Option<&'static str> {
        Some(self.reason)
    }
}
impl<V: Viewer> Writes<V> for Write<V> {}
impl<V: Viewer> Writes<V> for System {}

mod sealed {
    pub trait Sealed {}

    impl<V: crate::viewer::Viewer> Sealed for super::Read<V> {}
    impl<V: crate::viewer::Viewer> Sealed for super::Write<V> {}
    impl Sealed for super::Public {}
    impl Sealed for super::System {}
}

impl<V: Viewer> fmt::Debug for Read<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Read")
    }
}

impl<V: Viewer> fmt::Debug for Write<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Write")
    }
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Public")
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("System")
    }
}
