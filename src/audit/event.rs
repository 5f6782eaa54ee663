//! A decision on a write, as it is told and recorded.

use chrono::{DateTime, Utc};

use super::text::escaped;
use crate::entity::{RowAction, Schema};
use crate::policy::Value;
use crate::request::RequestContext;
use crate::session::Verified;
use crate::viewer::{Subject, Viewer};

/// A decision on a write: who wanted to do what to which row, by which rules, and what came of it.
///
/// Each one is an event of `tracing`, of level info with the target `clearance::audit`. A database
/// that is [audited](crate::Db::audited) gives it to a sink, too.
///
/// It has the names of what was set and never a value, but for the key of the row. It names no
/// row that a statement over many rows touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    pub(crate) at: DateTime<Utc>,
    pub(crate) viewer: Option<Subject>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) action: RowAction,
    pub(crate) entity: &'static str,
    pub(crate) table: &'static str,
    pub(crate) key: Option<String>,
    pub(crate) rows: u64,
    pub(crate) fields: Vec<&'static str>,
    pub(crate) rule: String,
    pub(crate) outcome: Outcome,
    pub(crate) request_id: Option<String>,
}

/// What came of a decision.
///
/// It is exhaustive on purpose: a new outcome must break whatever asks for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The rules allowed it, and the database did it.
    Allowed,
    /// The rules did not allow it, or there is no such row: the two are not told apart.
    Denied,
}

impl Outcome {
    /// The outcome as one word: `allowed` or `denied`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// Who writes, and when.
pub(crate) struct By {
    at: DateTime<Utc>,
    viewer: Option<Subject>,
    reason: Option<&'static str>,
    request_id: Option<String>,
}

impl By {
    pub(crate) fn viewer<V: Viewer>(request: &RequestContext, verified: &Verified<V>) -> Self {
        Self {
            at: request.now(),
            viewer: Some(verified.subject().clone()),
            reason: None,
            request_id: Some(request.request_id().to_owned()),
        }
    }

    /// The program itself.
    pub(crate) const fn program(at: DateTime<Utc>, reason: Option<&'static str>) -> Self {
        Self {
            at,
            viewer: None,
            reason,
            request_id: None,
        }
    }

    /// Whether rules are asked for it.
    pub(crate) const fn asks_rules(&self) -> bool {
        self.viewer.is_some()
    }
}

impl AuditEvent {
    /// An event that names no row, no field and no rule.
    pub(crate) fn new(by: By, action: RowAction, schema: &Schema, outcome: Outcome) -> Self {
        Self {
            at: by.at,
            viewer: by.viewer,
            reason: by.reason,
            action,
            entity: schema.entity(),
            table: schema.name(),
            key: None,
            rows: 0,
            fields: Vec::new(),
            rule: String::new(),
            outcome,
            request_id: by.request_id,
        }
    }

    /// When it was decided, by the clock of the sessions.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Whose session it was; none for the program itself, which says its [`reason`](Self::reason).
    #[must_use]
    pub const fn viewer(&self) -> Option<&Subject> {
        self.viewer.as_ref()
    }

    /// Why the program itself wrote, as its [`Access::system`](crate::Access::system) says.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// What was to be done.
    #[must_use]
    pub const fn action(&self) -> RowAction {
        self.action
    }

    /// The name of the entity's type.
    #[must_use]
    pub const fn entity(&self) -> &'static str {
        self.entity
    }

    /// The table of the entity. Several entities can stand for rows of one table.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// The key of the row, as text; none where many rows were to be changed, and where a row was
    /// refused that had no key yet.
    ///
    /// Control and format characters are escaped, those that turn the direction of writing among them, and
    /// more than 255 characters are cut off: a key can be what somebody made up.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// How many rows were touched.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The fields of the entity that were to be set.
    #[must_use]
    pub fn fields(&self) -> &[&'static str] {
        &self.fields
    }

    /// The rules that were asked, each with its attribute, as in
    /// `update_if(row.owner == viewer.id)`. All of them must hold, so where several stand there
    /// and the row was refused, one of them did not. `no update_if` where the entity states no
    /// rule, and empty for the program itself, which is asked for none.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What came of it.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The [id of the request](crate::RequestContext::request_id); none for the program itself.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

/// A key as an event has it; see [`AuditEvent::key`].
pub(crate) fn key_text(key: &Value) -> Option<String> {
    const LONGEST: usize = 255;
    let text = key.to_text()?;
    let text: String = text.chars().take(LONGEST).collect();
    Some(escaped(&text).chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_of_bounded_length() {
        let text = |text: &str| key_text(&Value::Text(text.to_owned())).unwrap();
        assert_eq!(text("a b\u{e9}"), "a b\u{e9}");
        assert_eq!(text("a\nb\0"), "a\\nb\\u{0}");
        assert_eq!(text("fdp\u{202e}exe"), "fdp\\u{202e}exe");
        assert_eq!(text(&"x".repeat(10_000)).len(), 255);
        assert_eq!(text(&"\n".repeat(10_000)).len(), 255);
        assert_eq!(key_text(&Value::Null), None);
        assert_eq!(key_text(&Value::Bytes(vec![0, 255])).unwrap(), "00ff");
    }
}
