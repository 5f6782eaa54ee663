//! Transactions of the application: several writes that take effect together or not at all.

use std::fmt;

use super::access::Access;
use super::grant::MayWrite;
use super::writer::Writer;
use crate::driver::{Db, Extent, Savepoint, TransactionEnd, Unit};
use crate::error::{Error, Refusal, Result};

/// A transaction of the database: its writes become visible to others when it is committed, all at
/// once, or never. Made by [`Db::begin`].
///
/// If it is dropped without [`Transaction::commit`], by an early return, a panic or a cancelled caller,
/// it is rolled back.
///
/// Each statement in it is guarded as any other: it checks its rules, and the session. If the session
/// is revoked before the last statement, that statement fails; let the error leave the transaction, and
/// none of it persists.
///
/// A statement that the database refuses, or that is cancelled half-way, ends the work: later ones are
/// refused ([`Error::is_misuse`](crate::Error::is_misuse)), and so is the commit, on every engine
/// alike. Run statements that may fail in a [`Transaction::savepoint`].
///
/// If the engine aborts one of two deadlocked transactions, the error [is
/// retryable](crate::Error::is_retryable): begin again from the start.
///
/// The isolation level is that of the connection: by default read committed on PostgreSQL, repeatable
/// read on MySQL and MariaDB, serializable on SQLite, where one transaction at a time writes. At each
/// level, the session is valid and the rule of a guarded write holds of the row as it is when it is
/// written. On MySQL and MariaDB the *related* rows that a rule reads are locked, too, until the
/// transaction ends. On PostgreSQL they are seen as of the beginning of the statement, at each level:
/// if the statement waits for its row meanwhile, a change of a related row is not seen. If that
/// matters, write the related row first in the same transaction, for instance a version in it: any
/// other transaction that changes it then waits.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'a, P> {
    db: Db,
    unit: Unit,
    access: &'a Access<P>,
}

impl Db {
    /// Begins a transaction on behalf of the holder of `access`.
    ///
    /// A SQLite database in memory has one connection, which the transaction then holds: every other
    /// query waits until it ends.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`](crate::Error::is_unauthenticated) if the session has ended
    /// meanwhile, [`Error::is_misuse`](crate::Error::is_misuse) outside the request of the access and
    /// inside another transaction, [`Error::is_unavailable`](crate::Error::is_unavailable) if the
    /// database does not answer.
    ///
    /// # Example
    ///
    /// Two repositories, one unit of work:
    ///
    /// ```
    /// # use clearance::{Access, Db, Dto, Entity, Result, Viewer, Write, repository};
    /// # #[derive(Clone, Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "accounts", viewer = Member, rows = open, reason = "an example")]
    /// # #[entity(update_if(row.id == viewer.id), create_if(row.id == viewer.id))]
    /// # struct Account { #[entity(key)] id: i64, name: String }
    /// # struct Accounts { db: Db }
    /// # #[repository(viewer = Member)]
    /// # impl Accounts {
    /// #     #[authenticated(access: Write)]
    /// #     pub async fn rename(&self, id: i64, name: &str) -> Result<()> {
    /// #         let update = self.db.writer(&access).update::<Account>(id);
    /// #         update.set(Account::NAME, name).execute().await
    /// #     }
    /// # }
    /// # struct History { db: Db }
    /// # #[repository(viewer = Member)]
    /// # impl History {
    /// #     #[authenticated(access: Write)]
    /// #     pub async fn note(&self, _text: &str) -> Result<()> { let _ = &self.db; Ok(()) }
    /// # }
    /// struct Directory {
    ///     db: Db,
    /// }
    ///
    /// #[repository(viewer = Member)]
    /// impl Directory {
    ///     #[authenticated(access: Write)]
    ///     pub async fn rename(&self, id: i64, name: &str) -> Result<()> {
    ///         let transaction = self.db.begin(&access).await?;
    ///         let accounts = Accounts { db: transaction.db() };
    ///         let history = History { db: transaction.db() };
    ///         accounts.rename(id, name).await?;
    ///         history.note("renamed").await?;
    ///         transaction.commit().await
    ///     }
    /// }
    /// ```
    pub async fn begin<'a, P: MayWrite>(
        &self,
        access: &'a Access<P>,
    ) -> Result<Transaction<'a, P>> {
        access.require_standing().await?;
        let unit = self.begin_unit(Extent::Application).await?;
        let transaction = Transaction {
            db: self.within(unit.clone()),
            unit,
            access,
        };
        if let (Some(request), Some(held)) = (access.request()?, access.held())
            && let Some(token) = request.token_guard(held, self.id())
            && !transaction.db.begins_with_token(token).await?
        {
            return Err(Error::unauthenticated(Refusal::Unknown));
        }
        Ok(transaction)
    }
}

impl<P: MayWrite> Transaction<'_, P> {
    /// Returns a handle whose statements belong to the transaction, for the repositories that take
    /// part. It is unusable once the transaction has ended.
    #[must_use]
    pub fn db(&self) -> Db {
        self.db.clone()
    }

    /// Returns a writer whose reads and writes belong to the transaction.
    #[must_use]
    pub const fn writer(&self) -> Writer<'_, P> {
        Writer::new(&self.db, self.access)
    }

    /// Runs `work` in a savepoint, so that it may fail without the rest: if it returns an error, its
    /// writes are rolled back, and the transaction continues.
    ///
    /// # Errors
    ///
    /// The error of `work`. [`Error::is_misuse`](crate::Error::is_misuse) if a statement in it failed
    /// and `work` did not return the error, and if two savepoints are open side by side.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Access, Db, Entity, Result, Viewer, Write};
    /// # #[derive(Clone, Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "tags", viewer = Member, rows = open, reason = "an example")]
    /// # #[entity(create_if(viewer.id > 0))]
    /// # struct Tag { #[entity(key)] id: i64 }
    /// # async fn tag(db: &Db, access: &Access<Write<Member>>) -> Result<()> {
    /// let transaction = db.begin(access).await?;
    /// let added = transaction.savepoint(transaction.writer().insert(Tag { id: 7 })).await;
    /// match added {
    ///     // It is there already.
    ///     Err(error) if error.is_conflict() => {}
    ///     other => other?,
    /// }
    /// transaction.commit().await
    /// # }
    /// ```
    pub async fn savepoint<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let savepoint = Savepoint::begin(&self.unit).await?;
        match work.await {
            Ok(done) => {
                savepoint.release().await?;
                Ok(done)
            }
            Err(error) => {
                // If that fails too, the connection is gone, and the transaction with it.
                let _ = savepoint.roll_back().await;
                Err(error)
            }
        }
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`](crate::Error::is_unauthenticated) if the session of a write in it
    /// has ended meanwhile; [`Error::is_misuse`](crate::Error::is_misuse) if a statement in it failed.
    /// In either case nothing was written. [`Error::is_conflict`](crate::Error::is_conflict) and
    /// [`Error::is_retryable`](crate::Error::is_retryable) if the database refuses;
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) if it does not answer, and then it is
    /// unknown whether the commit took effect.
    pub async fn commit(self) -> Result<()> {
        // If that fails, the transaction is rolled back as it is dropped.
        self.db.require_sessions().await?;
        self.unit.end(TransactionEnd::Commit).await
    }

    /// Rolls back the transaction.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) if the database does not answer, which
    /// rolls it back as well.
    pub async fn rollback(self) -> Result<()> {
        self.unit.end(TransactionEnd::Rollback).await
    }
}

impl<P> Drop for Transaction<'_, P> {
    fn drop(&mut self) {
        self.unit.abandon();
    }
}

impl<P> fmt::Debug for Transaction<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
