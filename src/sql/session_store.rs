//! Sessions in a table of the application's database.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait as _, Order, Query, SelectStatement};

use super::db::{DatabaseId, Db};
use super::dialect::Dialect;
use super::row::Row;
use crate::error::Error;
use crate::policy::{Cell, Kind, Value};
use crate::session::{Created, SecretHash, SessionId, SessionRecord, SessionStore, StoreError};
use crate::viewer::Subject;

const TABLE: &str = "clearance_sessions";
const ID: &str = "id";
const SECRET_HASH: &str = "secret_hash";
const SUBJECT: &str = "subject";
const CREATED_AT: &str = "created_at";
const LAST_SEEN_AT: &str = "last_seen_at";
const IDLE_EXPIRES_AT: &str = "idle_expires_at";
const EXPIRES_AT: &str = "expires_at";

/// The columns in the order in which a record is read and written. Instants are microseconds
/// since 1970.
pub(super) const COLUMNS: [&str; 7] = [
    ID,
    SECRET_HASH,
    SUBJECT,
    CREATED_AT,
    LAST_SEEN_AT,
    IDLE_EXPIRES_AT,
    EXPIRES_AT,
];

/// Keeps sessions in the table `clearance_sessions`, which [`Db::migrate`] creates.
///
/// When the application's own data is in the same database, a write tests the session within its
/// own statement.
///
/// # Example
///
/// ```
/// use clearance::Db;
/// use clearance::session::SessionStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let db = Db::connect("sqlite::memory:").await?;
/// db.migrate().await?;
/// let store = db.session_store();
/// assert_eq!(store.sweep("2026-01-01T00:00:00Z".parse()?).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqlSessionStore {
    db: Db,
}

impl Db {
    /// A session store in this database.
    #[must_use]
    pub fn session_store(&self) -> SqlSessionStore {
        SqlSessionStore { db: self.clone() }
    }
}

impl SqlSessionStore {
    pub(crate) fn database(&self) -> DatabaseId {
        self.db.id()
    }
}

impl fmt::Debug for SqlSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSessionStore").finish_non_exhaustive()
    }
}

/// What a write puts into its own statement, so that it does nothing once the session is over.
#[derive(Clone)]
pub(crate) struct StatementGuard {
    /// Its id, the hash of its secret, and the time in microseconds since 1970.
    values: [Value; 3],
}

impl StatementGuard {
    pub(crate) fn new(id: SessionId, secret_hash: SecretHash, now: DateTime<Utc>) -> Self {
        Self {
            values: [
                Value::Text(id.to_string()),
                Value::Bytes(secret_hash.as_bytes().to_vec()),
                Value::Int(micros(now)),
            ],
        }
    }

    pub(super) const fn values(&self) -> &[Value; 3] {
        &self.values
    }

    pub(super) const fn values_mut(&mut self) -> &mut [Value; 3] {
        &mut self.values
    }
}

/// `EXISTS` over the session of `guard`, for a statement that writes. A revocation takes the session
/// before the statement finds it, or waits until the write is done.
pub(super) fn session_exists(dialect: Dialect, guard: &StatementGuard) -> Expr {
    let mut session = session(dialect, guard);
    dialect.keep(&mut session);
    Expr::exists(session)
}

/// A row where the session of `guard` stands, which then stands until the transaction ends.
pub(crate) fn session_lock(dialect: Dialect, guard: &StatementGuard) -> SelectStatement {
    let mut session = session(dialect, guard);
    dialect.keep_read(&mut session);
    session
}

fn session(dialect: Dialect, guard: &StatementGuard) -> SelectStatement {
    let [id, secret_hash, now] = guard.values();
    Query::select()
        .expr(Expr::cust("1"))
        .from(TABLE)
        .and_where(Expr::col((TABLE, ID)).eq(dialect.bind(id)))
        .and_where(Expr::col((TABLE, SECRET_HASH)).eq(dialect.bind(secret_hash)))
        .and_where(Expr::col((TABLE, IDLE_EXPIRES_AT)).gt(dialect.bind(now)))
        .and_where(Expr::col((TABLE, EXPIRES_AT)).gt(dialect.bind(now)))
        .take()
}

/// The session of `id` if it lives, its columns first, for a statement that may ask for more.
pub(super) fn living(id: SessionId, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .columns(COLUMNS.map(|column| (TABLE, column)))
        .from(TABLE)
        .and_where(Expr::col((TABLE, ID)).eq(id.to_string()))
        .cond_where(lives(micros(now)))
        .take()
}

/// The subject of a session, to be compared with a column of text.
#[cfg(feature = "accounts")]
pub(super) fn subject(dialect: Dialect) -> Expr {
    dialect.kept_as_bytes(Expr::col((TABLE, SUBJECT)))
}

fn lives(now: i64) -> Condition {
    Condition::all()
        .add(Expr::col(IDLE_EXPIRES_AT).gt(now))
        .add(Expr::col(EXPIRES_AT).gt(now))
}

fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// An outage stays one; anything else that a database says of these statements means that the
/// table is not what it should be.
fn failed(error: &Error) -> StoreError {
    if error.is_unavailable() {
        StoreError::outage()
    } else {
        StoreError::malformed()
    }
}

pub(super) fn record(row: &Row) -> Option<SessionRecord> {
    let text = |index| match row.cell(index, Kind::Text) {
        Ok(Cell::Text(text)) => Some(text.to_owned()),
        _ => None,
    };
    let instant = |index| match row.cell(index, Kind::Int) {
        Ok(Cell::Int(micros)) => DateTime::from_timestamp_micros(micros),
        _ => None,
    };
    let hash: [u8; 32] = match row.cell(1, Kind::Bytes) {
        Ok(Cell::Bytes(bytes)) => (*bytes).try_into().ok()?,
        _ => return None,
    };
    Some(SessionRecord {
        id: text(0)?.parse().ok()?,
        secret_hash: SecretHash::from_bytes(hash),
        subject: Subject::new(text(2)?),
        created_at: instant(3)?,
        last_seen_at: instant(4)?,
        idle_expires_at: instant(5)?,
        expires_at: instant(6)?,
    })
}

#[async_trait]
impl SessionStore for SqlSessionStore {
    async fn create(&self, record: &SessionRecord) -> Result<Created, StoreError> {
        let mut insert = Query::insert();
        insert
            .into_table(TABLE)
            .columns(COLUMNS)
            .values([
                record.id.to_string().into(),
                record.secret_hash.as_bytes().to_vec().into(),
                record.subject.as_str().into(),
                micros(record.created_at).into(),
                micros(record.last_seen_at).into(),
                micros(record.idle_expires_at).into(),
                micros(record.expires_at).into(),
            ])
            .map_err(|_| StoreError::malformed())?;
        match self.db.execute(&insert).await {
            Ok(_) => Ok(Created::Stored),
            // The key is the only constraint that a whole record can stand against.
            Err(error) if error.is_conflict() => Ok(Created::IdTaken),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn load(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.db
            .fetch_optional(&living(id, now))
            .await
            .map_err(|error| failed(&error))?
            .map(|row| record(&row).ok_or(StoreError::malformed()))
            .transpose()
    }

    async fn touch(&self, record: &SessionRecord) -> Result<bool, StoreError> {
        let update = Query::update()
            .table(TABLE)
            .value(LAST_SEEN_AT, micros(record.last_seen_at))
            .value(IDLE_EXPIRES_AT, micros(record.idle_expires_at))
            .and_where(Expr::col(ID).eq(record.id.to_string()))
            .and_where(Expr::col(SECRET_HASH).eq(record.secret_hash.as_bytes().to_vec()))
            .cond_where(lives(micros(record.last_seen_at)))
            .take();
        self.db
            .execute(&update)
            .await
            .map(|rows| rows.count > 0)
            .map_err(|error| failed(&error))
    }

    async fn delete(&self, id: SessionId, subject: &Subject) -> Result<bool, StoreError> {
        let delete = Query::delete()
            .from_table(TABLE)
            .and_where(Expr::col(ID).eq(id.to_string()))
            .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
            .take();
        self.db
            .execute(&delete)
            .await
            .map(|rows| rows.count > 0)
            .map_err(|error| failed(&error))
    }

    async fn delete_all(
        &self,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let delete = Query::delete()
            .from_table(TABLE)
            .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
            .and_where_option(keep.map(|id| Expr::col(ID).ne(id.to_string())))
            .take();
        self.db
            .execute(&delete)
            .await
            .map(|rows| rows.count)
            .map_err(|error| failed(&error))
    }

    async fn list(
        &self,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let select = Query::select()
            .columns(COLUMNS)
            .from(TABLE)
            .and_where(Expr::col(SUBJECT).eq(subject.as_str()))
            .cond_where(lives(micros(now)))
            .order_by(CREATED_AT, Order::Desc)
            .order_by(ID, Order::Asc)
            .take();
        let mut found = Vec::new();
        let mut malformed = false;
        self.db
            .fetch_each(&select, |row| {
                match record(&row) {
                    Some(record) => found.push(record),
                    None => malformed = true,
                }
                Ok(())
            })
            .await
            .map_err(|error| failed(&error))?;
        if malformed {
            return Err(StoreError::malformed());
        }
        Ok(found)
    }

    async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let now = micros(now);
        let delete = Query::delete()
            .from_table(TABLE)
            .cond_where(
                Condition::any()
                    .add(Expr::col(IDLE_EXPIRES_AT).lte(now))
                    .add(Expr::col(EXPIRES_AT).lte(now)),
            )
            .take();
        self.db
            .execute(&delete)
            .await
            .map(|rows| rows.count)
            .map_err(|error| failed(&error))
    }
}

#[cfg(all(test, feature = "sqlite", feature = "testing"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::Arc;
    use std::time::Duration;

    use http::HeaderMap;

    use super::*;
    use crate::request::RequestContext;
    use crate::session::{Key, Sessions, SessionsBuilder, Verified};
    use crate::testing::{ManualClock, as_viewer};
    use crate::viewer::{SourceError, Viewer, ViewerSource};

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
        headers.insert("cookie", session.into_set_cookie());
        let context = RequestContext::new(sessions, &headers);
        let verified = context.verify_session().await.unwrap();
        (context, verified)
    }

    fn clock() -> ManualClock {
        ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())
    }

    /// Whether a statement with the guard in it finds its session.
    async fn finds(db: &Db, guard: &StatementGuard) -> bool {
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
            StatementGuard::new(verified.loaded().id, secret_hash, crate::Clock::now(&clock));
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
        let wrapped = Sessions::builder(key(), erased, Members);
        let (context, verified) = signed_in(&sessions(wrapped, &clock())).await;
        assert!(context.statement_guard(&verified, db.id()).is_none());

        let given = as_viewer(Member(Subject::new("ada")));
        assert!(given.statement_guard(&verified, db.id()).is_none());
    }
}
