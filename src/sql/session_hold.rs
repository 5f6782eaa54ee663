//! Row locks of stateless sessions: a write holds its session until it is done, and the end of the session
//! waits for that.
//!
//! A stateless session has no row. A write therefore locks the rows of the generations that it is under,
//! and every end of a session changes one of them, even if it denies a single session (decision 72).

use chrono::{DateTime, Utc};
#[cfg(feature = "postgres")]
use sea_query::Func;
use sea_query::{Expr, ExprTrait as _, Query, SelectStatement};

use super::attempts::Attempts;
use super::db::Db;
#[cfg(feature = "postgres")]
use super::dialect::Dialect;
use super::on_commit::Extent;
use super::session_generations::{self as counters, EVERYONE};
use super::session_limit::end;
use super::session_row::{EXPIRES_AT, ID, micros};
use super::session_store::malformed;
use super::unit::Unit;
use crate::error::{Error, Refusal, Result};
use crate::session::{Generations, SessionId};
use crate::viewer::Subject;

pub(super) const DENIALS: &str = "clearance_session_denials";

/// The conditions under which the holder of a token may write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TokenGuard {
    subject: Subject,
    under: Generations,
    /// The ids under which the end of this session alone is recorded.
    denials: [SessionId; 2],
}

impl TokenGuard {
    pub(crate) const fn new(subject: Subject, under: Generations, denials: [SessionId; 2]) -> Self {
        Self {
            subject,
            under,
            denials,
        }
    }

    /// Builds the condition on the rows of its generations, which are two as long as both are current.
    fn generations(&self) -> Result<Expr> {
        let of = |subject: &str, generation| {
            let is = counters::is(subject, generation);
            is.map_err(|_| malformed())
        };
        let everyone = of(EVERYONE, self.under.everyone)?;
        Ok(everyone.or(of(self.subject.as_str(), self.under.subject)?))
    }

    fn denied(&self) -> (SelectStatement, Expr) {
        let ids = self.denials.map(|id| id.to_string());
        let select = Query::select().expr(Expr::cust("1")).from(DENIALS).take();
        (select, Expr::col(ID).is_in(ids))
    }
}

impl Db {
    /// Returns whether the session of `guard` is valid. It then remains so until the transaction commits,
    /// or the commit is refused.
    pub(crate) async fn holds_token(&self, guard: &TokenGuard) -> Result<bool> {
        let unit = self
            .unit()
            .ok_or_else(|| Error::internal("a session is held outside of a transaction"))?;
        if !self.dialect().locks_on_demand() {
            // Locks are kept until the transaction ends, even if a savepoint is rolled back.
            if unit.has_token(guard) {
                return Ok(true);
            }
            let held = self.take_token(guard, unit.is_used()).await?;
            if held {
                unit.note_token(guard);
            }
            return Ok(held);
        }
        if unit.is_of_application() {
            // Its commit locks the rows (decision 70).
            unit.note_token(guard);
            return self.finds_token(guard).await;
        }
        self.take_token(guard, false).await
    }

    /// Does the same at the begin of a transaction of the application, on engines where its statements lock
    /// the rows that they read.
    pub(crate) async fn begins_with_token(&self, guard: &TokenGuard) -> Result<bool> {
        Ok(self.dialect().locks_on_demand() || self.holds_token(guard).await?)
    }

    /// Refuses the commit if a session that a statement of the transaction relied on has ended.
    pub(super) async fn require_tokens(&self) -> Result<()> {
        if !self.dialect().locks_on_demand() {
            return Ok(());
        }
        for guard in &self.unit().map(Unit::tokens).unwrap_or_default() {
            if !self.take_token(guard, false).await? {
                return Err(Error::unauthenticated(Refusal::Unknown));
            }
        }
        Ok(())
    }

    async fn take_token(&self, guard: &TokenGuard, is_used: bool) -> Result<bool> {
        let dialect = self.dialect();
        let mut held = Query::select();
        held.expr(Expr::cust("1")).from(counters::TABLE);
        dialect.keep_whole(&mut held, guard.generations()?);
        #[cfg(feature = "postgres")]
        if dialect == Dialect::Postgres {
            for subject in [EVERYONE, guard.subject.as_str()] {
                let gate = Query::select()
                    .expr(gate(subject, Passing::Together))
                    .take();
                held.and_where(Expr::SubQuery(None, Box::new(gate.into())).is_not_null());
            }
        }
        if self.fetch_all(&held).await?.len() < 2 {
            return Ok(false);
        }
        // INVARIANT (order): after the locks, so that every denial that was recorded is seen, and none can
        // be added.
        let (mut denied, conditions) = guard.denied();
        if is_used && dialect.waits_for_what_is_read() {
            // Its snapshot may be as old as its first read.
            dialect.keep(&mut denied, conditions);
        } else {
            denied.and_where(conditions);
        }
        Ok(self.fetch_optional(&denied).await?.is_none())
    }

    /// Returns the same without any lock.
    async fn finds_token(&self, guard: &TokenGuard) -> Result<bool> {
        let (mut denied, conditions) = guard.denied();
        denied.and_where(conditions);
        let found = Query::select()
            .expr(Expr::cust("1"))
            .from(counters::TABLE)
            .and_where(guard.generations()?)
            .and_where(Expr::exists(denied).not())
            .take();
        Ok(self.fetch_all(&found).await?.len() == 2)
    }
}

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
            unit.connection().await?.control(level.to_owned()).await?;
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

/// The modes of the gate: shared for writes, exclusive for ends of sessions.
#[cfg(feature = "postgres")]
#[derive(Clone, Copy)]
enum Passing {
    Together,
    Alone,
}

#[cfg(feature = "postgres")]
const SEED: i64 = 7_263_401_157;

/// Returns an advisory lock of PostgreSQL whose waiters are served in turn, and which is held until the
/// transaction ends.
#[cfg(feature = "postgres")]
fn gate(subject: &str, passing: Passing) -> Expr {
    // The seed keeps these numbers apart from the advisory locks of an application.
    let number = Func::cust("hashtextextended").args([subject.into(), SEED.into()]);
    let lock = match passing {
        Passing::Together => "pg_advisory_xact_lock_shared",
        Passing::Alone => "pg_advisory_xact_lock",
    };
    Func::cust(lock).arg(number).into()
}
