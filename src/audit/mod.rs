//! What happened, as `tracing` events with stable targets, and the record of writes. No event holds
//! a secret, a token or a row's value, but the key of a row that is written. Text that comes from outside has
//! its control and format characters escaped, those that turn the direction of writing among them.
//!
//! | target | level | says |
//! |---|---|---|
//! | `clearance::audit` | info | each decision on a write: an [`AuditEvent`] |
//! | `clearance::audit` | error | an [`AuditEvent`] that its sink did not take |
//! | `clearance::sql` | debug | the text of each statement, without its values |
//! | `clearance::database` | warn | the class and code of a failed statement |
//! | `clearance::database` | error | a stored value that its field cannot have |
//! | `clearance::session` | info | a session's life, and each refused credential and sign-in |
//! | `clearance::session` | warn | a session store or viewer source that gave no answer |
//! | `clearance::token` | info | each refused token |
//! | `clearance::token` | warn | a key that has sealed half of what it may |
//! | `clearance::explain` | debug | which rule decided, without what a row holds |
//! | `clearance::access` | info | each refused call, each system access, each escape hatch |
//! | `clearance::check` | warn | a trigger that can change a row behind the rules of its write, and a foreign key that an input sets whose rows no rule is asked of |
//! | `clearance::failure` | error | the advice behind an answer of status 500 |

mod event;
mod session;
mod sink;
mod text;

pub use event::{AuditEvent, Outcome};
pub(crate) use event::{By, key_text};
pub(crate) use session::SessionEvents;
pub use session::{
    CredentialRefusal, Revocation, SessionEvent, SessionEventKind, SessionEventSink, SignInRefusal,
};
pub use sink::{AuditSink, SinkError};
pub(crate) use sink::{Sink, Unrecorded, decided, listens, record, refused};
pub(crate) use text::is_hidden;

use std::borrow::Cow;

use self::text::escaped;
use crate::error::Error;
use crate::session::StoreError;

use crate::policy::Failure;
use crate::viewer::Subject;

/// A subject as text that shows all that it holds: it can be what somebody chose to be called.
fn shown(subject: Option<&Subject>) -> Option<Cow<'_, str>> {
    subject.map(|subject| escaped(subject.as_str()))
}

/// A decision on a write.
pub(crate) fn write(event: &AuditEvent) {
    let viewer = shown(event.viewer.as_ref());
    tracing::info!(
        target: "clearance::audit",
        outcome = event.outcome.word(),
        action = event.action.word(),
        entity = event.entity,
        table = event.table,
        key = event.key.as_deref(),
        rows = event.rows,
        fields = ?event.fields,
        rule = event.rule,
        viewer = viewer.as_deref(),
        reason = event.reason,
        request_id = event.request_id.as_deref(),
        "write {}", event.outcome.word(),
    );
}

/// A decision that was not recorded.
fn unrecorded(event: &AuditEvent, error: &Error) {
    let viewer = shown(event.viewer.as_ref());
    tracing::error!(
        target: "clearance::audit",
        outcome = event.outcome.word(),
        action = event.action.word(),
        entity = event.entity,
        key = event.key.as_deref(),
        viewer = viewer.as_deref(),
        request_id = event.request_id.as_deref(),
        %error,
        "write not recorded",
    );
}

/// A statement about to run.
pub(crate) fn statement(sql: &str) {
    tracing::debug!(target: "clearance::sql", statement = sql);
}

/// A statement that failed.
pub(crate) fn database_failure(class: &'static str, code: &str) {
    tracing::warn!(target: "clearance::database", class, code, "statement failed");
}

/// A trigger that can make a row another one than the rules of its write were asked of.
pub(crate) fn trigger(entity: &'static str, table: &'static str, trigger: &str) {
    tracing::warn!(
        target: "clearance::check",
        entity,
        table,
        trigger,
        "rules of writes do not see what this trigger changes",
    );
}

/// A field that clients may set to refer to rows which they may not read.
pub(crate) fn unchecked_reference(input: &'static str, field: &'static str, table: &str) {
    tracing::warn!(
        target: "clearance::check",
        input,
        field,
        table,
        "a foreign key without a relation: declare a `belongs_to`, or say `any_row` with a reason"
    );
}

/// A way around the rules that the application took on purpose.
pub(crate) fn escape_hatch(name: &'static str, reason: &'static str) {
    tracing::info!(target: "clearance::access", hatch = name, reason, "escape hatch");
}

/// A call whose rule did not allow it.
pub(crate) fn call_denied() {
    tracing::info!(target: "clearance::access", "call denied");
}

/// An access that was used after its request's session became another one.
pub(crate) fn access_of_another_session() {
    tracing::info!(target: "clearance::access", "access of another session");
}

/// A route whose rules did not let a request pass. What its path is the application's own log says.
pub(crate) fn route_denied(signed_in: bool) {
    tracing::info!(target: "clearance::access", signed_in, "route denied");
}

/// A request that another site may have had a browser send.
pub(crate) fn forged_request(why: &'static str) {
    tracing::info!(target: "clearance::access", why, "request not from here");
}

/// A query that names a field which this viewer may not see in every row, and that was refused
/// for it. The client is not told.
pub(crate) fn hidden_field_named(dto: &'static str, field: &'static str) {
    tracing::info!(target: "clearance::access", dto, field, "query names a hidden field");
}

/// A stored value that its field cannot have, so that the field is hidden, or the row left out.
pub(crate) fn unreadable(entity: &'static str, field: &'static str, key: Option<&str>) {
    tracing::error!(target: "clearance::database", entity, field, key, "value cannot be read");
}

/// A query that asks for more than one of the limits allows, and that was refused for it.
pub(crate) fn beyond_limit(dto: &'static str, limit: &'static str) {
    tracing::info!(target: "clearance::access", dto, limit, "query beyond a limit");
}

/// A call that is open to everybody.
pub(crate) fn public_access(reason: &'static str) {
    tracing::debug!(target: "clearance::access", reason, "public access");
}

/// A call by the program itself, past every rule.
pub(crate) fn system_access(reason: &'static str) {
    tracing::info!(target: "clearance::access", reason, "system access");
}

/// A rule that could not be worked out, so that its call failed.
pub(crate) fn rule_failed(what: &'static str, rule: &'static str, failure: &Failure) {
    tracing::error!(target: "clearance::access", what, rule, ?failure, "rule failed");
}

/// Why rules allow something or not, as it was asked for.
pub(crate) fn explained(explanation: &impl std::fmt::Display) {
    tracing::debug!(target: "clearance::explain", %explanation, "explained");
}

/// A credential that was presented and refused.
pub(crate) fn credential_refused(event: &SessionEvent) {
    tracing::info!(
        target: "clearance::session",
        refusal = event.kind.reason().unwrap_or(event.kind.word()),
        address = event.address.map(|address| address.to_string()),
        request_id = event.request_id.as_deref(),
        "credential refused",
    );
}

/// A token that was presented and refused.
pub(crate) fn token_refused(audience: &str, refusal: &'static str) {
    tracing::info!(target: "clearance::token", audience, refusal, "token refused");
}

/// A key that has sealed half of the tokens that it may.
pub(crate) fn key_half_used() {
    tracing::warn!(target: "clearance::token", "a key has sealed half of the tokens that it may: rotate it");
}

/// The session store gave no answer.
pub(crate) fn session_store_failed(step: &'static str, error: StoreError) {
    tracing::warn!(target: "clearance::session", step, %error, "session store failed");
}

/// This node hears the others, for the first time or again.
pub(crate) fn channel_connected() {
    tracing::info!(target: "clearance::nodes", "channel connected");
}

/// This node does not hear the others, and falls back to the cache bound.
pub(crate) fn channel_lost() {
    tracing::warn!(target: "clearance::nodes", "channel lost");
}

/// This node hears what it does not understand, and falls back to the cache bound.
pub(crate) fn channel_unread() {
    tracing::warn!(target: "clearance::nodes", "channel not understood");
}

/// PostgreSQL checks no text in this database, so that this node does not listen to it.
#[cfg(feature = "postgres")]
pub(crate) fn channel_without_text() {
    tracing::error!(
        target: "clearance::nodes",
        "a database of the encoding `SQL_ASCII` has no channel: make it anew with `UTF8`"
    );
}

/// This node understands all that it hears again.
pub(crate) fn channel_read() {
    tracing::info!(target: "clearance::nodes", "channel understood");
}

/// The application's viewer source gave no answer.
pub(crate) fn viewer_source_failed(viewer: &'static str) {
    tracing::warn!(target: "clearance::session", viewer, "viewer source failed");
}

/// The application's hook gave no answer.
pub(crate) fn hook_failed(hook: &'static str) {
    tracing::warn!(target: "clearance::session", hook, "session hook failed");
}

/// An error whose advice is for the operator, answered to a client without it.
pub(crate) fn failed(error: &Error) {
    tracing::error!(target: "clearance::failure", %error, "request failed");
}
