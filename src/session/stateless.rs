//! Sessions that are kept in their tokens.

use std::sync::Arc;

use aws_lc_rs::digest;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use zeroize::Zeroizing;

use super::claims::{CREATED, END, KEPT, SessionClaims};
use super::key::fill_random;
use super::store::{Assurance, SecretHash, SessionId, SessionRecord};
use super::ticket::{Issued, Ticket};
use super::token::{ClaimValue, Claims, Credential, EncryptedCodec, KeyRing, Opened};
use crate::error::{Error, Refusal, Result};
use crate::viewer::Subject;

/// Seals sessions into tokens, and opens them.
#[derive(Debug)]
pub(crate) struct Stateless {
    codec: EncryptedCodec,
}

impl Stateless {
    /// For one cookie: a token of another one does not open.
    pub(crate) fn new(ring: &KeyRing, cookie: &str, most_bytes: usize) -> Result<Self> {
        let purpose = format!("clearance session {cookie}");
        let codec = EncryptedCodec::derived_own(ring, &purpose)?.max_payload_bytes(most_bytes);
        Ok(Self { codec })
    }

    /// Seals `record` under a new id.
    pub(crate) fn issue(&self, mut record: SessionRecord) -> Result<Issued> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        record.id = SessionId::from_bytes(id);
        self.seal(record)
    }

    /// Seals `record` as it is.
    pub(crate) fn seal(&self, mut record: SessionRecord) -> Result<Issued> {
        // A token's instants are whole seconds.
        let whole = |instant: DateTime<Utc>| {
            let second = TimeDelta::seconds(1);
            instant.duration_trunc(second).map_err(|_| out_of_range())
        };
        record.idle_expires_at = whole(record.idle_expires_at)?;
        record.authenticated_at = whole(record.authenticated_at)?;
        record.last_seen_at = whole(record.last_seen_at)?;
        let lifetime = record.idle_expires_at - record.last_seen_at;
        let lifetime = lifetime.to_std().map_err(|_| out_of_range())?;
        let claims = Claims::new(record.subject.clone(), record.last_seen_at, lifetime)?
            .with_id(record.id.to_string())
            .with_authenticated_at(record.authenticated_at)
            .with_acr(record.assurance.word())
            .with_claim(CREATED, record.created_at.timestamp_micros())?
            .with_claim(END, record.expires_at.timestamp())?
            .with_claim(KEPT, record.persistent)?;
        let noted = SessionClaims::from_json(&record.claims)?;
        let claims = noted.iter().try_fold(claims, |claims, (name, value)| {
            claims.with_claim(name, value.clone())
        })?;
        let value = Zeroizing::new(self.codec.seal(&claims)?);
        record.secret_hash = hash(&value);
        Ok(Issued {
            ticket: ticket(record.clone()),
            record,
            value,
        })
    }

    /// Opens what [`Stateless::seal`] made, as long as it is not past its time.
    pub(crate) fn open(
        &self,
        text: &[u8],
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| Refusal::Invalid)?;
        let claims = match self.codec.open_or_expired(text, now) {
            Opened::Good(claims) => claims,
            Opened::Expired => return Err(Refusal::Expired),
            Opened::Refused => return Err(Refusal::Invalid),
        };
        session(text, &claims).map(ticket).ok_or(Refusal::Invalid)
    }
}

/// What the claims of a session's token say.
fn session(text: &str, claims: &Claims) -> Option<SessionRecord> {
    let integer = |name| claims.claim(name).and_then(ClaimValue::as_integer);
    Some(SessionRecord {
        id: claims.id().parse().ok()?,
        secret_hash: hash(text),
        subject: claims.subject().clone(),
        created_at: DateTime::from_timestamp_micros(integer(CREATED)?)?,
        authenticated_at: claims.authenticated_at()?,
        assurance: Assurance::from_word(claims.acr()?)?,
        last_seen_at: claims.issued_at(),
        idle_expires_at: claims.expires_at(),
        expires_at: DateTime::from_timestamp(integer(END)?, 0)?,
        persistent: claims.claim(KEPT)?.as_bool()?,
        address: None,
        agent: None,
        claims: SessionClaims::of(claims).to_json().ok()?,
    })
}

fn ticket(record: SessionRecord) -> Ticket {
    Ticket {
        credential: Credential {
            id: record.id,
            secret_hash: record.secret_hash,
            expires_at: record.idle_expires_at.timestamp(),
        },
        token: Some(Arc::new(record)),
    }
}

/// Under what a store notes that a session is over. It comes from the subject, too, so that nobody
/// ends the session of another by its id.
pub(super) fn denial(id: SessionId, subject: &Subject) -> SessionId {
    let content = [&id.as_bytes()[..], subject.as_str().as_bytes()].concat();
    let digest = digest::digest(&digest::SHA256, &content);
    let mut id = [0; 16];
    for (byte, of_digest) in id.iter_mut().zip(digest.as_ref()) {
        *byte = *of_digest;
    }
    SessionId::from_bytes(id)
}

/// What tells one token from every other.
fn hash(token: &str) -> SecretHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    SecretHash::from_bytes(hash)
}

fn out_of_range() -> Error {
    Error::internal("the clock is out of range")
}
