//! The sessions that are not over, and the table of what stateless ones were cut off by.

use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait as _, Order, Query, SelectStatement};

#[cfg(feature = "accounts")]
use crate::driver::Dialect;
use crate::session::SessionId;
use crate::sql::session_row::{
    COLUMNS, CREATED_AT, EXPIRES_AT, ID, IDLE_EXPIRES_AT, SUBJECT, TABLE, micros,
};
use crate::viewer::Subject;

pub(super) const CUT_OFFS: &str = "clearance_session_cut_offs";
pub(super) const CUT_OFF: &str = "cut_off";

pub(super) fn lives(now: i64) -> Condition {
    Condition::all()
        .add(Expr::col(IDLE_EXPIRES_AT).gt(now))
        .add(Expr::col(EXPIRES_AT).gt(now))
}

/// Returns a query for the session of `id` if it is living at `now`, its columns first, for a statement
/// that may select more.
pub(super) fn living(id: SessionId, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .columns(COLUMNS.map(|column| (TABLE, column)))
        .from(TABLE)
        .and_where(Expr::col((TABLE, ID)).eq(id.to_string()))
        .cond_where(lives(micros(now)))
        .take()
}

/// Returns a query for the living sessions of a subject, the last created first.
pub(super) fn living_of(subject: &Subject, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .columns(COLUMNS)
        .from(TABLE)
        .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
        .cond_where(lives(micros(now)))
        .order_by(CREATED_AT, Order::Desc)
        .order_by(ID, Order::Asc)
        .take()
}

/// Returns the subject of a session, for a comparison with a column of text.
#[cfg(feature = "accounts")]
pub(super) fn subject(dialect: Dialect) -> Expr {
    dialect.kept_as_bytes(Expr::col((TABLE, SUBJECT)))
}
