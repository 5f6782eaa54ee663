//! The adapter traits that store users, accounts, sessions and verification tokens, and their results.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::linked::{Account, AccountId, ProviderTokens};
use super::user::{Email, NewUser, User, UserChange};
use super::verification::VerificationRecord;
use crate::error::Error;
use crate::session::{Created, SecretHash, SessionId, SessionRecord, Sessions};
use crate::viewer::{Subject, Viewer};

/// A failure of an adapter to carry out a call. It is never read as "there is no such user".
///
/// As an [`Error`] it is a conflict, unavailable, invalid or internal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct AdapterError {
    kind: AdapterErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum AdapterErrorKind {
    #[error("the store of users is unavailable")]
    Outage,
    #[error("the store of users is busy with another change")]
    Contended,
    #[error("the value to store is already taken, or its user does not exist")]
    Conflict,
    #[error("the value is too long or cannot be stored")]
    Invalid,
    #[error("a stored user, account or token is malformed")]
    Malformed,
}

impl AdapterError {
    const fn of(kind: AdapterErrorKind) -> Self {
        Self { kind }
    }

    /// Builds the error for a store of users that cannot be reached, is overloaded, or timed out.
    #[must_use]
    pub const fn outage() -> Self {
        Self::of(AdapterErrorKind::Outage)
    }

    /// Builds the error for a call that lost against a concurrent change; the same call, made again, is
    /// likely to succeed.
    #[must_use]
    pub const fn contended() -> Self {
        Self::of(AdapterErrorKind::Contended)
    }

    /// Builds the error for an address or account that another user has, or for a missing user to link an
    /// account to.
    #[must_use]
    pub const fn conflict() -> Self {
        Self::of(AdapterErrorKind::Conflict)
    }

    /// Builds the error for a value that is too long or has contents that cannot be stored.
    #[must_use]
    pub const fn invalid() -> Self {
        Self::of(AdapterErrorKind::Invalid)
    }

    /// Builds the error for stored data that is malformed, for instance a token that does not open under the
    /// key.
    #[must_use]
    pub const fn malformed() -> Self {
        Self::of(AdapterErrorKind::Malformed)
    }
}

impl From<AdapterError> for Error {
    fn from(error: AdapterError) -> Self {
        match error.kind {
            AdapterErrorKind::Outage => Self::unavailable("the store of users"),
            AdapterErrorKind::Contended => Self::contended(),
            AdapterErrorKind::Conflict => Self::conflict(),
            AdapterErrorKind::Invalid => Self::invalid(),
            AdapterErrorKind::Malformed => {
                Self::internal("a stored user, account or token is malformed")
            }
        }
    }
}

/// The user that an account belongs to, and whether it was created for this sign-in. Exhaustive on purpose: a
/// third outcome should break its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountOwner {
    /// The account was unknown; a new user was created for it.
    First(User),
    /// The account already belonged to this user.
    Returning(User),
}

impl AccountOwner {
    /// Returns the user in either case.
    #[must_use]
    pub fn into_user(self) -> User {
        match self {
            Self::First(user) | Self::Returning(user) => user,
        }
    }
}

/// A store of users, their accounts and verification tokens.
///
/// An adapter does not decide who may sign in. Four rules hold for every implementation: no two users have an
/// equal [`Email`], an account belongs to one user, a verification token is redeemed once however many
/// concurrent calls try, and deleting a user deletes what belongs to them.
/// `clearance::testing::check_adapter` (feature `testing`) checks all of it.
///
/// `now` is the caller's, so that a test sets it.
///
/// # Example
///
/// An address that was typed, and is then shown to be the user's:
///
/// ```
/// use chrono::TimeDelta;
/// use clearance::account::{
///     Adapter, Email, NewUser, SqlAdapter, UserChange, UserEmail, VerificationRecord,
///     VerificationToken,
/// };
/// # use clearance::{Clock, Db, Key, SystemClock};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> clearance::Result<()> {
/// # let db = Db::connect("sqlite::memory:").await?;
/// # db.migrate_accounts().await?;
/// # let adapter = SqlAdapter::new(&db, Key::generate()?)?;
/// # let now = SystemClock.now();
/// let email: Email = "Ada@example.com".parse()?;
/// let new = NewUser { email: Some(UserEmail::unverified(email.clone())), ..NewUser::default() };
/// let user = adapter.create_user(&new, now).await?;
///
/// let token = VerificationToken::generate()?;
/// let identifier = format!("verify-email:{}", email.key());
/// let record = VerificationRecord {
///     identifier: identifier.clone(),
///     token_hash: token.hash(),
///     expires_at: now + TimeDelta::hours(1),
/// };
/// adapter.create_verification_token(&record).await?;
/// let link = format!("https://app.example/verify?token={}", token.expose_text());
///
/// // The link is followed.
/// let token = VerificationToken::from_text(link.rsplit('=').next().unwrap_or_default());
/// if adapter.use_verification_token(&identifier, token.hash(), now).await? {
///     let email = Some(Some(UserEmail::verified(email, now)));
///     adapter.update_user(&user.id, &UserChange { email, ..UserChange::default() }).await?;
/// }
/// assert!(!adapter.use_verification_token(&identifier, token.hash(), now).await?);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Adapter: Send + Sync + 'static {
    /// Creates a user, with a new id and the role `viewer`.
    ///
    /// # Errors
    ///
    /// [`AdapterError::conflict`] when another user has the address.
    async fn create_user(&self, user: &NewUser, now: DateTime<Utc>) -> Result<User, AdapterError>;

    /// Returns the user with this id.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_user(&self, id: &Subject) -> Result<Option<User>, AdapterError>;

    /// Returns the user whose address equals `email`, verified or not.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_user_by_email(&self, email: &Email) -> Result<Option<User>, AdapterError>;

    /// Returns the user that an account belongs to.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_user_by_account(&self, account: &AccountId) -> Result<Option<User>, AdapterError>;

    /// Updates a user and returns their new state; `None` when there is no such user.
    ///
    /// Call [`Sessions::viewer_changed`](crate::Sessions::viewer_changed) beside it, or requests see
    /// the viewer as it was until the bound has passed.
    ///
    /// # Errors
    ///
    /// [`AdapterError::conflict`] when another user has the address.
    async fn update_user(
        &self,
        id: &Subject,
        change: &UserChange,
    ) -> Result<Option<User>, AdapterError>;

    /// Deletes a user with their accounts, and ends their sessions, in any store, in the cache, and on other
    /// nodes; returns whether the user existed. `sessions` is the application's
    /// [`Sessions`](crate::Sessions).
    ///
    /// The sessions end after the user is deleted: one that began meanwhile ends with them, and a later
    /// sign-in finds no user. They end also where the user was already gone, so a call that failed half-way
    /// can be repeated.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the user is gone, or that the sessions have ended.
    async fn delete_user(&self, id: &Subject, sessions: &dyn EndsSessions) -> Result<bool, Error> {
        let was_there = self.remove_user(id).await?;
        sessions.end_sessions(id).await?;
        Ok(was_there)
    }

    /// Deletes a user's row and accounts, and their sessions where the adapter keeps these too; returns
    /// whether the user existed. It is the adapter's half of [`delete_user`](Self::delete_user): call that
    /// one.
    ///
    /// Verification tokens stay until they end, because they belong to an identifier, which may be of
    /// somebody who is no user yet.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the user is gone.
    async fn remove_user(&self, id: &Subject) -> Result<bool, AdapterError>;

    /// Links an account to an existing user.
    ///
    /// Link only for a user who is signed in and asks for it. An equal email address is no reason to link:
    /// not every provider verifies addresses, and an attacker who registers yours at one that does not would
    /// become you.
    ///
    /// # Errors
    ///
    /// [`AdapterError::conflict`] when the account belongs to a user already, this one or another,
    /// or when there is no such user.
    async fn link_account(&self, user: &Subject, account: &Account) -> Result<(), AdapterError>;

    /// Unlinks an account from its user; returns whether it was theirs. The caller checks whether it is their
    /// last way to sign in.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the account is gone.
    async fn unlink_account(
        &self,
        user: &Subject,
        account: &AccountId,
    ) -> Result<bool, AdapterError>;

    /// Returns an account with its tokens, if it belongs to `user`.
    ///
    /// # Errors
    ///
    /// [`AdapterError::malformed`] when a token does not open: it was altered, moved from another
    /// account, or stored under another key.
    async fn get_account(
        &self,
        user: &Subject,
        account: &AccountId,
    ) -> Result<Option<Account>, AdapterError>;

    /// Lists the accounts of a user, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn list_accounts(&self, user: &Subject) -> Result<Vec<AccountId>, AdapterError>;

    /// Replaces all stored tokens and attributes of an account, if it belongs to `user`; returns whether it
    /// does.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the tokens are stored.
    async fn update_tokens(
        &self,
        user: &Subject,
        account: &AccountId,
        tokens: &ProviderTokens,
    ) -> Result<bool, AdapterError>;

    /// Returns the user that an account belongs to, or creates a user with this account, both or neither.
    /// Concurrent calls for one account create one user.
    ///
    /// An existing user is not changed, and neither are the tokens of their account.
    ///
    /// # Errors
    ///
    /// [`AdapterError::conflict`] when the account is nobody's and the address another user's: have
    /// them sign in as they did before, and then link the account. [`AdapterError::contended`] where
    /// the database gave way to another change; nothing was written.
    async fn find_or_create_user_by_account(
        &self,
        account: &Account,
        user: &NewUser,
        now: DateTime<Utc>,
    ) -> Result<AccountOwner, AdapterError>;

    /// Stores a token until it is redeemed, or swept after it expires.
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the token is stored.
    async fn create_verification_token(
        &self,
        token: &VerificationRecord,
    ) -> Result<(), AdapterError>;

    /// Redeems the token with this identifier and hash, if it exists and ends after `now`; returns whether it
    /// did. Redeeming deletes it: of concurrent calls, one returns `true`.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn use_verification_token(
        &self,
        identifier: &str,
        token_hash: SecretHash,
        now: DateTime<Utc>,
    ) -> Result<bool, AdapterError>;

    /// Deletes the tokens that end at or before `now`; returns how many.
    ///
    /// # Errors
    ///
    /// When the sweep was not carried out.
    async fn sweep_verification_tokens(&self, now: DateTime<Utc>) -> Result<u64, AdapterError>;
}

/// The part of session management that [`Adapter::delete_user`] needs: ending the sessions of a deleted user.
///
/// [`Sessions`] implements it. Implement it where an application has sessions of its own, or several
/// [`Sessions`], and must end a user's sessions in each.
#[async_trait]
pub trait EndsSessions: Send + Sync {
    /// Ends every session of `subject` in every store and cache that may have it.
    ///
    /// # Errors
    ///
    /// When one of them may still be valid.
    async fn end_sessions(&self, subject: &Subject) -> Result<(), Error>;
}

#[async_trait]
impl<V: Viewer> EndsSessions for Sessions<V> {
    async fn end_sessions(&self, subject: &Subject) -> Result<(), Error> {
        self.revoke_all(subject).await.map(|_ended| ())
    }
}

/// An [`Adapter`] that stores sessions beside its users, so that one statement (a join) returns both.
///
/// [`Sessions`](crate::Sessions) does not ask for it: it works with any
/// [`SessionStore`](crate::session::SessionStore) and any source of viewers. This is for an
/// application that writes its own verification over the same records; it compares
/// [`SessionRecord::secret_hash`] itself.
#[async_trait]
pub trait SessionAdapter: Adapter {
    /// Creates a session, as [`SessionStore::create`](crate::session::SessionStore::create) with
    /// [`SessionLimit::DEFAULT`](crate::session::SessionLimit::DEFAULT).
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the session is stored.
    async fn create_session(&self, session: &SessionRecord) -> Result<Created, AdapterError>;

    /// Returns the session with this `id` and its user, unless it ended at or before `now` or its subject is
    /// no user.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_session_and_user(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<(SessionRecord, User)>, AdapterError>;

    /// Updates when a session was last used, as [`SessionStore::touch`](crate::session::SessionStore::touch).
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn update_session(&self, session: &SessionRecord) -> Result<bool, AdapterError>;

    /// Deletes a session, as [`SessionStore::delete`](crate::session::SessionStore::delete).
    ///
    /// # Errors
    ///
    /// When the call cannot confirm that the session is gone.
    async fn delete_session(&self, id: SessionId, user: &Subject) -> Result<bool, AdapterError>;
}
