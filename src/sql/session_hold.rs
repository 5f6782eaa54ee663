//! Row locks of stateless sessions: a write holds its session until it is done, and the end of the session
//! waits for that.
//!
//! A stateless session has no row. A write therefore locks the rows of the generations that it is under,
//! and every end of a session changes one of them, even if it denies a single session (decision 72).

#[cfg(feature = "postgres")]
use sea_query::Func;
use sea_query::{Expr, ExprTrait as _, Query, SelectStatement};

use super::session_generations::{self as counters, EVERYONE};
use super::session_row::{ID, malformed};
#[cfg(feature = "postgres")]
use crate::driver::Dialect;
use crate::driver::{Db, Unit};
use crate::error::{Error, Refusal, Result};
use crate::session::TokenGuard;

pub(crate) const DENIALS: &str = "clearance_session_denials";

impl TokenGuard {
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

/// The stateless sessions that a transaction holds, or that its commit will lock.
#[derive(Default)]
struct HeldTokens(Vec<TokenGuard>);

impl HeldTokens {
    fn add(&mut self, guard: &TokenGuard) {
        if !self.0.contains(guard) {
            self.0.push(guard.clone());
        }
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
            if unit.note(|HeldTokens(tokens)| tokens.contains(guard)) {
                return Ok(true);
            }
            let held = self.take_token(guard, unit.is_used()).await?;
            if held {
                unit.note(|tokens: &mut HeldTokens| tokens.add(guard));
            }
            return Ok(held);
        }
        if unit.is_of_application() {
            // Its commit locks the rows (decision 70).
            unit.note(|tokens: &mut HeldTokens| tokens.add(guard));
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
        let guards = |unit: &Unit| unit.note(|HeldTokens(tokens)| tokens.clone());
        for guard in &self.unit().map(guards).unwrap_or_default() {
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

/// The modes of the gate: shared for writes, exclusive for ends of sessions.
#[cfg(feature = "postgres")]
#[derive(Clone, Copy)]
pub(crate) enum Passing {
    Together,
    Alone,
}

#[cfg(feature = "postgres")]
const SEED: i64 = 7_263_401_157;

/// Returns an advisory lock of PostgreSQL whose waiters are served in turn, and which is held until the
/// transaction ends.
#[cfg(feature = "postgres")]
pub(crate) fn gate(subject: &str, passing: Passing) -> Expr {
    // The seed keeps these numbers apart from the advisory locks of an application.
    let number = Func::cust("hashtextextended").args([subject.into(), SEED.into()]);
    let lock = match passing {
        Passing::Together => "pg_advisory_xact_lock_shared",
        Passing::Alone => "pg_advisory_xact_lock",
    };
    Func::cust(lock).arg(number).into()
}
