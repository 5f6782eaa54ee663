//! Users, and their email addresses, which compare without regard to ASCII case.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::viewer::Subject;

/// An email address, as it was written.
///
/// Two addresses that differ in nothing but the case of ASCII letters are equal, and one user's:
/// whoever signs up as `Ada@example.com` signs in as `ada@example.com`. No other letters are
/// matched with each other, because a match that is looser than the mail server's hands one
/// person's account to another. Write to the address that a user *has*, never to the one that a
/// visitor typed.
///
/// An address is what a browser's email field accepts
/// ([HTML, valid email address](https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address)),
/// with the limits of [RFC 5321, section 4.5.3.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1).
/// It is ASCII: such a field sends the name of a host in its ASCII form.
///
/// # Example
///
/// ```
/// use clearance::account::Email;
///
/// let email: Email = "Ada@Example.com".parse()?;
/// assert_eq!(email.as_str(), "Ada@Example.com");
/// assert_eq!(email, "ada@example.com".parse()?);
/// assert!("ada".parse::<Email>().unwrap_err().is_invalid());
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Email(String);

impl Email {
    const LONGEST: usize = 254;
    const LONGEST_LOCAL: usize = 64;
    const LONGEST_LABEL: usize = 63;

    /// Returns the address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the canonical form of all equal addresses: in ASCII lower case. It is what to compare, and the
    /// [identifier](super::VerificationRecord::identifier) of what is sent to the address; the address to
    /// write to is [`Email::as_str`].
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    fn is_valid(text: &str) -> bool {
        let Some((local, host)) = text.split_once('@') else {
            return false;
        };
        let in_local =
            |byte: &u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(byte);
        let is_label = |label: &str| {
            (1..=Self::LONGEST_LABEL).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        text.len() <= Self::LONGEST
            && (1..=Self::LONGEST_LOCAL).contains(&local.len())
            && local.as_bytes().iter().all(in_local)
            && host.split('.').all(is_label)
    }
}

impl FromStr for Email {
    type Err = Error;

    /// # Errors
    ///
    /// [`Error::is_invalid`] when the text is not an address.
    fn from_str(text: &str) -> Result<Self> {
        if Self::is_valid(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid())
        }
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Email {}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The email address of a user, and the time since which it is verified.
///
/// Both are set together, so that a new address never takes over that the old one was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEmail {
    /// The address.
    pub address: Email,
    /// The time at which the user proved that they receive mail at the address; `None` if it is unverified.
    pub verified_at: Option<DateTime<Utc>>,
}

impl UserEmail {
    /// Builds an unverified address, which anybody may have typed.
    #[must_use]
    pub const fn unverified(address: Email) -> Self {
        Self {
            address,
            verified_at: None,
        }
    }

    /// Builds a verified address: the user redeemed a token that was sent there, or a provider vouches for
    /// it.
    #[must_use]
    pub const fn verified(address: Email, at: DateTime<Utc>) -> Self {
        Self {
            address,
            verified_at: Some(at),
        }
    }
}

/// A user, with the attributes that signing in needs.
///
/// It has no `Serialize`, and no repository method can return it. What a page shows of users
/// goes through an entity over `clearance_users`, with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id, which is also the subject of the user's sessions.
    pub id: Subject,
    /// The display name of the user.
    pub name: Option<String>,
    /// The address, which no other user has.
    pub email: Option<UserEmail>,
    /// The URL of a picture of the user.
    pub image: Option<String>,
    /// The name of a role. The application defines its roles: parse it with
    /// [`TextEnum::from_name`](crate::TextEnum::from_name), and treat an unknown name as no role.
    pub role: String,
    /// The time at which the user was created, to the microsecond.
    pub created_at: DateTime<Utc>,
}

/// A user to be created.
///
/// It has no role: the database gives a new user the role `viewer`, so that nobody is more because
/// they signed up. A role is changed by a guarded write on an entity over `clearance_users`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// The display name of the user.
    pub name: Option<String>,
    /// The address, which no other user may have.
    pub email: Option<UserEmail>,
    /// The URL of a picture of the user.
    pub image: Option<String>,
}

/// A partial update of a user. A field that is `None` stays as it is; one that is `Some(None)` is cleared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The new display name.
    pub name: Option<Option<String>>,
    /// The new address, which no other user may have, and whether it is verified.
    pub email: Option<Option<UserEmail>>,
    /// The new URL of a picture.
    pub image: Option<Option<String>>,
}
