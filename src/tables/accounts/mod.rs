//! The SQL account adapter: users, their accounts and verification tokens, in tables of the application's
//! database.

mod linked;
mod sessions;
mod users;
mod verification;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _};

use crate::account::{
    Account, AccountId, AccountOwner, Adapter, AdapterError, Email, NewUser, ProviderTokens,
    TokenSealer, User, UserChange, VerificationRecord,
};
use crate::driver::{Db, Extent, Row, TransactionEnd, Unit};
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};
use crate::session::SecretHash;
use crate::token::KeyRing;
use crate::viewer::Subject;

type AdapterResult<T> = Result<T, AdapterError>;

/// An [`Adapter`] that keeps users in the tables that [`Db::migrate_accounts`] creates.
///
/// Access tokens, refresh tokens and ID tokens are encrypted with AES-256-GCM and bound to their place: a
/// ciphertext that is copied to another account or column does not decrypt. Its statements are part of no
/// transaction of the application's.
#[derive(Clone)]
pub struct SqlAdapter {
    db: Db,
    sealer: Arc<TokenSealer>,
}

impl SqlAdapter {
    /// Creates an adapter over `db`. Provider tokens are encrypted under a key that is derived from the one
    /// in `keys`, a [`Key`](crate::Key) or a [`KeyRing`]. It may be that of [`Sessions`](crate::Sessions):
    /// what is sealed for one purpose does not open for another.
    ///
    /// Key rotation: tokens under a retired key open as long as that is in the ring.
    /// [`link_account`](Adapter::link_account) and [`update_tokens`](Adapter::update_tokens) write under
    /// the new key, so an old one can be removed once they have written every account since.
    ///
    /// # Errors
    ///
    /// If a key cannot be derived.
    pub fn new(db: &Db, keys: impl Into<KeyRing>) -> Result<Self> {
        Ok(Self {
            db: db.without_unit(),
            sealer: Arc::new(TokenSealer::new(&keys.into())?),
        })
    }

    /// Begins a transaction for several statements, which run through the returned handle.
    async fn begin(&self) -> AdapterResult<(Unit, Db)> {
        let unit = self.db.begin_unit(Extent::Call).await.map_err(failed)?;
        let db = self.db.within(unit.clone());
        Ok((unit, db))
    }

    async fn first_sign_in(
        &self,
        account: &Account,
        new: &NewUser,
        now: DateTime<Utc>,
    ) -> AdapterResult<User> {
        let (unit, db) = self.begin().await?;
        let outcome = async {
            let user = users::create(&db, new, now).await?;
            linked::link(&db, &self.sealer, &user.id, account).await?;
            Ok(user)
        };
        let outcome = outcome.await;
        end(&unit, outcome).await
    }
}

impl fmt::Debug for SqlAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlAdapter").finish_non_exhaustive()
    }
}

/// Commits if `outcome` is `Ok`, and rolls back otherwise.
async fn end<T>(unit: &Unit, outcome: AdapterResult<T>) -> AdapterResult<T> {
    match outcome {
        Ok(done) => {
            unit.end(TransactionEnd::Commit).await.map_err(failed)?;
            Ok(done)
        }
        Err(error) => {
            // If that fails too, the connection is gone, and the transaction with it.
            let _ = unit.end(TransactionEnd::Rollback).await;
            Err(error)
        }
    }
}

/// Converts an error of these statements.
fn failed(error: Error) -> AdapterError {
    if error.is_retryable() {
        AdapterError::contended()
    } else if error.is_unavailable() {
        AdapterError::outage()
    } else if error.is_conflict() {
        AdapterError::conflict()
    } else if error.is_invalid() {
        AdapterError::invalid()
    } else {
        AdapterError::malformed()
    }
}

const fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// Builds the condition that a column has exactly the bytes of `text`, and not only a text that the
/// engine's collation considers equal.
fn exactly(db: &Db, column: (&'static str, &'static str), text: &str) -> Expr {
    let dialect = db.dialect();
    let exact = dialect.bytewise(Expr::col(column)).eq(text);
    dialect.narrowed(Expr::col(column).eq(text), exact)
}

/// Reads a column of text that may be null.
fn text(row: &Row, index: usize) -> AdapterResult<Option<String>> {
    match row.cell(index, Kind::Text) {
        Ok(Cell::Text(text)) => Ok(Some(text.to_owned())),
        Ok(Cell::Null) => Ok(None),
        _ => Err(AdapterError::malformed()),
    }
}

/// Reads a column of an instant that may be null.
fn instant(row: &Row, index: usize) -> AdapterResult<Option<DateTime<Utc>>> {
    match row.cell(index, Kind::Int) {
        Ok(Cell::Int(micros)) => DateTime::from_timestamp_micros(micros)
            .map(Some)
            .ok_or(AdapterError::malformed()),
        Ok(Cell::Null) => Ok(None),
        _ => Err(AdapterError::malformed()),
    }
}

#[async_trait]
impl Adapter for SqlAdapter {
    async fn create_user(&self, user: &NewUser, now: DateTime<Utc>) -> AdapterResult<User> {
        users::create(&self.db, user, now).await
    }

    async fn get_user(&self, id: &Subject) -> AdapterResult<Option<User>> {
        users::get(&self.db, id).await
    }

    async fn get_user_by_email(&self, email: &Email) -> AdapterResult<Option<User>> {
        users::get_by_email(&self.db, email).await
    }

    async fn get_user_by_account(&self, account: &AccountId) -> AdapterResult<Option<User>> {
        users::get_by_account(&self.db, account).await
    }

    async fn update_user(&self, id: &Subject, change: &UserChange) -> AdapterResult<Option<User>> {
        users::update(&self.db, id, change).await
    }

    async fn remove_user(&self, id: &Subject) -> AdapterResult<bool> {
        let (unit, db) = self.begin().await?;
        let outcome = async {
            let was_there = users::delete(&db, id).await?;
            sessions::delete_all(&db, id).await?;
            Ok(was_there)
        };
        let outcome = outcome.await;
        end(&unit, outcome).await
    }

    async fn link_account(&self, user: &Subject, account: &Account) -> AdapterResult<()> {
        linked::link(&self.db, &self.sealer, user, account).await
    }

    async fn unlink_account(&self, user: &Subject, account: &AccountId) -> AdapterResult<bool> {
        linked::unlink(&self.db, user, account).await
    }

    async fn get_account(
        &self,
        user: &Subject,
        account: &AccountId,
    ) -> AdapterResult<Option<Account>> {
        linked::get(&self.db, &self.sealer, user, account).await
    }

    async fn list_accounts(&self, user: &Subject) -> AdapterResult<Vec<AccountId>> {
        linked::list(&self.db, user).await
    }

    async fn update_tokens(
        &self,
        user: &Subject,
        account: &AccountId,
        tokens: &ProviderTokens,
    ) -> AdapterResult<bool> {
        linked::update_tokens(&self.db, &self.sealer, user, account, tokens).await
    }

    async fn find_or_create_user_by_account(
        &self,
        account: &Account,
        user: &NewUser,
        now: DateTime<Utc>,
    ) -> AdapterResult<AccountOwner> {
        if let Some(user) = self.get_user_by_account(&account.id).await? {
            return Ok(AccountOwner::Returning(user));
        }
        match self.first_sign_in(account, user, now).await {
            Ok(user) => Ok(AccountOwner::First(user)),
            Err(error) if error == AdapterError::conflict() => {
                // A concurrent sign-in came first, with this account or with this address.
                let user = self.get_user_by_account(&account.id).await?;
                user.map(AccountOwner::Returning).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn create_verification_token(&self, token: &VerificationRecord) -> AdapterResult<()> {
        verification::create(&self.db, token).await
    }

    async fn use_verification_token(
        &self,
        identifier: &str,
        token_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> AdapterResult<bool> {
        verification::redeem(&self.db, identifier, token_hash, now).await
    }

    async fn sweep_verification_tokens(&self, now: DateTime<Utc>) -> AdapterResult<u64> {
        verification::sweep(&self.db, now).await
    }
}
