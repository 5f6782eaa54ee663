//! Statements that end the sessions of a table, and that sweep expired rows.

use sea_query::{
    Condition, DeleteStatement, Expr, ExprTrait as _, Order, Query, SelectStatement,
    UpdateStatement,
};

use crate::driver::{Db, Dialect};
use crate::error::Result;
use crate::session::SessionId;
use crate::sql::session_row::{ID, IDLE_EXPIRES_AT, SUBJECT, TABLE};
use crate::viewer::Subject;

/// The maximum number of rows that one statement removes, so that others never wait for its locks for long.
const STEP: u64 = 200;

/// The sessions that a revocation ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended<'a> {
    One(SessionId, &'a Subject),
    /// All sessions of a subject, except one if it is given.
    Of(&'a Subject, Option<SessionId>),
}

impl Ended<'_> {
    fn condition(&self) -> Condition {
        let of = |subject: &Subject| Expr::col(SUBJECT).eq(subject.as_str());
        let one = |id: SessionId| Expr::col(ID).eq(id.to_string());
        match self {
            Self::One(id, subject) => Condition::all().add(one(*id)).add(of(subject)),
            Self::Of(subject, keep) => Condition::all()
                .add(of(subject))
                .add_option(keep.map(|id| one(id).not())),
        }
    }

    /// Returns the update that ends them for every later statement, on engines where it does not wait for
    /// transactions that only hold a session. Then only those that found the session before are left to be
    /// waited for; otherwise clients that keep writing would overtake the deletion for ever (decision 70).
    pub(super) fn mark(&self, dialect: Dialect) -> Option<UpdateStatement> {
        dialect
            .locks_on_demand()
            .then(|| mark().cond_where(self.condition()).take())
    }

    /// Returns the deletion, which waits until no unfinished transaction holds them.
    pub(super) fn delete(&self) -> DeleteStatement {
        Query::delete()
            .from_table(TABLE)
            .cond_where(self.condition())
            .take()
    }
}

/// Ends sessions that another one replaces; returns their number. A sign-in waits for no write under them:
/// where a deletion would wait, they are only marked, and a sweep removes them.
pub(super) async fn end_at_once(db: &Db, which: Condition) -> Result<u64> {
    let ended = if db.dialect().locks_on_demand() {
        let mark = mark()
            .cond_where(which)
            .and_where(Expr::col(IDLE_EXPIRES_AT).gt(i64::MIN))
            .take();
        db.execute(&mark).await
    } else {
        let delete = Query::delete().from_table(TABLE).cond_where(which).take();
        db.execute(&delete).await
    };
    Ok(ended?.count)
}

fn mark() -> UpdateStatement {
    Query::update()
        .table(TABLE)
        .value(IDLE_EXPIRES_AT, i64::MIN)
        .take()
}

/// Returns [`Ended::mark`] for a batch of sessions of everyone.
pub(super) fn mark_some(dialect: Dialect) -> Option<UpdateStatement> {
    dialect.locks_on_demand().then(|| {
        let mut some = first(TABLE, ID, ID);
        some.and_where(Expr::col(IDLE_EXPIRES_AT).gt(i64::MIN));
        mark()
            .and_where(Expr::col(ID).in_subquery(some))
            .and_where(Expr::col(IDLE_EXPIRES_AT).gt(i64::MIN))
            .take()
    })
}

/// Returns the deletion of a batch of sessions of everyone.
pub(super) fn delete_some(dialect: Dialect) -> DeleteStatement {
    few(dialect, TABLE, ID, ID, None)
}

/// Returns a query that finds a row if anybody has a session.
pub(super) fn anybody() -> SelectStatement {
    Query::select()
        .expr(Expr::cust("1"))
        .from(TABLE)
        .limit(1)
        .take()
}

/// Returns the deletion of the first batch of rows of a table, with this `key`, that had expired by `now`.
pub(super) fn sweep_some(
    dialect: Dialect,
    (table, key): (&'static str, &'static str),
    expires_at: &'static str,
    now: i64,
) -> DeleteStatement {
    few(
        dialect,
        table,
        key,
        expires_at,
        Some(Expr::col(expires_at).lte(now)),
    )
}

fn few(
    dialect: Dialect,
    table: &'static str,
    key: &'static str,
    order: &'static str,
    condition: Option<Expr>,
) -> DeleteStatement {
    let mut delete = Query::delete();
    delete.from_table(table).and_where_option(condition.clone());
    if dialect.deletes_by_limit() {
        delete.order_by(order, Order::Asc).limit(STEP);
    } else {
        let mut few = first(table, key, order);
        few.and_where_option(condition);
        delete.and_where(Expr::col(key).in_subquery(few));
    }
    delete
}

fn first(table: &'static str, key: &'static str, order: &'static str) -> SelectStatement {
    Query::select()
        .column(key)
        .from(table)
        .order_by(order, Order::Asc)
        .limit(STEP)
        .take()
}
