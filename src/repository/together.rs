//! Atomic groups of the statements of one write.

use crate::driver::{Db, Extent, Savepoint, Steps, TransactionEnd, Unit};
use crate::error::Result;

/// A transaction of its own, or a part of the present one.
pub(super) struct Together {
    db: Db,
    end: End,
}

enum End {
    Unit(Unit),
    Savepoint(Savepoint),
    Steps(Steps),
}

impl Together {
    /// Begins a transaction, or a savepoint in the present one.
    pub(super) async fn begin(db: &Db) -> Result<Self> {
        match db.unit() {
            Some(unit) => Ok(Self {
                db: db.clone(),
                end: End::Savepoint(Savepoint::begin(unit).await?),
            }),
            None => Self::alone(db).await,
        }
    }

    /// Begins a transaction, or a part of the present one without a savepoint: the present one fails if
    /// a part of this does, as with any statement of it.
    pub(super) async fn begin_steps(db: &Db) -> Result<Self> {
        match db.unit() {
            Some(unit) => Ok(Self {
                db: db.clone(),
                end: End::Steps(Steps::begin(unit.clone())),
            }),
            None => Self::alone(db).await,
        }
    }

    async fn alone(db: &Db) -> Result<Self> {
        let unit = db.begin_unit(Extent::Call).await?;
        Ok(Self {
            db: db.within(unit.clone()),
            end: End::Unit(unit),
        })
    }

    pub(super) const fn db(&self) -> &Db {
        &self.db
    }

    /// Keeps the work if `outcome` is `Ok`, and rolls it back otherwise.
    pub(super) async fn end<T>(self, outcome: Result<T>) -> Result<T> {
        match (outcome, self.end) {
            (Ok(done), End::Unit(unit)) => unit.end(TransactionEnd::Commit).await.map(|()| done),
            (Ok(done), End::Savepoint(savepoint)) => savepoint.release().await.map(|()| done),
            (Ok(done), End::Steps(steps)) => {
                steps.done();
                Ok(done)
            }
            (Err(error), End::Unit(unit)) => {
                // If that fails too, the connection is gone, and the transaction with it.
                let _ = unit.end(TransactionEnd::Rollback).await;
                Err(error)
            }
            (Err(error), End::Savepoint(savepoint)) => {
                let _ = savepoint.roll_back().await;
                Err(error)
            }
            (Err(error), End::Steps(_)) => Err(error),
        }
    }
}
