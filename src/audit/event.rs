//! The audit event: one decision on a write, as it is logged and recorded.

use chrono::{DateTime, Utc};

use crate::entity::{RowAction, Schema};
use crate::error::Error;
use crate::events::{self, LoggedWrite, escaped};
use crate::policy::Value;
use crate::viewer::Subject;

/// A decision on a write: who attempted which action on which row, under which rules, and the outcome.
///
/// Each one is logged as a `tracing` event of level info with the target `clearance::audit`, and given to
/// the sink of a database that is [audited](crate::Db::audited).
///
/// It holds the names of the fields that were set, and no value except the key of the row. For a statement
/// over many rows it names none of them.
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

/// The outcome of a decision.
///
/// It is exhaustive on purpose: a new outcome must break every `match` on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The rules allowed the write, and the database carried it out.
    Allowed,
    /// The rules did not allow the write, or there is no such row: the two are not distinguished.
    Denied,
}

impl Outcome {
    /// Returns the outcome as one word: `allowed` or `denied`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// The author, time and request of a write.
pub(crate) struct Actor {
    at: DateTime<Utc>,
    viewer: Option<Subject>,
    reason: Option<&'static str>,
    request_id: Option<String>,
}

impl Actor {
    /// Describes a write by a viewer, within the request of this id.
    pub(crate) fn viewer(at: DateTime<Utc>, subject: &Subject, request_id: &str) -> Self {
        Self {
            at,
            viewer: Some(subject.clone()),
            reason: None,
            request_id: Some(request_id.to_owned()),
        }
    }

    /// Describes a write by the program itself.
    pub(crate) const fn program(at: DateTime<Utc>, reason: Option<&'static str>) -> Self {
        Self {
            at,
            viewer: None,
            reason,
            request_id: None,
        }
    }

    /// Returns whether rules apply to the write: to a viewer's they do, to the program's own they do not.
    pub(crate) const fn asks_rules(&self) -> bool {
        self.viewer.is_some()
    }
}

impl AuditEvent {
    /// Creates an event that names no row, no field and no rule.
    pub(crate) fn new(by: Actor, action: RowAction, schema: &Schema, outcome: Outcome) -> Self {
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

    /// Logs the decision.
    pub(crate) fn log(&self) {
        events::write(&self.logged());
    }

    /// Logs that the sink did not record the decision.
    pub(super) fn log_unrecorded(&self, error: &Error) {
        events::unrecorded(&self.logged(), error);
    }

    fn logged(&self) -> LoggedWrite<'_> {
        LoggedWrite {
            outcome: self.outcome.as_str(),
            action: self.action.as_str(),
            entity: self.entity,
            table: self.table,
            key: self.key.as_deref(),
            rows: self.rows,
            fields: &self.fields,
            rule: &self.rule,
            viewer: self.viewer.as_ref(),
            reason: self.reason,
            request_id: self.request_id.as_deref(),
        }
    }

    /// Returns the time of the decision, by the clock of the sessions.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Returns the subject of the session that wrote; none for the program itself, which gives its
    /// [`reason`](Self::reason).
    #[must_use]
    pub const fn viewer(&self) -> Option<&Subject> {
        self.viewer.as_ref()
    }

    /// Returns the reason why the program itself wrote, as given to
    /// [`Access::system`](crate::Access::system).
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Returns the attempted action.
    #[must_use]
    pub const fn action(&self) -> RowAction {
        self.action
    }

    /// Returns the name of the entity's type.
    #[must_use]
    pub const fn entity(&self) -> &'static str {
        self.entity
    }

    /// Returns the table of the entity. Several entities can map to one table.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// Returns the key of the row, as text; none for a statement over many rows, and for a refused row that
    /// had no key yet.
    ///
    /// Control and format characters are escaped, including those that change the direction of writing, and
    /// text beyond 255 characters is cut off, because a key can come from a client.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the number of rows that the write affected.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the fields of the entity that the write sets.
    #[must_use]
    pub fn fields(&self) -> &[&'static str] {
        &self.fields
    }

    /// Returns the rules that were evaluated, each with its attribute, as in
    /// `update_if(row.owner == viewer.id)`. All of them must hold, so if several are listed and the row was
    /// refused, one of them did not. The text is `no update_if` if the entity states no rule, and empty for
    /// the program itself, to which no rule applies.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Returns the outcome of the decision.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns the [id of the request](crate::RequestContext::request_id); none for the program itself.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

/// Returns a key in the form that events show; see [`AuditEvent::key`].
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
