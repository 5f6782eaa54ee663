//! The check of a writer's session within the statement that writes, so that no revocation comes in between
//! (TOCTOU).

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _, Query, SelectStatement};

use super::session_row::{EXPIRES_AT, ID, IDLE_EXPIRES_AT, SECRET_HASH, TABLE, micros};
use crate::driver::{Db, Dialect, Unit};
use crate::error::{Error, Refusal, Result};
use crate::policy::Value;
use crate::session::{SecretHash, SessionId};

/// The alias of the table of sessions in the statements of others (decision 52).
const SESSION: &str = "session";

/// The condition of a write on its session: the statement has no effect once the session is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SessionCheck {
    /// The id, the hash of the secret, and the time in microseconds since 1970.
    values: [Value; 3],
    /// Set if a revocation waits until the transaction of the statement ends.
    holds: bool,
}

impl SessionCheck {
    pub(crate) fn new(id: SessionId, secret_hash: SecretHash, now: DateTime<Utc>) -> Self {
        Self {
            values: [
                Value::Text(id.to_string()),
                Value::Bytes(secret_hash.as_bytes().to_vec()),
                Value::Int(micros(now)),
            ],
            holds: true,
        }
    }

    /// Returns whether it is for the same session, at whatever time.
    fn is_of_same_session(&self, other: &Self) -> bool {
        let ([own @ .., _], [others @ .., _]) = (&self.values, &other.values);
        own == others
    }

    pub(super) const fn holds(&self) -> bool {
        self.holds
    }

    pub(super) const fn values(&self) -> &[Value; 3] {
        &self.values
    }

    pub(super) const fn values_mut(&mut self) -> &mut [Value; 3] {
        &mut self.values
    }
}

/// The sessions that the commit of a transaction checks once more.
#[derive(Default)]
struct CheckedAgain(Vec<SessionCheck>);

/// Renders `EXISTS` over the session of `guard`, for a writing statement. A revocation ends the session
/// before the statement finds it, or waits until the write is done; otherwise the commit checks the session
/// once more.
pub(super) fn session_exists(dialect: Dialect, guard: &SessionCheck) -> Expr {
    Expr::exists(session(dialect, guard))
}

fn session(dialect: Dialect, guard: &SessionCheck) -> SelectStatement {
    let [id, secret_hash, now] = guard.values();
    let column = |name| Expr::col((SESSION, name));
    let stands = (column(ID).eq(dialect.bind(id)))
        .and(column(SECRET_HASH).eq(dialect.bind(secret_hash)))
        .and(column(IDLE_EXPIRES_AT).gt(dialect.bind(now)))
        .and(column(EXPIRES_AT).gt(dialect.bind(now)));
    let mut session = Query::select();
    session.expr(Expr::cust("1")).from_as(TABLE, SESSION);
    if guard.holds {
        dialect.keep(&mut session, stands);
    } else {
        session.and_where(stands);
    }
    session
}

impl Db {
    /// Returns the guard for a statement of this handle.
    ///
    /// A transaction of the application may be open for long, and a revocation that waits for it would
    /// fail. On PostgreSQL its statements therefore only read the session, and its commit locks it
    /// (decision 70). The other engines lock the rows that a statement reads in any case.
    pub(super) fn guarded<'a>(
        &self,
        guard: Option<&'a SessionCheck>,
    ) -> Option<Cow<'a, SessionCheck>> {
        let guard = guard?;
        match self.unit() {
            Some(unit) if unit.is_of_application() && self.dialect().locks_on_demand() => {
                unit.note(|CheckedAgain(checks)| {
                    // The time of the last statement counts for the whole session.
                    checks.retain(|known| !known.is_of_same_session(guard));
                    checks.push(guard.clone());
                });
                let holds = false;
                Some(Cow::Owned(SessionCheck {
                    holds,
                    ..guard.clone()
                }))
            }
            Some(_) | None => Some(Cow::Borrowed(guard)),
        }
    }

    /// Returns whether the session of `guard` is valid. It then remains so until the transaction commits,
    /// or the commit is refused.
    pub(crate) async fn holds_session(&self, guard: &SessionCheck) -> Result<bool> {
        let Some(guard) = self.guarded(Some(guard)) else {
            return Ok(true);
        };
        let found = self
            .fetch_optional(&session(self.dialect(), &guard))
            .await?;
        Ok(found.is_some())
    }

    /// Refuses the commit if a session that a statement of the transaction relied on has ended.
    pub(crate) async fn require_sessions(&self) -> Result<()> {
        let guards = |unit: &Unit| unit.note(|CheckedAgain(checks)| checks.clone());
        for guard in &self.unit().map(guards).unwrap_or_default() {
            let session = session(self.dialect(), guard);
            if self.fetch_optional(&session).await?.is_none() {
                return Err(Error::unauthenticated(Refusal::Unknown));
            }
        }
        self.require_tokens().await
    }
}

#[cfg(all(test, feature = "sqlite", feature = "testing"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::Arc;
    use std::time::Duration;

    use http::HeaderMap;

    use async_trait::async_trait;

    use super::*;
    use crate::request::RequestContext;
    use crate::session::viewer_source::{SourceError, ViewerSource};
    use crate::session::{
        Key, MemorySessionStore, SessionStore, Sessions, SessionsBuilder, Verified,
    };
    use crate::testing::{ManualClock, as_viewer};
    use crate::viewer::{Subject, Viewer};

    struct Member(Subject);

    impl Viewer for Member {
        fn subject(&self) -> Subject {
            self.0.clone()
        }
    }

    struct Members;

    #[async_trait]
    impl ViewerSource<Member> for Members {
        async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
            Ok(Some(Member(subject.clone())))
        }
    }

    async fn database() -> (tempfile::TempDir, Db) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let db = Db::connect(&format!("sqlite://{}?mode=rwc", path.display()))
            .await
            .unwrap();
        db.migrate().await.unwrap();
        (directory, db)
    }

    fn sessions(builder: SessionsBuilder<Member>, clock: &ManualClock) -> Sessions<Member> {
        builder
            .app_url("https://app.example")
            .clock(clock.clone())
            .build()
            .unwrap()
    }

    async fn signed_in(sessions: &Sessions<Member>) -> (RequestContext, Verified<Member>) {
        let session = sessions.create(&Subject::new("ada")).await.unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", session.into_set_cookies().remove(0));
        let context = RequestContext::new(sessions, &headers);
        let verified = context.verify_session().await.unwrap();
        (context, verified)
    }

    fn clock() -> ManualClock {
        ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())
    }

    /// Returns whether a statement with the guard finds its session.
    async fn finds(db: &Db, guard: &SessionCheck) -> bool {
        let select = Query::select()
            .expr(session_exists(db.dialect(), guard))
            .take();
        let row = db.fetch_optional(&select).await.unwrap().unwrap();
        row.flag(0).unwrap()
    }

    #[tokio::test]
    async fn sd_06_a_statement_tests_the_session_that_is_there_now() {
        let (_directory, db) = database().await;
        let clock = clock();
        let builder = Sessions::builder(Key::generate().unwrap(), db.session_store(), Members);
        let sessions = sessions(builder, &clock);
        let (context, verified) = signed_in(&sessions).await;
        let guard = || context.statement_guard(&verified, db.id()).unwrap();
        assert!(finds(&db, &guard()).await);

        let secret_hash = SecretHash::from_bytes([0; 32]);
        let foreign =
            SessionCheck::new(verified.loaded().id, secret_hash, crate::Clock::now(&clock));
        assert!(!finds(&db, &foreign).await);

        let idle = Duration::from_secs(7 * 24 * 60 * 60);
        clock.advance(idle - Duration::from_micros(1));
        assert!(finds(&db, &guard()).await);
        clock.advance(Duration::from_micros(1));
        assert!(!finds(&db, &guard()).await);

        let (context, verified) = signed_in(&sessions).await;
        let guard = context.statement_guard(&verified, db.id()).unwrap();
        assert!(finds(&db, &guard).await);
        sessions.revoke_all(verified.subject()).await.unwrap();
        assert!(!finds(&db, &guard).await);
    }

    #[tokio::test]
    async fn sd_06_only_sessions_of_the_same_database_are_tested_within_a_statement() {
        let (_directory, db) = database().await;
        let (_other_directory, other) = database().await;
        let key = || Key::generate().unwrap();

        let shared = Sessions::builder(key(), Arc::new(db.session_store()), Members);
        let (context, verified) = signed_in(&sessions(shared, &clock())).await;
        assert!(context.statement_guard(&verified, db.id()).is_some());
        assert!(context.statement_guard(&verified, other.id()).is_none());

        let erased: Arc<dyn SessionStore> = Arc::new(db.session_store());
        let erased = Sessions::builder(key(), erased, Members);
        let (context, verified) = signed_in(&sessions(erased, &clock())).await;
        assert!(context.statement_guard(&verified, db.id()).is_some());

        let elsewhere = Sessions::builder(key(), MemorySessionStore::new(), Members);
        let (context, verified) = signed_in(&sessions(elsewhere, &clock())).await;
        assert!(context.statement_guard(&verified, db.id()).is_none());

        let given = as_viewer(Member(Subject::new("ada")));
        assert!(given.statement_guard(&verified, db.id()).is_none());
    }
}
