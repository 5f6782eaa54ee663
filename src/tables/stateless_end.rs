//! Revocations of stateless sessions, each of which waits for the writes that hold the sessions (decision 72).

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _, Query};

use super::session_limit::end;
#[cfg(feature = "postgres")]
use crate::driver::Dialect;
use crate::driver::{Attempts, Db, Extent, Unit};
use crate::error::{Error, Result};
use crate::session::SessionId;
use crate::sql::session_generations as counters;
#[cfg(feature = "postgres")]
use crate::sql::session_generations::EVERYONE;
use crate::sql::session_hold::DENIALS;
#[cfg(feature = "postgres")]
use crate::sql::session_hold::{Passing, gate};
use crate::sql::session_row::{EXPIRES_AT, ID, malformed, micros};
use crate::viewer::Subject;

/// A revocation of stateless sessions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending<'a> {
    Everyone(u64),
    Of(&'a Subject, u64),
    /// The sessions of a subject that are under one generation.
    From(&'a Subject, u64, u64),
    One(&'a Subject, SessionId, DateTime<Utc>),
}

impl Ending<'_> {
    #[cfg(feature = "postgres")]
    fn subject(&self) -> &str {
        match self {
            Self::Everyone(_) => EVERYONE,
            Self::Of(subject, _) | Self::From(subject, _, _) | Self::One(subject, _, _) => {
                subject.as_str()
            }
        }
    }

    /// Runs the revocation once no unfinished write holds the sessions; returns whether there was anything
    /// to end.
    pub(super) async fn run(&self, db: &Db) -> Result<bool> {
        let mut attempts = Attempts::begin();
        loop {
            let ended = self.run_once(db).await;
            if !attempts.go_on(&ended).await {
                return ended;
            }
        }
    }

    async fn run_once(&self, db: &Db) -> Result<bool> {
        let unit = db.begin_unit(Extent::Call).await?;
        let ended = self.run_in(&unit, &db.within(unit.clone())).await;
        end(&unit, ended, |_| true).await
    }

    async fn run_in(&self, unit: &Unit, db: &Db) -> Result<bool> {
        // Transactions that only lock a row in shared mode overtake one that waits to change it; the gate
        // prevents that.
        #[cfg(feature = "postgres")]
        if db.dialect() == Dialect::Postgres {
            // Changes that others commit while it waits must be visible.
            let level = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
            unit.control(level).await?;
            let gate = Query::select()
                .expr(gate(self.subject(), Passing::Alone))
                .take();
            db.fetch_optional(&gate).await?;
        }
        #[cfg(not(feature = "postgres"))]
        let _ = unit;
        let wrong = |_| malformed();
        match *self {
            Self::Everyone(step) => {
                let raise = counters::raise_everyone(step).map_err(wrong)?;
                Ok(db.execute(&raise).await?.count > 0)
            }
            Self::Of(subject, step) => {
                let raise = counters::raise(subject.as_str(), step).map_err(wrong)?;
                db.execute(&raise).await.map(|_| true)
            }
            Self::From(subject, from, step) => {
                if from == 0 {
                    let first = counters::begin(subject.as_str(), 0).map_err(wrong)?;
                    db.execute(&first).await?;
                }
                let raise = counters::raise_from(subject.as_str(), from, step).map_err(wrong)?;
                Ok(db.execute(&raise).await?.count > 0)
            }
            Self::One(subject, id, until) => deny(db, subject, id, until).await,
        }
    }
}

async fn deny(db: &Db, subject: &Subject, id: SessionId, until: DateTime<Utc>) -> Result<bool> {
    // Changed, though by nothing: a transaction with an older snapshot then cannot lock the row.
    let change = counters::raise(subject.as_str(), 0).map_err(|_| malformed())?;
    db.execute(&change).await?;
    let is_it = || Expr::col(ID).eq(id.to_string());
    let known = Query::select()
        .expr(Expr::cust("1"))
        .from(DENIALS)
        .and_where(is_it())
        .take();
    if db.fetch_optional(&known).await?.is_some() {
        // Kept until the latest of the times.
        let update = Query::update()
            .table(DENIALS)
            .value(EXPIRES_AT, micros(until))
            .and_where(is_it())
            .and_where(Expr::col(EXPIRES_AT).lt(micros(until)))
            .take();
        return db.execute(&update).await.map(|_| false);
    }
    let mut insert = Query::insert();
    insert
        .into_table(DENIALS)
        .columns([ID, EXPIRES_AT])
        .values([id.to_string().into(), micros(until).into()])
        .map_err(|_| malformed())?;
    match db.execute(&insert).await {
        // Inserted since the query: the next attempt finds it.
        Err(error) if error.is_conflict() => Err(Error::contended()),
        done => done.map(|_| true),
    }
}
