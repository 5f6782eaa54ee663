//! Rotation of sessions: the replaced ids, and the sessions that they lead to.

use chrono::{DateTime, Utc};
use sea_query::{
    Expr, ExprTrait as _, Func, InsertStatement, OnConflict, Query, SelectStatement,
    UpdateStatement,
};

use super::living::lives;
use super::session_limit::end;
use crate::driver::{Attempts, Db, Extent};
use crate::error::Result;
use crate::session::{Replaced, SecretHash, SessionId, SessionRecord};
use crate::sql::session_row::{
    COLUMNS, EXPIRES_AT, ID, SECRET_HASH, TABLE, malformed, micros, values,
};

pub(super) const REPLACED: &str = "clearance_replaced_sessions";
/// The first id that a session had, once it has another one.
const LINE: &str = "line";

/// Replaces `old` by a record, and keeps the old id and secret, which lead to it.
pub(super) async fn replace(
    db: &Db,
    old: &SessionRecord,
    record: &SessionRecord,
    now: DateTime<Utc>,
) -> Result<Replaced> {
    let mut attempts = Attempts::begin();
    loop {
        let replaced = replace_once(db, old, record, now).await;
        if !attempts.go_on(&replaced).await {
            return replaced;
        }
    }
}

async fn replace_once(
    db: &Db,
    old: &SessionRecord,
    record: &SessionRecord,
    now: DateTime<Utc>,
) -> Result<Replaced> {
    let unit = db.begin_unit(Extent::Call).await?;
    let within = db.within(unit.clone());
    let replaced = replace_within(&within, old, record, now).await;
    end(&unit, replaced, |_| true).await
}

async fn replace_within(
    db: &Db,
    old: &SessionRecord,
    record: &SessionRecord,
    now: DateTime<Utc>,
) -> Result<Replaced> {
    // A concurrent rotation of the same session waits here, and then finds nothing.
    if db.execute(&move_on(old, record, now)).await?.count == 0 {
        return Ok(Replaced::Gone);
    }
    db.execute(&keep(old, record)?).await?;
    Ok(Replaced::Done)
}

fn move_on(old: &SessionRecord, record: &SessionRecord, now: DateTime<Utc>) -> UpdateStatement {
    let line = Expr::from(Func::coalesce([
        Expr::col(LINE),
        Expr::value(old.id.to_string()),
    ]));
    let mut update = Query::update();
    update
        .table(TABLE)
        .value(LINE, line)
        .and_where(Expr::col(ID).eq(old.id.to_string()))
        .and_where(Expr::col(SECRET_HASH).eq(old.secret_hash.as_bytes().to_vec()))
        .cond_where(lives(micros(now)));
    for (column, value) in COLUMNS.into_iter().zip(values(record)) {
        update.value(column, value);
    }
    update
}

/// Builds the insert of the old id and secret, which lead to the session that is `record` now.
fn keep(old: &SessionRecord, record: &SessionRecord) -> Result<InsertStatement> {
    let line = Query::select()
        .expr(Expr::value(old.id.to_string()))
        .expr(Expr::value(old.secret_hash.as_bytes().to_vec()))
        .column(LINE)
        .expr(Expr::value(micros(record.expires_at)))
        .from(TABLE)
        .and_where(Expr::col(ID).eq(record.id.to_string()))
        .take();
    let mut insert = Query::insert();
    insert
        .into_table(REPLACED)
        .columns([ID, SECRET_HASH, LINE, EXPIRES_AT])
        .select_from(line)
        .map_err(|_| malformed())?
        .on_conflict(
            OnConflict::column(ID)
                .update_columns([SECRET_HASH, LINE, EXPIRES_AT])
                .to_owned(),
        );
    Ok(insert)
}

/// Returns a query for the living session that a replaced one leads to.
pub(super) fn successor(
    id: SessionId,
    secret_hash: SecretHash,
    now: DateTime<Utc>,
) -> SelectStatement {
    let line = Query::select()
        .column(LINE)
        .from(REPLACED)
        .and_where(Expr::col(ID).eq(id.to_string()))
        .and_where(Expr::col(SECRET_HASH).eq(secret_hash.as_bytes().to_vec()))
        .take();
    Query::select()
        .columns(COLUMNS)
        .from(TABLE)
        .and_where(Expr::col(LINE).in_subquery(line))
        .cond_where(lives(micros(now)))
        .take()
}
