//! The session limit: sign-ins of one subject are serialized so that it holds, and a session that another
//! one replaces ends in the same transaction.

use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait as _, InsertStatement, OnConflict, Query};

use super::living::{CUT_OFF, CUT_OFFS, lives, living_of};
use super::session_end::end_at_once;
#[cfg(feature = "postgres")]
use crate::driver::Dialect;
use crate::driver::{Attempts, Db, Extent, Row, TransactionEnd, Unit};
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};
use crate::session::{Created, SessionId, SessionLimit, SessionRecord};
use crate::sql::filled;
use crate::sql::session_row::{EXPIRES_AT, ID, SECRET_HASH, SUBJECT, TABLE, malformed, micros};

/// The maximum number of sessions that one statement ends: each is a bound value.
const EVICTED: usize = 500;

/// A record to insert, with everything that must happen in the same transaction.
pub(super) struct Creation<'a> {
    /// The session that it replaces.
    pub(super) old: Option<&'a SessionRecord>,
    pub(super) record: &'a SessionRecord,
    pub(super) insert: &'a InsertStatement,
    pub(super) limit: Option<SessionLimit>,
}

/// Inserts a record unless its subject has too many sessions, even with concurrent sign-ins.
pub(super) async fn create(db: &Db, creation: &Creation<'_>) -> Result<Created> {
    let mut attempts = Attempts::begin();
    loop {
        let created = create_alone(db, creation).await;
        if !attempts.go_on(&created).await {
            return created;
        }
    }
}

async fn create_alone(db: &Db, creation: &Creation<'_>) -> Result<Created> {
    let unit = db.begin_unit(Extent::Call).await?;
    let created = create_in(db, &unit, creation).await;
    // A record that is not stored must end nothing.
    end(&unit, created, |created| {
        matches!(created, Created::Stored(_))
    })
    .await
}

async fn create_in(db: &Db, unit: &Unit, creation: &Creation<'_>) -> Result<Created> {
    if creation.limit.is_some() {
        hold_back(db, unit, creation.record.subject.as_str()).await?;
    }
    create_within(&db.within(unit.clone()), creation).await
}

async fn hold_back(db: &Db, unit: &Unit, subject: &str) -> Result<()> {
    // Sign-ins that were committed while it waited must be visible, whatever isolation level the
    // application's connections begin with. MySQL takes its snapshot with the first statement that only
    // reads, which comes later.
    #[cfg(feature = "postgres")]
    if db.dialect() == Dialect::Postgres {
        let level = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
        unit.control(level).await?;
    }
    let within = db.within(unit.clone());
    within.execute(&hold(subject)?).await.map(|_| ())
}

/// Builds the upsert that makes other sign-ins of this subject wait until the transaction ends.
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

/// Commits if the outcome is to stay, and rolls back otherwise.
pub(super) async fn end<T>(
    unit: &Unit,
    outcome: Result<T>,
    stays: impl FnOnce(&T) -> bool,
) -> Result<T> {
    if outcome.as_ref().is_ok_and(stays) {
        unit.end(TransactionEnd::Commit).await?;
    } else {
        // If that fails too, the connection is gone, and the transaction with it.
        let _ = unit.end(TransactionEnd::Rollback).await;
    }
    outcome
}

/// Inserts a record while the other sign-ins of its subject wait.
async fn create_within(db: &Db, creation: &Creation<'_>) -> Result<Created> {
    let record = creation.record;
    // Queried first, because a statement that fails ends a transaction.
    let id_taken = Query::select()
        .expr(Expr::cust("1"))
        .from(TABLE)
        .and_where(Expr::col(ID).eq(record.id.to_string()))
        .take();
    if db.fetch_optional(&id_taken).await?.is_some() {
        return Ok(Created::IdTaken);
    }
    // The old session is ended first, so that it is not counted.
    if let Some(old) = creation.old
        && !take_away(db, old, record.created_at).await?
    {
        return Ok(Created::OldGone);
    }
    let mut ended = Vec::new();
    if let Some(limit) = creation.limit {
        ended = beyond(db, limit.most().saturating_sub(1), record).await?;
        match limit {
            SessionLimit::Reject(_) if !ended.is_empty() => return Ok(Created::LimitReached),
            SessionLimit::Reject(_) | SessionLimit::EvictOldest(_) => {}
        }
        for some in ended.chunks(EVICTED) {
            evict(db, some).await?;
        }
    }
    match db.execute(creation.insert).await {
        // Taken since the query: the next attempt finds it.
        Err(error) if error.is_conflict() => Err(Error::contended()),
        done => done.map(|_| Created::Stored(ended)),
    }
}

/// Ends a session that another one replaces; returns whether it was there.
async fn take_away(db: &Db, old: &SessionRecord, now: DateTime<Utc>) -> Result<bool> {
    let old = Condition::all()
        .add(Expr::col(ID).eq(old.id.to_string()))
        .add(Expr::col(SECRET_HASH).eq(old.secret_hash.as_bytes().to_vec()))
        .add(lives(micros(now)));
    Ok(end_at_once(db, old).await? > 0)
}

/// Returns the living sessions of a subject except the newest `most`: each sign-in runs this, and most find
/// none.
async fn beyond(db: &Db, most: usize, record: &SessionRecord) -> Result<Vec<SessionId>> {
    let beyond = living_of(&record.subject, record.created_at)
        .clear_selects()
        .column(ID)
        .limit(i64::MAX.unsigned_abs())
        .offset(most.try_into().unwrap_or(u64::MAX))
        .take();
    let rows = db.fetch_all(&beyond).await?;
    let id = |row: &Row| match row.cell(0, Kind::Text) {
        Ok(Cell::Text(id)) => id.parse().map_err(|_| malformed()),
        _ => Err(malformed()),
    };
    rows.iter().map(id).collect()
}

async fn evict(db: &Db, ids: &[SessionId]) -> Result<()> {
    let texts = filled(ids.iter().map(SessionId::to_string).collect());
    let those = Condition::all().add(Expr::col(ID).is_in(texts));
    if end_at_once(db, those).await? == ids.len() as u64 {
        Ok(())
    } else {
        // One of them ended, or another one took its place: they are counted again.
        Err(Error::contended())
    }
}
