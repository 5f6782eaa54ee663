//! The creation of a session at sign-in, which ends the one before in the same step (against session
//! fixation).

use chrono::{DurationRound as _, TimeDelta};

use super::cookie::Stale;
use super::event::{Revocation, SessionEventKind, SignInRefusal};
use super::known_session::{KnownSession, NO_ID};
use super::lifecycle::{ATTEMPTS, Opened, SessionManager, later, out_of_range};
use super::origin::Origin;
use super::sign_in::SignIn;
use super::store::{Created, SecretHash, SessionId, SessionRecord};
use super::ticket::Ticket;
use crate::error::{Error, Result};

impl SessionManager {
    /// Stores a new session under a new id and secret, and ends the one of the ticket `before` with it. Where
    /// no session is stored, `before` stays valid.
    pub(crate) async fn create(
        &self,
        sign_in: &SignIn,
        before: Option<&Ticket>,
        origin: &Origin,
        stale: &Stale,
    ) -> Result<Opened> {
        if sign_in.subject.as_str().is_empty() {
            return Err(Error::misuse(
                "an empty subject cannot sign in: pass the id of the user who was authenticated",
            ));
        }
        sign_in.subject.require_storable()?;
        let mut session = KnownSession::stored(self.new_record(sign_in, origin)?);
        if self.is_stateless() {
            session.under = Some(self.generations(&sign_in.subject).await?);
            let issued = self.tickets.issue(session)?;
            let record = issued.record.clone();
            let opened = self.open(issued, stale)?;
            if let Some(before) = before {
                self.end(before, Revocation::SignIn, origin).await?;
            }
            self.tell_of(SessionEventKind::Created, &record, origin)
                .await;
            return Ok(opened);
        }
        for _ in 0..ATTEMPTS {
            let old = match before {
                Some(before) => self.followed(before, self.now()).await?,
                None => None,
            };
            let issued = self.tickets.issue(session.clone())?;
            let record = issued.record.clone();
            // If the cookie cannot be written, the sign-in fails.
            let opened = self.open(issued, stale)?;
            match self.create_once(old.as_ref(), &record).await? {
                Created::Stored(evicted) => {
                    self.tell_created(old.as_ref(), &evicted, &record, origin)
                        .await;
                    return Ok(opened);
                }
                Created::LimitReached => {
                    let (why, subject) = (SignInRefusal::Limit, &sign_in.subject);
                    return Err(self.refuse_sign_in(why, subject, origin).await);
                }
                // The old session ended, or was rotated to another id meanwhile: retried.
                Created::IdTaken | Created::OldGone => {}
            }
        }
        Err(self.no_free_id())
    }

    async fn create_once(
        &self,
        old: Option<&SessionRecord>,
        record: &SessionRecord,
    ) -> Result<Created> {
        let most = self.settings.most;
        // The epochs advance on drop, also when the caller is cancelled and when the store's outcome is
        // unknown.
        let of_old = old.map(|old| self.epochs.advance_on_drop(&old.subject));
        let of_evicted = most.map(|_| self.epochs.advance_on_drop(&record.subject));
        let created = match old {
            Some(old) => self.store.create_instead_of(old, record, most).await,
            None => self.store.create(record, most).await,
        };
        let created = self.answer("create", created)?;
        let (old_ended, evicted) = match &created {
            Created::Stored(evicted) => (true, !evicted.is_empty()),
            Created::IdTaken | Created::LimitReached | Created::OldGone => (false, false),
        };
        for (ended, advance) in [(old_ended, of_old), (evicted, of_evicted)] {
            match advance {
                Some(advance) if !ended => advance.forget(),
                Some(_) | None => {}
            }
        }
        Ok(created)
    }

    async fn tell_created(
        &self,
        old: Option<&SessionRecord>,
        evicted: &[SessionId],
        record: &SessionRecord,
        origin: &Origin,
    ) {
        if let Some(old) = old {
            let kind = SessionEventKind::Revoked(Revocation::SignIn);
            self.tell_of(kind, old, origin).await;
        }
        for id in evicted {
            let kind = SessionEventKind::Revoked(Revocation::Limit);
            self.tell(kind, Some(*id), Some(&record.subject), origin)
                .await;
        }
        self.tell_of(SessionEventKind::Created, record, origin)
            .await;
    }

    fn new_record(&self, sign_in: &SignIn, origin: &Origin) -> Result<SessionRecord> {
        let now = self.now();
        let persistent = sign_in
            .remember
            .unwrap_or(self.settings.remembers_by_default());
        let limits = self.settings.limits(persistent);
        let claims = sign_in.claims.to_json()?;
        if claims.len() > self.settings.payload {
            return Err(Error::payload_too_large(
                claims.len(),
                self.settings.payload,
            ));
        }
        // Whole seconds, so that the cookie and the store agree on the end.
        let expires_at = later(now, limits.absolute)?
            .duration_trunc(TimeDelta::seconds(1))
            .map_err(|_| out_of_range())?;
        Ok(SessionRecord {
            // Set by the ticket.
            id: NO_ID,
            secret_hash: SecretHash::from_bytes([0; 32]),
            subject: sign_in.subject.clone(),
            created_at: now,
            authenticated_at: now,
            assurance: sign_in.assurance,
            last_seen_at: now,
            idle_expires_at: later(now, limits.idle)?.min(expires_at),
            expires_at,
            persistent,
            address: origin.address,
            agent: origin.agent.clone(),
            claims,
        })
    }
}
