//! The session operations of a request: sign-in, sign-out, rotation, step-up, listing and session data.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{RequestContext, lock};
use crate::error::{Error, Refusal, Result};
use crate::events;
use crate::session::event::{Revocation, SignInRefusal};
use crate::session::{
    Assurance, CsrfToken, DataVersion, Fresh, Freshness, Opened, Optimistic, Rotation, SessionData,
    SessionId, SessionInfo, SessionView, SignIn,
};
use crate::viewer::{Subject, Viewer};

impl RequestContext {
    /// Returns the contents of the cookie alone. No store is queried, so its session may have ended.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] when there is no cookie, or none that could be a session's: one
    /// that this server did not seal, or that is past its time.
    pub fn optimistic(&self) -> Result<Optimistic> {
        self.mark_read();
        self.inner.slot().optimistic(&|| self.origin())
    }

    /// Signs a subject in: ends the session that the request came with, stores a new one under a new id
    /// (against session fixation), and sets its cookie on the response. Later calls in this request see the
    /// new session. A failed sign-in leaves the current session untouched.
    ///
    /// The application has authenticated the subject, for instance by a password. It must also make sure that
    /// the user intended the sign-in: no `SameSite` keeps a form on another site from signing a browser in as
    /// somebody else (login CSRF). Accept credentials as JSON, by its content type, or check `Origin`.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`] when the store does not answer; then no cookie is set.
    /// [`Error::is_too_many_sessions`] when the subject has as many sessions as it may.
    /// [`Error::is_forbidden`] when a [hook](crate::session::SessionHooks::on_sign_in) refuses, and when
    /// nobody can have meant to sign in with this request, because a
    /// browser sends it for a picture, a script, a frame within another site, or a page that nobody
    /// asked for yet ([ASVS 7.6.2](https://github.com/OWASP/ASVS)).
    /// [`Error::is_misuse`] when the response's headers are gone already. [`Error::is_invalid`] when the
    /// subject is longer than [`Subject::MAX_BYTES`](crate::Subject::MAX_BYTES).
    pub async fn sign_in(&self, sign_in: impl Into<SignIn>) -> Result<SessionId> {
        let (sign_in, origin) = (sign_in.into(), self.origin());
        self.require_proof()?;
        if self.inner.hints.is_unintended() {
            let (why, subject) = (SignInRefusal::Unintended, sign_in.subject());
            let core = self.inner.slot().core()?;
            return Err(core.refuse_sign_in(why, subject, &origin).await);
        }
        self.begin_change()?;
        let (slot, first) = (self.inner.slot(), &self.inner.first);
        let opened = slot.sign_in(first, &sign_in, &origin).await?;
        Ok(self.end_change(opened))
    }

    /// Signs out: ends the session that the request came with, and removes its cookie with the response.
    /// Without a session only the cookie is removed. It requires an unsafe method such as `POST`: a link, or
    /// a picture on any site, would sign out whoever looks at it.
    ///
    /// A cookie that was replaced meanwhile, by [`rotate_session`](Self::rotate_session) or a step-up, ends
    /// the successor of its session (decision 58). Two cookies of the session's name identify nobody: both
    /// are removed, and no session ends.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`] when the store does not answer. The session may still live, so
    /// the cookie stays, and signing out can be tried again. [`Error::is_misuse`] in a request with a safe
    /// method, such as `GET`. [`Error::is_forbidden`] in one that may come from
    /// [another site](crate::route::Csrf).
    pub async fn sign_out(&self) -> Result<()> {
        self.require_unsafe_method()?;
        self.mark_read();
        self.forget_memo();
        let (slot, first) = (self.inner.slot(), &self.inner.first);
        let cookies = slot.sign_out(first, &self.origin()).await?;
        self.forget_memo();
        *lock(&self.inner.notes().set_cookies) = cookies;
        Ok(())
    }

    /// Rotates the session's id and secret, and sets its new cookie on the response; the old cookie is no
    /// longer valid. Call it when the subject gains privileges, so that whoever had the old cookie does not
    /// gain them ([ASVS 7.2.4](https://github.com/OWASP/ASVS)).
    ///
    /// Other requests that the browser has sent with the old cookie are answered 401 from then on. On other
    /// nodes the old cookie reads, and never writes, until the [cache
    /// bound](crate::session::SessionsBuilder::cache_bound) has passed or a [channel](crate::session::nodes)
    /// has notified them.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] when there is no valid session. [`Error::is_step_up`] when a
    /// [hook](crate::session::SessionHooks::on_verify) asks for another proof, which is for
    /// [`step_up`](Self::step_up) to note. [`Error::is_unavailable`] when the store does not answer;
    /// the old cookie may lead to the session, or nothing. [`Error::is_misuse`] when the
    /// response's headers are gone already, and in a request with a safe method, such as `GET`.
    pub async fn rotate_session(&self) -> Result<SessionId> {
        self.require_unsafe_method()?;
        self.rotate(Rotation::Privilege).await
    }

    /// Returns the session's subject even if a step-up is pending, for a page that asks for another proof. It
    /// succeeds where [`Verdict::StepUp`](crate::session::Verdict::StepUp) refuses everything else.
    ///
    /// Check the proof against this subject, and never against a name that the client sends along: an
    /// intruder at an open browser has a password too, but their own.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] when there is no valid session, [`Error::is_unavailable`] when
    /// the store or the viewer source does not answer.
    pub async fn subject_to_prove(&self) -> Result<Subject> {
        self.mark_read();
        self.inner.slot().prover(&self.origin()).await
    }

    /// Issues a CSRF token for the forms of this request's response, for browsers that send neither
    /// `Sec-Fetch-Site` nor `Origin`; see [`Csrf`](crate::route::Csrf). It is valid for the session that the
    /// cookie names, and no store is queried.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] when there is no cookie that could be a session's.
    ///
    /// # Example
    ///
    /// ```
    /// use clearance::{RequestContext, Result};
    ///
    /// fn form(request: &RequestContext) -> Result<String> {
    ///     let token = request.csrf_token()?.hidden_field();
    ///     Ok(format!(r#"<form method="post" action="/name">{token}<input name="name"></form>"#))
    /// }
    ///
    /// async fn rename(request: &RequestContext, token: &str, name: &str) -> Result<()> {
    ///     request.verify_csrf_token(token)?;
    ///     // and now the repository
    ///     # Ok(())
    /// }
    /// ```
    pub fn csrf_token(&self) -> Result<CsrfToken> {
        self.mark_read();
        let session = self.inner.slot().named()?;
        self.inner.slot().core()?.csrf.issue(&session)
    }

    /// Verifies the token that a form sent in the field [`CsrfToken::FIELD`]. A request that may come from
    /// another site cannot change anything before that.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] when it is no valid token of this request's session.
    pub fn verify_csrf_token(&self, token: &str) -> Result<()> {
        self.mark_read();
        let session = self.inner.slot().named();
        let core = self.inner.slot().core()?;
        if !session.is_ok_and(|session| core.csrf.verify(&session, token)) {
            events::forged_request("a wrong token");
            return Err(Error::forbidden());
        }
        self.inner.unproved.store(false, Ordering::Release);
        Ok(())
    }

    /// Records that `subject` has just authenticated again, at this assurance. The session's id and secret
    /// are rotated.
    ///
    /// The session has the assurance of this proof from now on, also where that is less than before.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] when `subject` is not the session's own: somebody else's proof is
    /// none. Otherwise as [`rotate_session`](Self::rotate_session).
    ///
    /// # Example
    ///
    /// ```
    /// use clearance::session::Assurance;
    /// use clearance::{Error, RequestContext, Result, Subject};
    ///
    /// # async fn has_password(_: &Subject, _: &str) -> bool { true }
    /// /// Whether the password was right.
    /// async fn prove_again(request: &RequestContext, password: &str) -> Result<bool> {
    ///     let subject = request.subject_to_prove().await?;
    ///     if !has_password(&subject, password).await {
    ///         return Ok(false);
    ///     }
    ///     request.step_up(&subject, Assurance::Aal1).await?;
    ///     Ok(true)
    /// }
    /// ```
    pub async fn step_up(&self, subject: &Subject, assurance: Assurance) -> Result<SessionId> {
        let subject = subject.clone();
        self.rotate(Rotation::StepUp { subject, assurance }).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<SessionId> {
        self.begin_change()?;
        let (slot, first) = (self.inner.slot(), &self.inner.first);
        let opened = slot.rotate(first, rotation, &self.origin()).await?;
        Ok(self.end_change(opened))
    }

    /// Restarts the session's idle timeout now, and returns when the session ends if it is not used again;
    /// `None` when there is no valid session. Every use does so too, at most once per touch interval: this is
    /// for a button that says "stay signed in".
    ///
    /// # Errors
    ///
    /// [`Error::is_step_up`] when a [hook](crate::session::SessionHooks::on_verify) asks for another
    /// proof, [`Error::is_unavailable`] when the store does not answer.
    pub async fn extend_session(&self) -> Result<Option<DateTime<Utc>>> {
        self.begin_change()?;
        match self
            .inner
            .slot()
            .extend(&self.inner.first, &self.origin())
            .await
        {
            Ok(extended) => {
                if let Some(opened) = extended.opened {
                    *lock(&self.inner.notes().set_cookies) = opened.set_cookies;
                }
                Ok(Some(extended.until))
            }
            Err(error) if error.is_unauthenticated() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the viewer of this request, if they authenticated recently and at sufficient assurance. The
    /// store and the viewer source are queried in this very call.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::verify_session`], and [`Error::is_step_up`] when the proof is too old or too
    /// weak: ask for another one, and then call [`step_up`](Self::step_up).
    pub async fn verify_fresh<V: Viewer>(&self, freshness: Freshness) -> Result<Fresh<V>> {
        let current = self.verify_current::<V>().await?;
        let loaded = Arc::clone(current.loaded());
        let fresh = freshness.check(current, self.now(), self.number());
        if fresh.is_err() {
            let slot = self.slot::<V>()?;
            slot.tell_step_up(&loaded, || self.origin()).await;
        }
        fresh
    }

    /// Checks that a proof still holds in this very call. It refuses one of another request, of a session
    /// that was left or ended since, or that is too old by now.
    async fn require_fresh<V: Viewer>(&self, proof: &Fresh<V>) -> Result<()> {
        proof.require(self.number())?;
        let now = self.verify_fresh::<V>(proof.freshness()).await?;
        if now.session_id() == proof.session_id() && now.subject() == proof.subject() {
            Ok(())
        } else {
            Err(Error::unauthenticated(Refusal::Unknown))
        }
    }

    /// Lists the living sessions of the viewer, newest first: the devices that are signed in.
    ///
    /// It requires a [`Fresh`] proof, because it shows the addresses from which the viewer signs in, and the
    /// ids by which sessions are ended ([ASVS 7.5.2](https://github.com/OWASP/ASVS)). Somebody at a browser
    /// that was left open gets [`Error::is_step_up`] of [`verify_fresh`](Self::verify_fresh) instead.
    ///
    /// # Errors
    ///
    /// As [`verify_fresh`](Self::verify_fresh), which is called again: a held proof is valid for as long as
    /// its session and its freshness. [`Error::is_misuse`] for a proof of another request, and under
    /// [`Strategy::Stateless`](crate::session::Strategy::Stateless), where there is no list.
    pub async fn list_sessions<V: Viewer>(&self, proof: &Fresh<V>) -> Result<Vec<SessionInfo>> {
        self.require_fresh(proof).await?;
        let records = self.inner.slot().core()?.list(proof.subject()).await?;
        let current = proof.session_id();
        let info = |record| SessionInfo::new(record, Some(current));
        Ok(records.into_iter().map(info).collect())
    }

    /// Ends one of the viewer's sessions; returns whether it existed. To end the one of this request, call
    /// [`sign_out`](Self::sign_out).
    ///
    /// For a stateless session it returns whether it was not ended by its id before, and so `true` for an id
    /// that no session has. Each such id is kept in the store for 400 days, the longest that a session can
    /// live: limit how often a viewer may call this.
    ///
    /// # Errors
    ///
    /// As [`list_sessions`](Self::list_sessions), and [`Error::is_misuse`] in a request with a safe method,
    /// such as `GET`. Where the store does not answer the session may still live.
    pub async fn revoke_session<V: Viewer>(&self, proof: &Fresh<V>, id: SessionId) -> Result<bool> {
        self.require_unsafe_method()?;
        self.require_fresh(proof).await?;
        let core = self.inner.slot().core()?;
        self.forget_memo();
        core.revoke(id, proof.subject(), None, Revocation::ById, &self.origin())
            .await
    }

    /// Ends all of the viewer's sessions but that of this request; returns how many. Stateless sessions are
    /// not counted: with them it returns 0, and this request's session gets a new id.
    ///
    /// # Errors
    ///
    /// As [`verify_fresh`](Self::verify_fresh), and [`Error::is_misuse`] for a proof of another request, when
    /// the response's headers are gone already, and in a request with a safe method, such as `GET`. Where
    /// the store does not answer the others may still live.
    pub async fn revoke_other_sessions<V: Viewer>(&self, proof: &Fresh<V>) -> Result<u64> {
        self.require_unsafe_method()?;
        self.require_fresh(proof).await?;
        self.begin_change()?;
        let others = self.inner.slot().revoke_others(&self.origin()).await?;
        if let Some(opened) = others.opened {
            self.end_change(opened);
        }
        Ok(others.ended)
    }

    /// Returns the part of the session that the application shows to its own pages.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::verify_session`].
    pub async fn session_view<V: Viewer>(&self) -> Result<SessionView> {
        let verified = self.verify_session::<V>().await?;
        let core = self.inner.slot().core()?;
        Ok(SessionView::new(&verified, &core.settings.shown))
    }

    /// Returns the application's data of this session; there may be none.
    ///
    /// Each session has data of its own, so there are none without a sign-in, and a new sign-in starts
    /// without data.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`] when there is no valid session, [`Error::is_step_up`] when a
    /// [hook](crate::session::SessionHooks::on_verify) asks for another proof,
    /// [`Error::is_unavailable`] when the store does not answer, [`Error::is_misuse`] under
    /// [`Strategy::Stateless`](crate::session::Strategy::Stateless), which keeps no data. What is
    /// stored and is not a `T` is an internal error.
    pub async fn session_data<T: DeserializeOwned>(&self) -> Result<SessionData<T>> {
        self.mark_read();
        let (slot, first) = (self.inner.slot(), &self.inner.first);
        let record = slot.record(first, &self.origin()).await?;
        let (data, version) = slot.core()?.data(&record).await?;
        let value = data
            .map(|data| serde_json::from_slice(&data))
            .transpose()
            .map_err(|_| Error::internal("the data of a session are not of the requested type"))?;
        Ok(SessionData::new(value, version))
    }

    /// Stores `data` with the session, as JSON, in place of the data that was [read](Self::session_data);
    /// `None` removes it. The data end with the session, and stay when it is rotated.
    ///
    /// Concurrent changes use optimistic locking: of two requests that change the same data the first wins,
    /// and the other one gets a conflict: read them again, make the change once more, and set them. Data that
    /// was set can be changed and set again.
    ///
    /// # Errors
    ///
    /// [`Error::is_conflict`] when they were changed or removed since they were read, or are of another
    /// session. As [`session_data`](Self::session_data), and [`Error::is_misuse`] for what cannot be written
    /// as JSON, and for `None` in a request with a safe method, as
    /// [`clear_session_data`](Self::clear_session_data).
    pub async fn set_session_data<T: Serialize>(&self, data: &mut SessionData<T>) -> Result<()> {
        let json = data.as_ref().map(serde_json::to_vec).transpose();
        let json =
            json.map_err(|_| Error::misuse("the data of a session cannot be serialized as JSON"))?;
        if json.is_none() {
            self.require_unsafe_method()?;
        }
        self.set_data(json.as_deref(), Some(data.version())).await?;
        data.written();
        Ok(())
    }

    /// Removes the application's data of this session, whatever their version.
    ///
    /// # Errors
    ///
    /// As [`session_data`](Self::session_data), and [`Error::is_misuse`] in a request with a safe method,
    /// such as `GET`.
    pub async fn clear_session_data(&self) -> Result<()> {
        self.require_unsafe_method()?;
        self.set_data(None, None).await
    }

    async fn set_data(&self, data: Option<&[u8]>, version: Option<&DataVersion>) -> Result<()> {
        self.require_proof()?;
        self.mark_read();
        let (slot, first) = (self.inner.slot(), &self.inner.first);
        let record = slot.record(first, &self.origin()).await?;
        slot.core()?.set_data(&record, data, version).await
    }

    /// Prepares a change of the session's cookie: refuses it once the response's headers are sent, and where
    /// the request may be forged, and clears the request's memos.
    fn begin_change(&self) -> Result<()> {
        if self.inner.finished.load(Ordering::Acquire) {
            return Err(Error::misuse(
                "the response's headers are sent, so no cookie can be set: do it before the response is returned",
            ));
        }
        self.require_proof()?;
        self.mark_read();
        self.forget_memo();
        Ok(())
    }

    fn end_change(&self, opened: Opened) -> SessionId {
        self.forget_memo();
        let id = opened.id();
        *lock(&self.inner.notes().set_cookies) = opened.set_cookies;
        id
    }
}
