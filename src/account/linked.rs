//! Accounts at identity providers: their ids, kinds and tokens.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::entity::Secret;
use crate::error::{Error, Result};

/// The unique key of an account: the provider, and the id that the provider gives it, as `sub` of an ID token
/// is ([OpenID Connect Core, section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
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
    /// The maximum number of bytes of either part; a `sub` has no more.
    const LONGEST: usize = 255;

    /// Builds the id of the account that `provider`, under the application's own name for it, calls
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

    /// Returns the application's name for the provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Returns the provider's id for the account.
    #[must_use]
    pub fn provider_account_id(&self) -> &str {
        &self.provider_account_id
    }
}

/// The way in which an account authenticates its user. Exhaustive on purpose: a store has to keep every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// OAuth 2.0, with a user-info endpoint of the provider's own.
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

    /// Returns the name under which the kind is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Oidc => "oidc",
            Self::Email => "email",
            Self::WebAuthn => "webauthn",
        }
    }

    /// Returns the kind with this stored name, compared byte by byte.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The tokens and attributes that a provider issued for an account.
///
/// The three tokens are secrets: they have no `Serialize`, they are not printed, and
/// [`SqlAdapter`](super::SqlAdapter) stores them encrypted. Ask a provider for no more of them than
/// the application uses.
///
/// Exhaustive on purpose: a store has to keep every field.
#[derive(Debug, Default)]
pub struct ProviderTokens {
    /// The access token, for calls to the provider's API.
    pub access_token: Option<Secret<String>>,
    /// The refresh token, exchanged for a new access token.
    pub refresh_token: Option<Secret<String>>,
    /// The ID token, which identifies the user.
    pub id_token: Option<Secret<String>>,
    /// The time at which the access token expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// The type of the access token, usually `bearer`.
    pub token_type: Option<String>,
    /// The scope of the access token: words separated by spaces.
    pub scope: Option<String>,
    /// The provider's own session, as
    /// [OpenID Connect Session Management](https://openid.net/specs/openid-connect-session-1_0.html)
    /// compares it.
    pub session_state: Option<String>,
}

/// An account at an identity provider, by which a user signs in.
pub struct Account {
    /// The provider and the provider's id for the account.
    pub id: AccountId,
    /// The way in which the account authenticates its user.
    pub kind: AccountKind,
    /// The tokens that the provider issued.
    pub tokens: ProviderTokens,
}

impl Account {
    /// Builds an account without tokens, which is all that signing in needs.
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
