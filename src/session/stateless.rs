//! Stateless sessions, kept entirely in their encrypted tokens.

use std::sync::Arc;

use aws_lc_rs::digest;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use zeroize::Zeroizing;

use super::fingerprint::Fingerprinting;
use super::known_session::{KnownSession, NO_ID};
use super::sealed::Credential;
use super::store::{Assurance, Generations, SecretHash, SessionId, SessionRecord};
use super::ticket::{Issued, Ticket};
use crate::error::{Error, Refusal, Result};
use crate::token::key::fill_random;
use crate::token::session_claims::{CREATED, END, KEPT, SessionClaims, UNDER};
use crate::token::{ClaimValue, Claims, EncryptedCodec, KeyRing, OpenedToken};
use crate::viewer::Subject;

/// A sealer of sessions into tokens, which also opens them.
#[derive(Debug)]
pub(crate) struct Stateless {
    codec: EncryptedCodec,
    fingerprinting: Fingerprinting,
}

impl Stateless {
    /// Derives the keys for one cookie: a token of another one does not open.
    pub(super) fn new(
        ring: &KeyRing,
        cookie: &str,
        most_bytes: usize,
        fingerprinting: Fingerprinting,
    ) -> Result<Self> {
        let purpose = format!("clearance session {cookie}");
        let codec = EncryptedCodec::derived_own(ring, &purpose)?.max_payload_bytes(most_bytes);
        Ok(Self {
            codec,
            fingerprinting,
        })
    }

    /// Seals `session` under a new id; if it begins, that is its line too.
    pub(crate) fn issue(&self, mut session: KnownSession) -> Result<Issued> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        let id = SessionId::from_bytes(id);
        if session.line == NO_ID {
            session.line = id;
        }
        session.id = id;
        self.seal(session)
    }

    /// Seals `session` as it is.
    pub(crate) fn seal(&self, session: KnownSession) -> Result<Issued> {
        let KnownSession {
            mut record,
            under,
            line,
        } = session;
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
            .with_id(written_id(record.id, line))
            .with_authenticated_at(record.authenticated_at)
            .with_acr(record.assurance.as_str())
            .with_claim(CREATED, record.created_at.timestamp_micros())?
            .with_claim(END, record.expires_at.timestamp())?;
        let claims = match under {
            Some(under) => claims.with_claim(UNDER, written(record.persistent, under))?,
            None => claims.with_claim(KEPT, record.persistent)?,
        };
        let noted = SessionClaims::from_json(&record.claims)?;
        let claims = noted.iter().try_fold(claims, |claims, (name, value)| {
            claims.with_claim(name, value.clone())
        })?;
        let value = Zeroizing::new(self.codec.seal(&claims)?);
        record.secret_hash = hash(&value);
        Ok(Issued {
            ticket: self.ticket(
                &value,
                KnownSession {
                    record: record.clone(),
                    under,
                    line,
                },
            ),
            record,
            value,
        })
    }

    /// Opens a token that [`Stateless::seal`] sealed and that has not expired.
    pub(crate) fn open(
        &self,
        text: &[u8],
        now: DateTime<Utc>,
    ) -> std::result::Result<Ticket, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| Refusal::Invalid)?;
        let claims = match self.codec.open_or_expired(text, now) {
            OpenedToken::Good(claims) => claims,
            OpenedToken::Expired => return Err(Refusal::Expired),
            OpenedToken::Refused => return Err(Refusal::Invalid),
        };
        session(text, &claims)
            .map(|session| self.ticket(text, session))
            .ok_or(Refusal::Invalid)
    }

    fn ticket(&self, text: &str, session: KnownSession) -> Ticket {
        Ticket {
            credential: Credential {
                id: session.id,
                secret_hash: session.secret_hash,
                expires_at: session.idle_expires_at.timestamp(),
            },
            token: Some(Arc::new(session)),
            // A stateless token is re-issued under the current key soon anyway.
            retired: false,
            fingerprint: self.fingerprinting.of(text.as_bytes()),
        }
    }
}

/// Reads a session from the claims of its token.
fn session(text: &str, claims: &Claims) -> Option<KnownSession> {
    let integer = |name| claims.claim(name).and_then(ClaimValue::as_integer);
    let (persistent, under) = match (claims.claim(UNDER), claims.claim(KEPT)) {
        (Some(under), None) => {
            let (persistent, under) = read(under.as_text()?)?;
            (persistent, Some(under))
        }
        (None, Some(kept)) => (kept.as_bool()?, None),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let (id, line) = read_id(claims.id())?;
    let record = SessionRecord {
        id,
        secret_hash: hash(text),
        subject: claims.subject().clone(),
        created_at: DateTime::from_timestamp_micros(integer(CREATED)?)?,
        authenticated_at: claims.authenticated_at()?,
        assurance: Assurance::from_word(claims.acr()?)?,
        last_seen_at: claims.issued_at(),
        idle_expires_at: claims.expires_at(),
        expires_at: DateTime::from_timestamp(integer(END)?, 0)?,
        persistent,
        address: None,
        agent: None,
        claims: SessionClaims::of(claims).to_json().ok()?,
    };
    Some(KnownSession {
        record,
        under,
        line,
    })
}

/// Formats the claim [`UNDER`]: `1:<generation of everyone>:<that of the subject>`, or `0:..` for a session
/// that the browser does not keep.
fn written(persistent: bool, under: Generations) -> String {
    let Generations { everyone, subject } = under;
    format!("{}:{everyone}:{subject}", u8::from(persistent))
}

/// Parses the text of [`written`].
fn read(text: &str) -> Option<(bool, Generations)> {
    let mut parts = text.split(':');
    let persistent = match parts.next()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let everyone = parts.next()?.parse().ok()?;
    let subject = parts.next()?.parse().ok()?;
    let generations = Generations { everyone, subject };
    parts.next().is_none().then_some((persistent, generations))
}

/// Formats the id of a token: `<id>`, and `<id>.<line>` once it differs from the first.
fn written_id(id: SessionId, line: SessionId) -> String {
    if id == line {
        id.to_string()
    } else {
        format!("{id}.{line}")
    }
}

/// Parses the text of [`written_id`].
fn read_id(text: &str) -> Option<(SessionId, SessionId)> {
    let (id, line) = text.split_once('.').unwrap_or((text, text));
    Some((id.parse().ok()?, line.parse().ok()?))
}

/// Returns the key under which a store keeps the denial of a session. It depends on the subject, too, so that
/// nobody ends the session of another by its id.
pub(super) fn denial(id: SessionId, subject: &Subject) -> SessionId {
    derived(&[id.as_bytes(), subject.as_str().as_bytes()])
}

/// Returns the key under which a store keeps the denial of a session's whole line. It differs from
/// [`denial`], which is stored for the first id as soon as there is a second one.
pub(super) fn line_denial(line: SessionId, subject: &Subject) -> SessionId {
    // Longer than an id, and no subject begins with this byte: it is no text.
    derived(&[line.as_bytes(), &[0xff], subject.as_str().as_bytes()])
}

fn derived(parts: &[&[u8]]) -> SessionId {
    let content = parts.concat();
    let digest = digest::digest(&digest::SHA256, &content);
    let mut id = [0; 16];
    for (byte, of_digest) in id.iter_mut().zip(digest.as_ref()) {
        *byte = *of_digest;
    }
    SessionId::from_bytes(id)
}

/// Returns the SHA-256 of a token, which identifies it.
fn hash(token: &str) -> SecretHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    SecretHash::from_bytes(hash)
}

fn out_of_range() -> Error {
    Error::internal("the clock is out of range")
}
