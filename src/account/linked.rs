//! Accounts at identity providers.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::entity::Secret;
use crate::error::{Error, Result};

/// What tells an account from all others: the provider, and the id that the provider gives it, as
/// `sub` of an ID token is
/// ([OpenID Connect Core, section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
///
/// Both are compared byte by byte.
///
/// # Example
///
/// ```
/// use clearance::account::AccountId;
///
/// let id = AccountId::new("github", "583231")?;
/// assert_eq!(id.provider(), "github");
/// assert_eq!(id.provider_account_id(), "583231");
/// assert!(AccountId::new("github", "").unwrap_err().is_invalid());
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId {
    provider: String,
    provider_account_id: String,
}

impl AccountId {
    /// The most bytes of either part; a `sub` has no more.
    const LONGEST: usize = 255;

    /// The account that `provider`, in the application's own word for it, calls
    /// `provider_account_id`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] when either part is empty, longer than 255 bytes or has control
    /// characters in it.
    pub fn new(
        provider: impl Into<String>,
        provider_account_id: impl Into<String>,
    ) -> Result<Self> {
        let id = Self {
            provider: provider.into(),
            provider_account_id: provider_account_id.into(),
        };
        let fits = |part: &str| {
            (1..=Self::LONGEST).contains(&part.len()) && !part.contains(char::is_control)
        };
        if fits(&id.provider) && fits(&id.provider_account_id) {
            Ok(id)
        } else {
            Err(Error::invalid())
        }
    }

    /// The provider, in the application's own word.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// What the provider calls the account.
    #[must_use]
    pub fn provider_account_id(&self) -> &str {
        &self.provider_account_id
    }
}

/// How an account proves who its user is. Exhaustive on purpose: a store has to keep every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// OAuth 2.0, with the provider's own endpoint for who it is.
    OAuth,
    /// OpenID Connect.
    Oidc,
    /// A link or code that is sent to an email address.
    Email,
    /// A passkey.
    WebAuthn,
}

impl AccountKind {
    const ALL: [Self; 4] = [Self::OAuth, Self::Oidc, Self::Email, Self::WebAuthn];

    /// The word that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Oidc => "oidc",
            Self::Email => "email",
            Self::WebAuthn => "webauthn",
        }
    }

    /// The kind of a stored word, compared byte by byte.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a provider handed out for an account.
///
/// The three tokens are secrets: they have no `Serialize`, they are not printed, and
/// [`SqlAdapter`](super::SqlAdapter) stores them encrypted. Ask a provider for no more of them than
/// the application uses.
///
/// Exhaustive on purpose: a store has to keep every field.
#[derive(Debug, Default)]
pub struct ProviderTokens {
    /// What the provider's API takes.
    pub access_token: Option<Secret<String>>,
    /// What a new access token is had for.
    pub refresh_token: Option<Secret<String>>,
    /// What says who the user is.
    pub id_token: Option<Secret<String>>,
    /// When the access token ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// How the access token is presented, usually `bearer`.
    pub token_type: Option<String>,
    /// What the access token allows, words with spaces between them.
    pub scope: Option<String>,
    /// The provider's own session, as
    /// [OpenID Connect Session Management](https://openid.net/specs/openid-connect-session-1_0.html)
    /// compares it.
    pub session_state: Option<String>,
}

/// An account at an identity provider, by which a user signs in.
pub struct Account {
    /// Which account.
    pub id: AccountId,
    /// How it proves who its user is.
    pub kind: AccountKind,
    /// What the provider handed out.
    pub tokens: ProviderTokens,
}

impl Account {
    /// An account of which no token is kept, which is all that signing in needs.
    #[must_use]
    pub fn new(id: AccountId, kind: AccountKind) -> Self {
        Self {
            id,
            kind,
            tokens: ProviderTokens::default(),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
