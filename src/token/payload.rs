//! The JSON of claims: written plainly, parsed strictly.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::claims::{ClaimValue, Claims};
use super::refusal::TokenRefusal;
use crate::error::{Error, Result};
use crate::viewer::Subject;

/// The tolerated clock skew in seconds: `iat` and `auth_time` may be this far in the future.
const LEEWAY: i64 = 60;

/// Serializes the payload of a token for `audience`.
pub(super) fn write(claims: &Claims, audience: &str) -> Result<Vec<u8>> {
    claims.check()?;
    let mut payload = Vec::with_capacity(256);
    serde_json::to_writer(&mut payload, &Written { claims, audience })
        .map_err(|_| Error::internal("a token's claims could not be written"))?;
    Ok(payload)
}

/// Parses the claims in an authenticated payload, if it is for `audience` and `now`.
pub(super) fn read(
    payload: &[u8],
    audience: &str,
    now: DateTime<Utc>,
) -> Result<Claims, TokenRefusal> {
    // The encoding is checked once, and not for each name and text.
    let payload = std::str::from_utf8(payload).map_err(|_| TokenRefusal::Claims)?;
    let mut json = serde_json::Deserializer::from_str(payload);
    let read = Read::deserialize(&mut json).map_err(|_| TokenRefusal::Claims)?;
    json.end().map_err(|_| TokenRefusal::Claims)?;
    if !read.claims.is_sound() {
        return Err(TokenRefusal::Claims);
    }
    if read.audience != audience {
        return Err(TokenRefusal::Audience);
    }
    let now = now.timestamp();
    let claims = read.claims;
    if claims.expires_at <= now {
        return Err(TokenRefusal::Expired);
    }
    let made = [Some(claims.issued_at), claims.authenticated_at];
    if claims.not_before.is_some_and(|from| now < from)
        || made
            .iter()
            .flatten()
            .any(|made| *made > now.saturating_add(LEEWAY))
    {
        return Err(TokenRefusal::NotYet);
    }
    Ok(claims)
}

struct Written<'a> {
    claims: &'a Claims,
    audience: &'a str,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { claims, audience } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("sub", claims.subject.as_str())?;
        map.serialize_entry("aud", audience)?;
        map.serialize_entry("iat", &claims.issued_at)?;
        map.serialize_entry("exp", &claims.expires_at)?;
        map.serialize_entry("jti", &claims.id)?;
        if let Some(instant) = claims.not_before {
            map.serialize_entry("nbf", &instant)?;
        }
        if let Some(instant) = claims.authenticated_at {
            map.serialize_entry("auth_time", &instant)?;
        }
        if let Some(acr) = &claims.acr {
            map.serialize_entry("acr", acr)?;
        }
        for (name, value) in &claims.values {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The parsed JSON, before it is validated.
struct Read<'de> {
    claims: Claims,
    audience: Cow<'de, str>,
}

impl<'de> Deserialize<'de> for Read<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadVisitor)
    }
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Read<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut sub, mut aud, mut jti, mut acr) = (None, None, None, None);
        // Whole seconds: `null`, a text and a number with a fraction or an exponent are no `i64`.
        let (mut iat, mut exp, mut nbf, mut auth_time) = (None::<i64>, None, None, None);
        let mut values = Vec::new();
        while let Some(PayloadText(name)) = map.next_key()? {
            match &*name {
                "sub" => once(&mut sub, map.next_value()?)?,
                "aud" => once(&mut aud, map.next_value::<PayloadText<'_>>()?.0)?,
                "jti" => once(&mut jti, map.next_value()?)?,
                "acr" => once(&mut acr, map.next_value()?)?,
                "iat" => once(&mut iat, map.next_value()?)?,
                "exp" => once(&mut exp, map.next_value()?)?,
                "nbf" => once(&mut nbf, map.next_value()?)?,
                "auth_time" => once(&mut auth_time, map.next_value()?)?,
                name => {
                    // The value goes through `Value`, which parses numbers alike whichever features of
                    // serde_json another crate enables.
                    let value = ClaimValue::from_json(map.next_value()?)
                        .ok_or_else(|| A::Error::custom("type"))?;
                    if !Claims::admit(&mut values, name, value) {
                        return Err(A::Error::custom("claim"));
                    }
                }
            }
        }
        let missing = A::Error::missing_field;
        let subject: String = sub.ok_or_else(|| missing("sub"))?;
        Ok(Read {
            audience: aud.ok_or_else(|| missing("aud"))?,
            claims: Claims {
                subject: Subject::new_text(subject),
                id: jti.ok_or_else(|| missing("jti"))?,
                issued_at: iat.ok_or_else(|| missing("iat"))?,
                expires_at: exp.ok_or_else(|| missing("exp"))?,
                not_before: nbf,
                authenticated_at: auth_time,
                acr,
                values,
            },
        })
    }
}

fn once<T, E: serde::de::Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("twice")),
    }
}

/// A text that is borrowed where it holds no escape.
pub(super) struct PayloadText<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for PayloadText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = PayloadText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(PayloadText(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(PayloadText(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::SessionClaims;

    /// A JSON parser recurses once for each nested list.
    #[test]
    fn av_12_deep_claims_are_refused_on_a_small_stack() {
        let refused = || {
            for depth in [100, 1_000, 100_000] {
                let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
                for payload in [deep.clone(), format!(r#"{{"sub":"1","deep":{deep}}}"#)] {
                    let read = read(payload.as_bytes(), "api", DateTime::UNIX_EPOCH);
                    assert_eq!(read.err(), Some(TokenRefusal::Claims));
                    assert!(SessionClaims::from_json(&payload).is_err());
                }
            }
        };
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        assert!(
            thread
                .spawn(refused)
                .is_ok_and(|thread| thread.join().is_ok())
        );
    }
}
