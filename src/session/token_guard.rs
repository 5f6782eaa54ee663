//! The condition of a write on a stateless session: it is neither denied nor of an ended generation.

use super::store::{Generations, SessionId};
use crate::viewer::Subject;

/// The conditions under which the holder of a token may write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TokenGuard {
    pub(crate) subject: Subject,
    pub(crate) under: Generations,
    /// The ids under which the end of this session alone is recorded.
    pub(crate) denials: [SessionId; 2],
}
