//! The claims of a token.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::key::fill_random;
use crate::error::{Error, Result};
use crate::viewer::Subject;

/// The claims that the library itself reads or writes.
const REGISTERED: [&str; 8] = ["sub", "aud", "iat", "exp", "nbf", "jti", "auth_time", "acr"];
const MOST_CLAIMS: usize = 16;
const LONGEST_NAME: usize = 64;
/// The maximum length of a `sub`, `jti` or `acr`, in bytes.
const LONGEST_TEXT: usize = 256;
/// The greatest integer that a program with floating-point numbers reads exactly ([RFC 7493, section
/// 2.2](https://www.rfc-editor.org/rfc/rfc7493#section-2.2)).
const GREATEST: i64 = (1 << 53) - 1;
const ID_BYTES: usize = 16;

/// The claims of a token: its subject, its validity, and a few values of the application's own.
///
/// Anybody who holds a token can read it, unless it is encrypted, and it stays valid until it expires. Keep
/// ids and roles in it, and load the rest. A [`Secret`](crate::Secret) does not fit in.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use clearance::token::Claims;
/// use clearance::{Clock, Subject, SystemClock};
///
/// let now = SystemClock.now();
/// let claims = Claims::new(Subject::new("ada"), now, Duration::from_secs(60))?
///     .with_claim("role", "editor")?
///     .with_claim("teams", ["research", "press"])?;
/// assert_eq!(claims.subject().as_str(), "ada");
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    pub(super) subject: Subject,
    pub(super) id: String,
    /// The instants, in seconds since 1970, as a token has them.
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    pub(super) not_before: Option<i64>,
    pub(super) authenticated_at: Option<i64>,
    pub(super) acr: Option<String>,
    pub(super) values: Vec<(String, ClaimValue)>,
}

impl Claims {
    /// Builds claims with a new random id of 128 bits, about `subject`, from `now` until `lifetime` has
    /// passed. Instants are cut to whole seconds.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when the lifetime is shorter than a second or ends after the year 9999.
    /// Any error when the operating system provides no randomness.
    pub fn new(subject: Subject, now: DateTime<Utc>, lifetime: Duration) -> Result<Self> {
        let mut id = [0; ID_BYTES];
        fill_random(&mut id)?;
        let issued_at = now.timestamp();
        let expires_at = i64::try_from(lifetime.as_secs())
            .ok()
            .and_then(|lifetime| issued_at.checked_add(lifetime))
            .ok_or_else(bad_instants)?;
        let claims = Self {
            subject,
            id: URL_SAFE_NO_PAD.encode(id),
            issued_at,
            expires_at,
            not_before: None,
            authenticated_at: None,
            acr: None,
            values: Vec::new(),
        };
        claims.check()?;
        Ok(claims)
    }

    /// Replaces the id by one of the caller's own.
    pub(crate) fn with_id(mut self, id: String) -> Self {
        self.id = id;
        self
    }

    /// Sets another end, for a token that is re-issued before the old one expires.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: DateTime<Utc>) -> Self {
        self.expires_at = expires_at.timestamp();
        self
    }

    /// Sets another time of issue.
    #[must_use]
    pub fn with_issued_at(mut self, issued_at: DateTime<Utc>) -> Self {
        self.issued_at = issued_at.timestamp();
        self
    }

    /// Sets the instant before which the token is not valid.
    #[must_use]
    pub fn with_not_before(mut self, not_before: DateTime<Utc>) -> Self {
        self.not_before = Some(not_before.timestamp());
        self
    }

    /// Sets the instant at which the subject authenticated ([OpenID Connect Core, section
    /// 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
    #[must_use]
    pub fn with_authenticated_at(mut self, authenticated_at: DateTime<Utc>) -> Self {
        self.authenticated_at = Some(authenticated_at.timestamp());
        self
    }

    /// Sets a word for the strength of that authentication (`acr`).
    #[must_use]
    pub fn with_acr(mut self, acr: impl Into<String>) -> Self {
        self.acr = Some(acr.into());
        self
    }

    /// Adds one claim of the application's own. A claim with the same name is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] for the 17th claim; for a name that the library reserves, is empty, longer than
    /// 64 bytes or has a control character; for an integer beyond ±(2⁵³ − 1), which other programs would
    /// round; and for an `iss` that is not text.
    pub fn with_claim(
        mut self,
        name: impl Into<String>,
        value: impl Into<ClaimValue>,
    ) -> Result<Self> {
        let (name, value) = (name.into(), value.into());
        if Self::is_registered(&name) || !fits(&name, &value) {
            return Err(Error::misuse(
                "a token's claim has a name of up to 64 bytes that the library does not use itself, and an integer is at most 2^53 - 1: write a greater one as text",
            ));
        }
        if let Some((_, known)) = self.values.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if self.values.len() < MOST_CLAIMS {
            self.values.push((name, value));
        } else {
            return Err(Error::misuse(
                "a token has at most 16 claims of the application's own: keep an id in it and load the rest",
            ));
        }
        Ok(self)
    }

    /// Returns the subject of the token: `sub`.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the token's own id, by which it can be revoked: `jti`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns when the token was issued: `iat`.
    #[must_use]
    pub fn issued_at(&self) -> DateTime<Utc> {
        instant(self.issued_at)
    }

    /// Returns the first instant at which the token is no longer valid: `exp`.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        instant(self.expires_at)
    }

    /// Returns the first instant at which the token is valid: `nbf`.
    #[must_use]
    pub fn not_before(&self) -> Option<DateTime<Utc>> {
        self.not_before.map(instant)
    }

    /// Returns when the subject authenticated: `auth_time`.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.authenticated_at.map(instant)
    }

    /// Returns the word for the strength of that authentication: `acr`.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// Returns a claim of the application's own.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&ClaimValue> {
        self.values
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Iterates over all claims of the application's own, in the token's order.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &ClaimValue)> {
        self.values.iter().map(|(name, value)| (&**name, value))
    }

    /// Returns whether a token may have these claims, at whatever time it is read.
    pub(super) fn is_sound(&self) -> bool {
        let range = 0..=253_402_300_799; // To the end of the year 9999.
        let instants = [Some(self.issued_at), self.not_before, self.authenticated_at];
        let texts = [
            Some(self.subject.as_str()),
            Some(&*self.id),
            self.acr.as_deref(),
        ];
        range.contains(&self.expires_at)
            && self.issued_at < self.expires_at
            && instants
                .iter()
                .flatten()
                .all(|instant| range.contains(instant))
            && texts
                .iter()
                .flatten()
                .all(|text| (1..=LONGEST_TEXT).contains(&text.len()))
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.is_sound() {
            Ok(())
        } else {
            Err(bad_instants())
        }
    }

    /// Returns whether the library itself reads or writes this claim.
    pub(crate) fn is_registered(name: &str) -> bool {
        REGISTERED.contains(&name)
    }

    /// Adds a claim that was read, and is none of the registered ones; returns `false` if it is not allowed.
    pub(crate) fn admit(
        values: &mut Vec<(String, ClaimValue)>,
        name: &str,
        value: ClaimValue,
    ) -> bool {
        let good = values.len() < MOST_CLAIMS
            && fits(name, &value)
            && values.iter().all(|(known, _)| known != name);
        if good {
            values.push((name.to_owned(), value));
        }
        good
    }
}

/// Converts seconds to an instant. Every instant in [`Claims`] came from a `DateTime` or is before the year
/// 10000, so there is one.
fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

fn bad_instants() -> Error {
    Error::misuse(
        "a token must expire at least a second after it is issued and before the year 10000, and its subject, id and `acr` must have 1 to 256 bytes",
    )
}

fn fits(name: &str, value: &ClaimValue) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && !name.chars().any(char::is_control)
        && match value {
            ClaimValue::Integer(value) => (-GREATEST..=GREATEST).contains(value) && name != "iss",
            ClaimValue::Text(_) => true,
            ClaimValue::Bool(_) | ClaimValue::TextList(_) => name != "iss",
        }
}

impl fmt::Debug for Claims {
    /// Formats the names without the values, which may be personal data that a log should not hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.values.iter().map(|(name, _)| name).collect();
        f.debug_struct("Claims")
            .field("id", &self.id)
            .field("issued_at", &self.issued_at())
            .field("expires_at", &self.expires_at())
            .field("claims", &names)
            .finish_non_exhaustive()
    }
}

/// The value of a claim of the application's own.
///
/// Exhaustive: a token is no place for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// Text, for instance a role.
    Text(String),
    /// A whole number within ±(2⁵³ − 1).
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// A list of text, for instance groups.
    TextList(Vec<String>),
}

impl ClaimValue {
    /// Converts a JSON value; `None` where it has no counterpart.
    pub(crate) fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text)),
            Value::Bool(value) => Some(Self::Bool(value)),
            Value::Number(number) => number.as_i64().map(Self::Integer),
            Value::Array(list) => list
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Some(text),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_) => None,
                })
                .collect::<Option<_>>()
                .map(Self::TextList),
            Value::Null | Value::Object(_) => None,
        }
    }

    /// Returns the text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Bool(_) | Self::TextList(_) => None,
        }
    }

    /// Returns the number, if it is one.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Text(_) | Self::Bool(_) | Self::TextList(_) => None,
        }
    }

    /// Returns the boolean, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(_) | Self::Integer(_) | Self::TextList(_) => None,
        }
    }

    /// Returns the list, if it is one.
    #[must_use]
    pub fn as_text_list(&self) -> Option<&[String]> {
        match self {
            Self::TextList(list) => Some(list),
            Self::Text(_) | Self::Integer(_) | Self::Bool(_) => None,
        }
    }
}

impl Serialize for ClaimValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(value) => value.serialize(serializer),
            Self::Integer(value) => value.serialize(serializer),
            Self::Bool(value) => value.serialize(serializer),
            Self::TextList(value) => value.serialize(serializer),
        }
    }
}

impl From<&str> for ClaimValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ClaimValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for ClaimValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for ClaimValue {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<bool> for ClaimValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Vec<String>> for ClaimValue {
    fn from(list: Vec<String>) -> Self {
        Self::TextList(list)
    }
}

impl<const N: usize> From<[&str; N]> for ClaimValue {
    fn from(list: [&str; N]) -> Self {
        Self::TextList(list.map(str::to_owned).into())
    }
}
