//! The cookie of a session: an id and a secret, sealed with AES-256-GCM, so that a forged one costs no query.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hkdf, rand};
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::failure::Failure;

const PURPOSE: &[u8] = b"session cookie";
const NONCE: usize = 12;
const SECRET: usize = 32;

/// The credential in a cookie. Of its secret only the hash is kept, and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Credential {
    pub(crate) id: Uuid,
    pub(crate) secret_hash: [u8; 32],
}

pub(crate) struct Cookie {
    name: &'static str,
    attributes: &'static str,
    key: RandomizedNonceKey,
}

impl Cookie {
    /// Makes the cookie of an application at `app_url`, under a key that is derived from `key`.
    pub(crate) fn new(key: &str, app_url: &str) -> Result<Self, &'static str> {
        let master = key
            .strip_prefix("base64:")
            .and_then(|text| STANDARD.decode(text).ok());
        let master = master.filter(|bytes| bytes.len() == 32);
        let master = master.ok_or("SESSION_KEY is not `base64:` and 32 bytes")?;
        let mut derived = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"people")
            .extract(&master)
            .expand(&[PURPOSE], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut derived))
            .map_err(|_| "no key can be derived")?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &derived).map_err(|_| "no such key")?;
        let (name, attributes) = if app_url.starts_with("https://") {
            ("__Host-session", "Path=/; HttpOnly; SameSite=Lax; Secure")
        } else {
            ("session", "Path=/; HttpOnly; SameSite=Lax")
        };
        Ok(Self {
            name,
            attributes,
            key,
        })
    }

    /// Makes a new credential, and the header that sets its cookie until `expires_at`.
    pub(crate) fn issue(
        &self,
        expires_at: DateTime<Utc>,
    ) -> Result<(Credential, HeaderValue), Failure> {
        let (id, mut secret) = (Uuid::new_v4(), [0; SECRET]);
        rand::fill(&mut secret).map_err(|_| Failure::Internal)?;
        let mut content = id.as_bytes().to_vec();
        content.extend(secret);
        content.extend(expires_at.timestamp().to_be_bytes());
        let nonce = self
            .key
            .seal_in_place_append_tag(self.associated(), &mut content);
        let mut sealed = nonce.map_err(|_| Failure::Internal)?.as_ref().to_vec();
        sealed.append(&mut content);
        let expires = expires_at.format("%a, %d %b %Y %H:%M:%S GMT");
        let value = format!("{}; Expires={expires}", URL_SAFE_NO_PAD.encode(sealed));
        Ok((credential(id, &secret), self.header(&value)?))
    }

    /// The header that removes the cookie.
    pub(crate) fn removal(&self) -> Result<HeaderValue, Failure> {
        self.header("; Max-Age=0")
    }

    fn header(&self, value: &str) -> Result<HeaderValue, Failure> {
        let text = format!("{}={value}; {}", self.name, self.attributes);
        HeaderValue::try_from(text).map_err(|_| Failure::Internal)
    }

    /// Opens the cookie of a request, unless it has none, two, a forged or an expired one.
    pub(crate) fn read(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Credential> {
        let pairs = headers
            .get_all(COOKIE)
            .into_iter()
            .filter_map(|line| line.to_str().ok());
        let pairs = pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter_map(|(name, value)| (name == self.name).then_some(value));
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let mut sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, content) = sealed.split_first_chunk_mut::<NONCE>()?;
        let content = self
            .key
            .open_in_place(Nonce::from(&*nonce), self.associated(), content)
            .ok()?;
        let (id, rest) = content.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk::<SECRET>()?;
        let expires_at = i64::from_be_bytes(*rest.first_chunk()?);
        (expires_at > now.timestamp()).then(|| credential(Uuid::from_bytes(*id), secret))
    }

    /// The name is sealed too: the value of another cookie does not open here.
    fn associated(&self) -> Aad<&'static [u8]> {
        Aad::from(self.name.as_bytes())
    }
}

fn credential(id: Uuid, secret: &[u8; SECRET]) -> Credential {
    let mut secret_hash = [0; 32];
    secret_hash.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
    Credential { id, secret_hash }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn cookie(key: u8) -> Cookie {
        let key = format!("base64:{}", STANDARD.encode([key; 32]));
        Cookie::new(&key, "https://app.example").unwrap()
    }

    #[test]
    fn a_cookie_opens_under_its_key_and_until_it_expires() {
        let (now, until) = (Utc::now(), Utc::now() + TimeDelta::hours(1));
        let (issued, header) = cookie(1).issue(until).unwrap();
        let pair = header.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::try_from(format!("a=b; {pair}")).unwrap(),
        );

        assert_eq!(cookie(1).read(&headers, now), Some(issued));
        assert_eq!(cookie(1).read(&headers, until), None);
        assert_eq!(cookie(2).read(&headers, now), None);
        headers.append(COOKIE, HeaderValue::try_from(pair).unwrap());
        assert_eq!(cookie(1).read(&headers, now), None);
    }
}
