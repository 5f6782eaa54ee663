//! Revocation of stateless sessions: one is denied by its id; raising a generation, a counter in the store,
//! ends all of a subject or of everyone.
//!
//! No clock takes part in the second, so that clock skew between nodes does not matter: see decision 56.

use chrono::{DateTime, TimeDelta, Utc};

use super::cookie::{MAX_AGE_LIMIT_SECONDS, Stale};
use super::event::SessionEventKind;
use super::known_session::KnownSession;
use super::lifecycle::{Opened, SessionManager};
use super::origin::Origin;
use super::stateless::{denial, line_denial};
use super::store::{Generations, SessionId, SessionRecord};
use super::token_guard::TokenGuard;
use crate::error::{Error, Refusal, Result};
use crate::token::key::fill_random;
use crate::viewer::Subject;

/// The time for which a denial is kept beyond the end of its token, so that a node whose clock is behind does
/// not accept the session after another one swept. Twice the tolerated clock skew.
const LEEWAY: TimeDelta = TimeDelta::seconds(120);

impl SessionManager {
    /// Returns the session of a token, unless it was ended.
    pub(super) async fn standing(&self, token: &KnownSession) -> Result<Option<KnownSession>> {
        let id = denial(token.id, &token.subject);
        if token.under.is_none() {
            // Called before `standing`, so that there is a generation of everyone: the successor of this
            // token then names generations that are not younger than that answer.
            self.generations(&token.subject).await?;
        }
        let standing = self.store.standing(id, &token.subject).await;
        let standing = self.answer("standing", standing)?;
        // Ending an earlier session of the line denies that id, too. A first id has no earlier one.
        if token.id != token.line && self.is_line_over(token).await? {
            return Ok(None);
        }
        // INVARIANT (generation): equal, not at least. A lost counter ends sessions.
        let under_another = |under| standing.generations != Some(under);
        // A token without generations is compared with an instant. Its successors name the current
        // generations.
        let cut_off = |at| token.created_at <= at;
        let over = standing.denied
            || match token.under {
                Some(under) => under_another(under),
                None => standing.cut_off.is_some_and(cut_off),
            };
        Ok((!over).then(|| KnownSession {
            under: token.under.or(standing.generations),
            ..token.clone()
        }))
    }

    /// Returns the generations that a write of this session locks, where the rows may be in the database of
    /// what ends it.
    pub(super) fn token_guard(&self, session: &KnownSession) -> Option<TokenGuard> {
        self.database.filter(|_| self.is_stateless())?;
        let subject = &session.subject;
        Some(TokenGuard {
            subject: subject.clone(),
            under: session.under?,
            denials: [
                denial(session.id, subject),
                line_denial(session.line, subject),
            ],
        })
    }

    /// Returns the generations under which a stateless session of `subject` begins now.
    pub(super) async fn generations(&self, subject: &Subject) -> Result<Generations> {
        let generations = self.store.generations(subject, first_generation()?).await;
        self.answer("generations", generations)
    }

    /// Ends the stateless sessions of a subject but one, which gets a new id and the next generation. A
    /// concurrent call that ends all of them ends this one, too: then the generation to raise is no longer
    /// its own.
    pub(crate) async fn outlive(
        &self,
        record: &KnownSession,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Opened> {
        let over = || Error::unauthenticated(Refusal::Unknown);
        let Generations { everyone, subject } = record.under.ok_or_else(over)?;
        let step = step()?;
        let mut next = record.with(SessionRecord {
            last_seen_at: self.now().max(record.last_seen_at),
            ..record.record.clone()
        });
        next.under = Some(Generations {
            everyone,
            subject: subject.saturating_add(step),
        });
        // If it cannot be issued anew, the session stays as it was.
        let opened = self.open(self.tickets.issue(next)?, stale)?;
        let advance = self.epochs.advance_on_drop(&record.subject);
        if !self.end_token(record).await? {
            advance.forget();
            return Err(over());
        }
        self.cut_off(Some(&record.subject)).await?;
        let raised = self
            .store
            .raise_generation_from(&record.subject, subject, step);
        if !self.answer("raise_generation", raised.await)? {
            return Err(over());
        }
        let kind = SessionEventKind::RevokedMany(0);
        self.tell(kind, None, Some(&record.subject), origin).await;
        let kind = SessionEventKind::Rotated;
        self.tell_successor(kind, record, opened.id(), origin).await;
        Ok(opened)
    }

    /// Denies a stateless session that is rotated to another id; returns whether it was not denied before. If
    /// somebody else ended it, it must not be rotated.
    pub(super) async fn end_token(&self, record: &SessionRecord) -> Result<bool> {
        let (id, end) = (record.id, Some(record.expires_at));
        self.deny(id, &record.subject, end).await
    }

    /// Denies a stateless session until its token expires, whatever limits the application sets until then;
    /// returns whether it was not denied before.
    pub(super) async fn deny(
        &self,
        id: SessionId,
        subject: &Subject,
        end: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        self.note(denial(id, subject), subject, end).await
    }

    /// Denies a session under every later id, given the first id of its line; returns whether it was not
    /// denied before.
    pub(super) async fn deny_line(
        &self,
        line: SessionId,
        subject: &Subject,
        end: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        self.note(line_denial(line, subject), subject, end).await
    }

    async fn note(
        &self,
        denial: SessionId,
        subject: &Subject,
        end: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        let until = match end {
            Some(end) => end.checked_add_signed(LEEWAY),
            None => self.far(),
        };
        let until = until.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let denied = self.store.deny(denial, subject, until).await;
        self.answer("deny", denied)
    }

    /// Ends the stateless sessions of a subject, or of everyone, that began until now.
    pub(super) async fn end_generation(&self, subject: Option<&Subject>) -> Result<()> {
        // INVARIANT (cut-off): before the generation is raised, so that a token without generations, which is
        // re-issued under the current ones, finds none of after it.
        self.cut_off(subject).await?;
        let raised = self.store.raise_generation(subject, step()?).await;
        self.answer("raise_generation", raised)
    }

    /// Ends the sessions whose tokens name no generations, by an instant: they began by some node's clock,
    /// which may be ahead.
    async fn cut_off(&self, subject: Option<&Subject>) -> Result<()> {
        let latest = DateTime::<Utc>::MAX_UTC;
        let at = self.now().checked_add_signed(LEEWAY).unwrap_or(latest);
        let until = self.far().unwrap_or(latest);
        let cut_off = self.store.cut_off(subject, at, until).await;
        self.answer("cut_off", cut_off)
    }

    /// Returns the instant at which every token that exists now has expired, whatever the limits were when it
    /// was made.
    fn far(&self) -> Option<DateTime<Utc>> {
        let longest = TimeDelta::seconds(MAX_AGE_LIMIT_SECONDS);
        self.now()
            .checked_add_signed(longest)?
            .checked_add_signed(LEEWAY)
    }
}

/// Returns a random first generation of everyone. No two stores have the same, so that one that lost its
/// content does not accept the sessions that began under it.
fn first_generation() -> Result<u64> {
    random(0xffff_ffff_ffff)
}

/// Returns a random step by which a generation is raised. Were it always one, a store that was restored from
/// a backup would reach the same numbers again, and accept sessions that had ended.
fn step() -> Result<u64> {
    random(0xffff_ffff)
}

/// Returns a random number above zero with these bits.
fn random(bits: u64) -> Result<u64> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    Ok((u64::from_be_bytes(bytes) & bits).max(1))
}
