//! Sign-ins of one subject one after another, so that a limit of sessions holds.

use sea_query::{Expr, ExprTrait as _, InsertStatement, OnConflict, Query};

use super::aftermath::Extent;
use super::attempts::Attempts;
use super::db::Db;
#[cfg(feature = "postgres")]
use super::dialect::Dialect;
use super::session_row::{EXPIRES_AT, ID, SUBJECT, TABLE};
use super::session_store::{CUT_OFF, CUT_OFFS, living_of, malformed, select};
use super::unit::{Ending, Unit};
use crate::error::{Error, Result};
use crate::session::{Created, SessionId, SessionLimit, SessionRecord};

/// Adds a record unless its subject has too many sessions, whoever else signs in meanwhile.
pub(super) async fn limited(
    db: &Db,
    record: &SessionRecord,
    insert: &InsertStatement,
    limit: SessionLimit,
) -> Result<Created> {
    let mut attempts = Attempts::begin();
    loop {
        let created = create_alone(db, record, insert, limit).await;
        if !attempts.go_on(&created) {
            return created;
        }
    }
}

async fn create_alone(
    db: &Db,
    record: &SessionRecord,
    insert: &InsertStatement,
    limit: SessionLimit,
) -> Result<Created> {
    let unit = alone(db, record.subject.as_str()).await?;
    let within = db.within(unit.clone());
    let created = create_within(&within, record, insert, limit).await;
    end(&unit, created).await
}

/// Begins a transaction that holds the sign-ins of `subject` back.
async fn alone(db: &Db, subject: &str) -> Result<Unit> {
    let unit = db.begin_unit(Extent::Call).await?;
    match hold_back(db, &unit, subject).await {
        Ok(()) => Ok(unit),
        Err(error) => end(&unit, Err(error)).await,
    }
}

async fn hold_back(db: &Db, unit: &Unit, subject: &str) -> Result<()> {
    // What was committed while it waited must be seen, whatever level the application's
    // connections begin with. MySQL takes its view of the data with the first statement that
    // only reads, which comes later.
    #[cfg(feature = "postgres")]
    if db.dialect() == Dialect::Postgres {
        let level = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
        unit.connection().await?.control(level.to_owned()).await?;
    }
    let within = db.within(unit.clone());
    within.execute(&hold(subject)?).await.map(|_| ())
}

/// Has whoever comes next for this subject wait until the transaction ends.
fn hold(subject: &str) -> Result<InsertStatement> {
    let mut insert = Query::insert();
    insert
        .into_table(CUT_OFFS)
        .columns([SUBJECT, CUT_OFF, EXPIRES_AT])
        .values([subject.into(), i64::MIN.into(), i64::MIN.into()])
        .map_err(|_| malformed())?
        .on_conflict(
            OnConflict::column(SUBJECT)
                .update_column(SUBJECT)
                .to_owned(),
        );
    Ok(insert)
}

/// Ends a transaction as what was done in it says.
async fn end<T>(unit: &Unit, outcome: Result<T>) -> Result<T> {
    match outcome {
        Ok(done) => unit.end(Ending::Commit).await.map(|()| done),
        Err(error) => {
            // Where that fails too, the connection is gone, and the transaction with it.
            let _ = unit.end(Ending::Rollback).await;
            Err(error)
        }
    }
}

/// Adds a record while the sign-ins of its subject are held back.
async fn create_within(
    db: &Db,
    record: &SessionRecord,
    insert: &InsertStatement,
    limit: SessionLimit,
) -> Result<Created> {
    // Asked first, because a statement that fails ends a transaction.
    let id_taken = Query::select()
        .expr(Expr::cust("1"))
        .from(TABLE)
        .and_where(Expr::col(ID).eq(record.id.to_string()))
        .take();
    if db.fetch_optional(&id_taken).await?.is_some() {
        return Ok(Created::IdTaken);
    }
    let there = select(db, &living_of(&record.subject, record.created_at)).await?;
    let too_many = there.iter().skip(limit.most().saturating_sub(1));
    let ended: Vec<SessionId> = too_many.map(|record| record.id).collect();
    if !ended.is_empty() {
        match limit {
            SessionLimit::Reject(_) => return Ok(Created::LimitReached),
            SessionLimit::EvictOldest(_) => evict(db, &ended).await?,
        }
    }
    match db.execute(insert).await {
        // Taken since it was asked: the next attempt says so.
        Err(error) if error.is_conflict() => Err(Error::contended()),
        done => done.map(|_| Created::Stored(ended)),
    }
}

async fn evict(db: &Db, ids: &[SessionId]) -> Result<()> {
    let delete = Query::delete()
        .from_table(TABLE)
        .and_where(Expr::col(ID).is_in(ids.iter().map(SessionId::to_string)))
        .take();
    if db.execute(&delete).await?.count == ids.len() as u64 {
        Ok(())
    } else {
        // One of them ended, or another one took its place: they are counted again.
        Err(Error::contended())
    }
}
