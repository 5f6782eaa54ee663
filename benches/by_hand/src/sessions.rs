//! Sessions: a row for each sign-in, and a cache of those that were verified a moment ago.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use sqlx::{Row as _, SqlitePool};
use uuid::Uuid;

use crate::cookie::{Cookie, Credential};
use crate::failure::Failure;

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS sessions (
    id              BLOB    NOT NULL PRIMARY KEY,
    secret_hash     BLOB    NOT NULL,
    user_id         BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_seen_at    INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id);
CREATE INDEX IF NOT EXISTS sessions_by_idle_expiry ON sessions (idle_expires_at);";

const IDLE: TimeDelta = TimeDelta::minutes(30);
const ABSOLUTE: TimeDelta = TimeDelta::hours(8);
/// The least time between two writes of a session's last use.
const TOUCH_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// The age up to which a cached session is believed.
const CACHE_BOUND: Duration = Duration::from_secs(5);
const CACHE_CAPACITY: u64 = 100_000;

/// The viewer of a request.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) id: Uuid,
    pub(crate) is_admin: bool,
    pub(crate) team: Option<String>,
}

/// A session as it was in the table, with its viewer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) viewer: Viewer,
    last_seen_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(Clone)]
pub(crate) struct Sessions {
    pool: SqlitePool,
    cookie: Arc<Cookie>,
    cache: Cache<Credential, Arc<Session>>,
}

pub(crate) async fn create_table(pool: &SqlitePool) -> sqlx::Result<()> {
    sqlx::raw_sql(TABLE).execute(pool).await.map(|_| ())
}

impl Sessions {
    pub(crate) fn new(pool: SqlitePool, cookie: Cookie) -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHE_CAPACITY)
            .time_to_live(CACHE_BOUND)
            .support_invalidation_closures()
            .build();
        Self {
            pool,
            cookie: Arc::new(cookie),
            cache,
        }
    }

    /// Signs a user in: ends the session that the request came with, and returns the cookie of a new one.
    pub(crate) async fn sign_in(
        &self,
        user: Uuid,
        headers: &HeaderMap,
    ) -> Result<HeaderValue, Failure> {
        let now = Utc::now();
        let (credential, cookie) = self.cookie.issue(now + ABSOLUTE)?;
        let mut transaction = self.pool.begin().await?;
        let before = self.cookie.read(headers, now);
        if let Some(before) = before {
            sqlx::query("DELETE FROM sessions WHERE id = ? AND secret_hash = ?")
                .bind(before.id)
                .bind(&before.secret_hash[..])
                .execute(&mut *transaction)
                .await?;
        }
        let insert = sqlx::query(
            "INSERT INTO sessions (id, secret_hash, user_id, last_seen_at, idle_expires_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?)",
        );
        insert
            .bind(credential.id)
            .bind(&credential.secret_hash[..])
            .bind(user)
            .bind(now.timestamp_millis())
            .bind((now + IDLE).timestamp_millis())
            .bind((now + ABSOLUTE).timestamp_millis())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if let Some(before) = before {
            self.cache.invalidate(&before).await;
        }
        tracing::info!(%user, "signed in");
        Ok(cookie)
    }

    /// Verifies the session of a request: against the cache, or against the table. Requests of one session share
    /// one look-up.
    pub(crate) async fn verify(&self, headers: &HeaderMap) -> Result<Arc<Session>, Failure> {
        let now = Utc::now();
        let credential = self
            .cookie
            .read(headers, now)
            .ok_or(Failure::Unauthenticated)?;
        let found = self
            .cache
            .try_get_with(credential, self.load(credential))
            .await;
        let session = found.map_err(|failure| *failure)?;
        if now >= session.idle_expires_at || now >= session.expires_at {
            return Err(Failure::Unauthenticated);
        }
        if now - session.last_seen_at >= TOUCH_INTERVAL {
            self.touch(credential, &session, now).await?;
        }
        Ok(session)
    }

    async fn load(&self, credential: Credential) -> Result<Arc<Session>, Failure> {
        let select = sqlx::query(
            "SELECT s.secret_hash, s.last_seen_at, s.idle_expires_at, s.expires_at, u.id, u.role, u.team \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ? AND NOT u.suspended",
        );
        let found = select
            .bind(credential.id)
            .fetch_optional(&self.pool)
            .await?;
        let row = found.ok_or(Failure::Unauthenticated)?;
        let stored: Vec<u8> = row.try_get("secret_hash")?;
        verify_slices_are_equal(&stored, &credential.secret_hash)
            .map_err(|_| Failure::Unauthenticated)?;
        let instant = |column: &str| -> Result<DateTime<Utc>, Failure> {
            DateTime::from_timestamp_millis(row.try_get(column)?).ok_or(Failure::Internal)
        };
        Ok(Arc::new(Session {
            viewer: Viewer {
                id: row.try_get("id")?,
                is_admin: row.try_get::<&str, _>("role")? == "admin",
                team: row.try_get("team")?,
            },
            last_seen_at: instant("last_seen_at")?,
            idle_expires_at: instant("idle_expires_at")?,
            expires_at: instant("expires_at")?,
        }))
    }

    /// Extends the idle timeout, and never beyond the absolute one.
    async fn touch(
        &self,
        credential: Credential,
        session: &Session,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let idle_expires_at = (now + IDLE).min(session.expires_at);
        sqlx::query("UPDATE sessions SET last_seen_at = ?, idle_expires_at = ? WHERE id = ?")
            .bind(now.timestamp_millis())
            .bind(idle_expires_at.timestamp_millis())
            .bind(credential.id)
            .execute(&self.pool)
            .await?;
        self.cache.invalidate(&credential).await;
        Ok(())
    }

    /// Ends the session of a request, and returns the header that removes its cookie.
    pub(crate) async fn sign_out(&self, headers: &HeaderMap) -> Result<HeaderValue, Failure> {
        if let Some(credential) = self.cookie.read(headers, Utc::now()) {
            sqlx::query("DELETE FROM sessions WHERE id = ? AND secret_hash = ?")
                .bind(credential.id)
                .bind(&credential.secret_hash[..])
                .execute(&self.pool)
                .await?;
            self.cache.invalidate(&credential).await;
            tracing::info!("signed out");
        }
        self.cookie.removal()
    }

    /// Ends all sessions of a user. A look-up that is under way may still be cached, for the cache bound.
    pub(crate) async fn revoke_all(&self, user: Uuid) -> Result<HeaderValue, Failure> {
        let deleted = sqlx::query("DELETE FROM sessions WHERE user_id = ?")
            .bind(user)
            .execute(&self.pool)
            .await?;
        let is_theirs = move |_: &Credential, session: &Arc<Session>| session.viewer.id == user;
        self.cache
            .invalidate_entries_if(is_theirs)
            .map_err(|_| Failure::Internal)?;
        tracing::info!(%user, sessions = deleted.rows_affected(), "signed out everywhere");
        self.cookie.removal()
    }

    /// Deletes expired sessions, which are refused without it too.
    pub(crate) async fn sweep(&self) -> Result<u64, Failure> {
        let now = Utc::now().timestamp_millis();
        let deleted = sqlx::query("DELETE FROM sessions WHERE idle_expires_at <= ?")
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected())
    }
}
