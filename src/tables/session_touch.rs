//! The last use of a session, which extends its idle timeout.

use sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, Query, UpdateStatement};

use super::living::{lives, living};
use super::session_limit::end;
use crate::driver::{Attempts, Db, Extent};
use crate::error::Result;
use crate::session::SessionRecord;
use crate::sql::session_row::{ID, IDLE_EXPIRES_AT, LAST_SEEN_AT, SECRET_HASH, TABLE, micros};

/// Stores the last use of a session; returns whether the session is there.
///
/// If an update waits for transactions that have only read a row, the session is skipped while a write
/// under it is not committed: otherwise somebody who only reads would wait for their own write. The next
/// request stores the use (decision 71).
pub(super) async fn touch(db: &Db, record: &SessionRecord) -> Result<bool> {
    let mut attempts = Attempts::begin();
    loop {
        let touched = touch_once(db, record).await;
        if !attempts.go_on(&touched).await {
            return touched;
        }
    }
}

async fn touch_once(db: &Db, record: &SessionRecord) -> Result<bool> {
    if !db.dialect().waits_for_what_is_read() {
        return Ok(db.execute(&noted(record)).await?.count > 0);
    }
    let unit = db.begin_unit(Extent::Call).await?;
    let within = db.within(unit.clone());
    let touched = touch_unless_held(&within, record).await;
    end(&unit, touched, |_| true).await
}

async fn touch_unless_held(db: &Db, record: &SessionRecord) -> Result<bool> {
    let there = living(record.id, record.last_seen_at);
    let mut free = there.clone();
    free.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    if db.fetch_optional(&free).await?.is_some() {
        return Ok(db.execute(&noted(record)).await?.count > 0);
    }
    Ok(db.fetch_optional(&there).await?.is_some())
}

fn noted(record: &SessionRecord) -> UpdateStatement {
    Query::update()
        .table(TABLE)
        .value(LAST_SEEN_AT, micros(record.last_seen_at))
        .value(IDLE_EXPIRES_AT, micros(record.idle_expires_at))
        .and_where(Expr::col(ID).eq(record.id.to_string()))
        .and_where(Expr::col(SECRET_HASH).eq(record.secret_hash.as_bytes().to_vec()))
        .cond_where(lives(micros(record.last_seen_at)))
        .take()
}
