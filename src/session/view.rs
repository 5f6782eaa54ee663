//! The part of a session that may be shown to the browser.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::level::Verified;
use crate::token::ClaimValue;

/// The part of a session that an application shows to its own pages: its subject, its end, and the claims
/// that the settings name, `name` and `image` by default. It is for display and authorizes nothing.
///
/// As JSON it is one object, with `id`, `expires_at` and each claim under its name. The `id` is that
/// of the [subject](crate::Subject), not of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    subject: String,
    expires_at: DateTime<Utc>,
    claims: Vec<(String, ClaimValue)>,
}

impl SessionView {
    /// The members that are no claims.
    pub(super) const OWN: [&str; 2] = ["id", "expires_at"];

    pub(crate) fn new<V>(session: &Verified<V>, shown: &[String]) -> Self {
        let loaded = session.loaded();
        let claims = loaded.claims.iter();
        Self {
            subject: loaded.subject.as_str().to_owned(),
            expires_at: loaded.expires_at,
            claims: claims
                .filter(|(name, _)| shown.iter().any(|shown| shown == name))
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
        }
    }
}

impl Serialize for SessionView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.subject)?;
        map.serialize_entry("expires_at", &self.expires_at)?;
        for (name, value) in &self.claims {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
