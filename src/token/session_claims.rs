//! Session claims: a few values that the application stores in a session at sign-in.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::error::{Error, Result};
use crate::token::{ClaimValue, Claims};

/// The claim with a session's creation time; this and the next three are the library's own in a session's
/// token.
pub(crate) const CREATED: &str = "session_at";
pub(crate) const END: &str = "session_end";
/// The claim that says whether the browser keeps the session, and under which generations it began, in one
/// text.
pub(crate) const UNDER: &str = "session_under";
/// The claim with the first of these alone, in tokens that name no generations.
pub(crate) const KEPT: &str = "session_kept";
const OWN: [&str; 4] = [CREATED, END, UNDER, KEPT];
/// The number of them that one token has.
const OWN_AT_ONCE: usize = 3;

/// The claims of a session: a few values that the application stores at sign-in, such as a name to greet with
/// or the sign-in method.
///
/// They do not change afterwards: an attribute that may change belongs to the viewer, which is reloaded. At
/// most 13, of text, whole numbers, yes or no, and lists of text; a [`Secret`](crate::Secret) does not fit.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SessionClaims {
    values: Vec<(String, ClaimValue)>,
}

impl SessionClaims {
    /// Builds an empty set of claims.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Adds a claim; one with the same name is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] as [`Claims::with_claim`], for the 14th, and for a name that begins with
    /// `session_`, which the library keeps for itself.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<ClaimValue>) -> Result<Self> {
        const MOST: usize = 16 - OWN_AT_ONCE;

        let name = name.into();
        if name.starts_with("session_") || Claims::is_registered(&name) {
            return Err(Error::misuse(
                "a session's claim has a name that begins with `session_`, or that tokens have (`sub`, `exp`, ..): choose another one",
            ));
        }
        self.values.retain(|(known, _)| *known != name);
        if !Claims::admit(&mut self.values, &name, value.into()) {
            return Err(Error::misuse(
                "a session's claim must have a unique name of up to 64 bytes that tokens do not have, and an integer must be at most 2^53 - 1",
            ));
        }
        if self.values.len() > MOST {
            return Err(Error::misuse(
                "a session has at most 13 claims: keep the rest with `set_session_data`",
            ));
        }
        Ok(self)
    }

    /// Returns the value of the claim with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ClaimValue> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Iterates over the claims, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ClaimValue)> {
        self.values.iter().map(|(name, value)| (&**name, value))
    }

    /// Takes the application's claims from a token, without the library's own.
    pub(crate) fn of(claims: &Claims) -> Self {
        let values = claims.claims().filter(|(name, _)| !OWN.contains(name));
        Self {
            values: values
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
        }
    }

    /// Serializes the claims as stores keep them.
    pub(crate) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|_| Error::internal("a session's claims could not be written"))
    }

    /// Parses the claims that [`SessionClaims::to_json`] wrote.
    pub(crate) fn from_json(json: &str) -> Result<Self> {
        let malformed = || Error::internal("a stored session is malformed");
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|_| malformed())?;
        members
            .into_iter()
            .try_fold(Self::new(), |claims, (name, value)| {
                let value = ClaimValue::from_json(value).ok_or_else(malformed)?;
                claims.with(name, value).map_err(|_| malformed())
            })
    }
}

impl Serialize for SessionClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl fmt::Debug for SessionClaims {
    /// Formats the names without the values, which may be personal data that a log should not hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
