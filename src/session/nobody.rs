//! The session state of a test's request without a viewer.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::HeaderValue;

use super::level::{First, LoadedSession, Optimistic};
use super::lifecycle::{Extended, Opened, Others, Rotation, SessionManager};
use super::origin::Origin;
use super::request_session::ErasedRequestSession;
use super::sign_in::SignIn;
use super::store::SessionRecord;
use super::ticket::Ticket;
use crate::driver::DatabaseId;
use crate::error::{Error, Refusal, Result};
use crate::viewer::Subject;

/// A session state that refuses everything.
pub(crate) struct Nobody;

impl Nobody {
    fn refused<T>() -> Result<T> {
        Err(Error::unauthenticated(Refusal::Missing))
    }

    fn no_sessions() -> Error {
        Error::misuse("a context with nobody has no sessions: build one from `Sessions`")
    }
}

#[async_trait]
impl ErasedRequestSession for Nobody {
    fn optimistic(&self, _: &dyn Fn() -> Origin) -> Result<Optimistic> {
        Self::refused()
    }

    async fn sign_in(&self, _: &First, _: &SignIn, _: &Origin) -> Result<Opened> {
        Err(Self::no_sessions())
    }

    async fn sign_out(&self, _: &First, _: &Origin) -> Result<Vec<HeaderValue>> {
        Err(Self::no_sessions())
    }

    async fn rotate(&self, _: &First, _: Rotation, _: &Origin) -> Result<Opened> {
        Self::refused()
    }

    async fn prover(&self, _: &Origin) -> Result<Subject> {
        Self::refused()
    }

    async fn extend(&self, _: &First, _: &Origin) -> Result<Extended> {
        Self::refused()
    }

    async fn revoke_others(&self, _: &Origin) -> Result<Others> {
        Self::refused()
    }

    fn leftovers(&self, _: &First) -> Vec<HeaderValue> {
        Vec::new()
    }

    async fn record(&self, _: &First, _: &Origin) -> Result<SessionRecord> {
        Self::refused()
    }

    fn core(&self) -> Result<&SessionManager> {
        Err(Self::no_sessions())
    }

    fn named(&self) -> Result<Ticket> {
        Self::refused()
    }

    async fn found(&self, _: &First, _: &Origin) -> Result<Arc<LoadedSession>> {
        Self::refused()
    }

    fn fork(&self) -> Box<dyn ErasedRequestSession> {
        Box::new(Self)
    }

    fn renew(&self, _: &First) {}

    fn now(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn database(&self) -> Option<DatabaseId> {
        None
    }

    fn other_viewer(&self) -> Error {
        Error::unauthenticated(Refusal::Missing)
    }
}
