//! Session lines: a session and its predecessors under other ids. Ending one of them ends the session.
//!
//! A cookie that was replaced is no longer valid, but it can end its successor (decision 58).

use chrono::{DateTime, Utc};

use super::event::{Revocation, SessionEventKind};
use super::known_session::KnownSession;
use super::lifecycle::SessionManager;
use super::origin::Origin;
use super::stateless::{denial, line_denial};
use super::store::SessionRecord;
use super::ticket::Ticket;
use crate::error::{Error, Result};

/// The maximum number of lookups of a session that is rotated meanwhile.
const ATTEMPTS: usize = 8;

impl SessionManager {
    /// Ends the session of a ticket, or its successor, if there still is one.
    pub(crate) async fn end(
        &self,
        ticket: &Ticket,
        why: Revocation,
        origin: &Origin,
    ) -> Result<()> {
        if let Some(token) = &ticket.token {
            return self.end_line(token, why, origin).await;
        }
        for _ in 0..ATTEMPTS {
            let Some(record) = self.followed(ticket, self.now()).await? else {
                return Ok(());
            };
            let (id, subject) = (record.id, &record.subject);
            if self
                .revoke(id, subject, Some(record.expires_at), why, origin)
                .await?
            {
                return Ok(());
            }
            // It ended, or was rotated to another id.
        }
        Err(Error::unavailable("the session store"))
    }

    /// Ends a stateless session under whatever id it continues.
    async fn end_line(&self, token: &KnownSession, why: Revocation, origin: &Origin) -> Result<()> {
        let (subject, end) = (&token.subject, Some(token.expires_at));
        let advance = self.epochs.advance_on_drop(subject);
        // INVARIANT (line): the id first, so that the session cannot be rotated from then on. If it was
        // before, denying the line ends its successor.
        let of_id = self.deny(token.id, subject, end).await?;
        let of_line = self.deny_line(token.line, subject, end).await?;
        if !of_id && !of_line {
            advance.forget();
            return Ok(());
        }
        drop(advance);
        if of_line {
            let kind = SessionEventKind::Revoked(why);
            self.tell(kind, Some(token.id), Some(subject), origin).await;
        }
        Ok(())
    }

    /// Returns the stored session of a ticket, or its successor.
    pub(crate) async fn followed(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>> {
        match self.stored(ticket, now).await? {
            Some(session) => Ok(Some(session.record)),
            None => self.successor(ticket, now).await,
        }
    }

    async fn successor(
        &self,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>> {
        let credential = &ticket.credential;
        let successor = self
            .store
            .successor(credential.id, credential.secret_hash, now);
        self.answer("successor", successor.await)
    }

    /// Returns whether the session of a ticket without one may continue under another id. Its browser may
    /// have the new cookie already.
    pub(crate) async fn may_go_on(&self, ticket: &Ticket, now: DateTime<Utc>) -> Result<bool> {
        let Some(token) = &ticket.token else {
            return Ok(self.successor(ticket, now).await?.is_some());
        };
        let standing = self
            .store
            .standing(denial(token.id, &token.subject), &token.subject);
        // Without a denial of its own, all sessions of the subject ended.
        let denied = self.answer("standing", standing.await)?.denied;
        Ok(denied && !self.is_line_over(token).await?)
    }

    /// Returns whether a stateless session was ended under every id of its line.
    pub(super) async fn is_line_over(&self, token: &KnownSession) -> Result<bool> {
        let line = line_denial(token.line, &token.subject);
        let standing = self.store.standing(line, &token.subject).await;
        Ok(self.answer("standing", standing)?.denied)
    }
}
