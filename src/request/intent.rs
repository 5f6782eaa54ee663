//! The intent of a request: whether its method may change state.

use http::Method;

use crate::session::Hints;

/// The intent of a request, by its method
/// ([RFC 9110, section 9.2.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// The method is unsafe, or unknown.
    Any,
    /// The method is safe: browsers send such a request for any other site that asks them to, cookies and
    /// all.
    Safe,
}

impl Intent {
    pub(super) fn of(method: &Method) -> Self {
        if method.is_safe() {
            Self::Safe
        } else {
            Self::Any
        }
    }

    /// Returns the intent of work that continues after the response is sent. A stream or a task that a
    /// request with a safe method began is no more intended than the request. The messages of a socket come
    /// from its own page, once its handshake has passed the gate against forged requests.
    pub(super) const fn of_fork(self, hints: &Hints) -> Self {
        match self {
            Self::Safe if !hints.is_handshake() => Self::Safe,
            Self::Safe | Self::Any => Self::Any,
        }
    }

    pub(super) const fn is_safe(self) -> bool {
        matches!(self, Self::Safe)
    }
}
