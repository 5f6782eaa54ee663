//! Where users are kept: the traits, and what they answer.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::linked::{Account, AccountId, ProviderTokens};
use super::user::{Email, NewUser, User, UserChange};
use super::verification::VerificationRecord;
use crate::error::Error;
use crate::session::{Created, SecretHash, SessionId, SessionRecord, Sessions};
use crate::viewer::{Subject, Viewer};

/// Why an adapter did not do what was asked. It is never read as "there is no such user".
///
/// As an [`Error`] it is a conflict, unavailable, invalid or internal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct AdapterError {
    kind: AdapterErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum AdapterErrorKind {
    #[error("the users are unavailable")]
    Outage,
    #[error("the users are busy with another change")]
    Contended,
    #[error("what is to be stored is taken, or belongs to no user")]
    Conflict,
    #[error("what is to be stored cannot be kept")]
    Invalid,
    #[error("a stored user, account or token is malformed")]
    Malformed,
}

impl AdapterError {
    const fn of(kind: AdapterErrorKind) -> Self {
        Self { kind }
    }

    /// Where users are kept cannot be reached, is overloaded, or timed out.
    #[must_use]
    pub const fn outage() -> Self {
        Self::of(AdapterErrorKind::Outage)
    }

    /// Another change was in the way; the same call, made again, is likely to succeed.
    #[must_use]
    pub const fn contended() -> Self {
        Self::of(AdapterErrorKind::Contended)
    }

    /// An address or an account is another user's, or there is no user to link an account to.
    #[must_use]
    pub const fn conflict() -> Self {
        Self::of(AdapterErrorKind::Conflict)
    }

    /// A value is too long to be kept, or holds what cannot be kept.
    #[must_use]
    pub const fn invalid() -> Self {
        Self::of(AdapterErrorKind::Invalid)
    }

    /// What is stored is not what it should be: a token that does not open under the key, for
    /// instance.
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

/// Whose account it is. Exhaustive on purpose: a third outcome should break its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// Nobody had this account; the user was created for it just now.
    First(User),
    /// The user had it already.
    Returning(User),
}

impl SignIn {
    /// The user, first or not.
    #[must_use]
    pub fn into_user(self) -> User {
        match self {
            Self::First(user) | Self::Returning(user) => user,
        }
    }
}

/// Keeps users, their accounts and verification tokens.
///
/// An adapter decides nothing of who may sign in. Four rules hold for every implementation: no two
/// users have an equal [`Email`], an account belongs to one user, a verification token is redeemed
/// once however many try at once, and what belongs to a user goes with it.
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

    /// The user of an id.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_user(&self, id: &Subject) -> Result<Option<User>, AdapterError>;

    /// The user who has an address equal to `email`, verified or not.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_user_by_email(&self, email: &Email) -> Result<Option<User>, AdapterError>;

    /// The user whom an account belongs to.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_user_by_account(&self, account: &AccountId) -> Result<Option<User>, AdapterError>;

    /// Changes a user, and gives them as they are then; `None` when there is no such user.
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
    /// nodes; tells whether they were there. `sessions` is the application's
    /// [`Sessions`](crate::Sessions).
    ///
    /// The sessions end when the user is gone: one that began meanwhile ends with them, and who signs in
    /// afterwards is nobody. They end also where the user was gone before, so a call that failed half-way
    /// is made again.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the user is gone, or that the sessions have ended.
    async fn delete_user(&self, id: &Subject, sessions: &dyn EndsSessions) -> Result<bool, Error> {
        let was_there = self.remove_user(id).await?;
        sessions.end_sessions(id).await?;
        Ok(was_there)
    }

    /// Removes what is kept of a user, with their accounts, and with their sessions where the adapter keeps
    /// these too; tells whether they were there. It is the half of [`delete_user`](Self::delete_user) that
    /// an adapter knows of: call that one.
    ///
    /// Verification tokens stay until they end, because they belong to an identifier, which may be of
    /// somebody who is no user yet.
    ///
    /// # Errors
    ///
    /// When it cannot be told that the user is gone.
    async fn remove_user(&self, id: &Subject) -> Result<bool, AdapterError>;

    /// Gives an account to a user who is there.
    ///
    /// Do so for a user who is signed in and asks for it. That an account has the same address as a
    /// user is no reason to: not every provider verifies addresses, and whoever registers yours at
    /// one that does not would be you.
    ///
    /// # Errors
    ///
    /// [`AdapterError::conflict`] when the account belongs to a user already, this one or another,
    /// or when there is no such user.
    async fn link_account(&self, user: &Subject, account: &Account) -> Result<(), AdapterError>;

    /// Takes an account from its user; tells whether it was theirs. Whether it is their last way to
    /// sign in is for the caller to see.
    ///
    /// # Errors
    ///
    /// When it cannot be told that it is gone.
    async fn unlink_account(
        &self,
        user: &Subject,
        account: &AccountId,
    ) -> Result<bool, AdapterError>;

    /// An account with its tokens, if it is `user`'s.
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

    /// The accounts of a user, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn list_accounts(&self, user: &Subject) -> Result<Vec<AccountId>, AdapterError>;

    /// Replaces all that is kept of what a provider handed out, if the account is `user`'s; tells
    /// whether it was.
    ///
    /// # Errors
    ///
    /// When it cannot be told that it is stored.
    async fn update_tokens(
        &self,
        user: &Subject,
        account: &AccountId,
        tokens: &ProviderTokens,
    ) -> Result<bool, AdapterError>;

    /// The user whom an account belongs to, or else a new one with this account, both or neither.
    /// However many call it at once for one account, one user is created.
    ///
    /// A user who is there is not changed, and neither are the tokens of their account.
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
    ) -> Result<SignIn, AdapterError>;

    /// Keeps a token until it is redeemed, or swept after its end.
    ///
    /// # Errors
    ///
    /// When it cannot be told that it is stored.
    async fn create_verification_token(
        &self,
        token: &VerificationRecord,
    ) -> Result<(), AdapterError>;

    /// Redeems the token of this identifier and hash, if it is there and ends after `now`; tells
    /// whether it was. It is gone with that: of many who redeem it at once, one is told so.
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

    /// Removes the tokens that end at or before `now`; tells how many.
    ///
    /// # Errors
    ///
    /// When it was not carried out.
    async fn sweep_verification_tokens(&self, now: DateTime<Utc>) -> Result<u64, AdapterError>;
}

/// The sessions of users, as far as [`Adapter::delete_user`] asks for them: ends those of a user who is
/// deleted.
///
/// [`Sessions`] does. Implement it where an application has sessions of its own, or several [`Sessions`], and
/// must end those in each.
#[async_trait]
pub trait EndsSessions: Send + Sync {
    /// Ends every session of `subject`, wherever it is known.
    ///
    /// # Errors
    ///
    /// When one of them may live.
    async fn end_sessions(&self, subject: &Subject) -> Result<(), Error>;
}

#[async_trait]
impl<V: Viewer> EndsSessions for Sessions<V> {
    async fn end_sessions(&self, subject: &Subject) -> Result<(), Error> {
        self.revoke_all(subject).await.map(|_ended| ())
    }
}

/// An [`Adapter`] that keeps sessions beside its users, so that one statement gives both.
///
/// [`Sessions`](crate::Sessions) does not ask for it: it works with any
/// [`SessionStore`](crate::session::SessionStore) and any source of viewers. This is for an
/// application that writes its own verification over the same records; it compares
/// [`SessionRecord::secret_hash`] itself.
#[async_trait]
pub trait SessionAdapter: Adapter {
    /// As [`SessionStore::create`](crate::session::SessionStore::create) with
    /// [`SessionLimit::DEFAULT`](crate::session::SessionLimit::DEFAULT).
    ///
    /// # Errors
    ///
    /// When it cannot be told that the session is stored.
    async fn create_session(&self, session: &SessionRecord) -> Result<Created, AdapterError>;

    /// The session of `id` with its user, unless it ended at or before `now` or its subject is no
    /// user.
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn get_session_and_user(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<(SessionRecord, User)>, AdapterError>;

    /// As [`SessionStore::touch`](crate::session::SessionStore::touch).
    ///
    /// # Errors
    ///
    /// When the answer cannot be had.
    async fn update_session(&self, session: &SessionRecord) -> Result<bool, AdapterError>;

    /// As [`SessionStore::delete`](crate::session::SessionStore::delete).
    ///
    /// # Errors
    ///
    /// When it cannot be told that the session is gone.
    async fn delete_session(&self, id: SessionId, user: &Subject) -> Result<bool, AdapterError>;
}
