//! The account kit: users, accounts and verification tokens in tables of each engine.

mod races;
mod schema;
mod secrets;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use clearance::account::{
    Account, AccountId, AccountKind, Adapter, AdapterError, Email, EndsSessions, NewUser,
    SessionAdapter as _, SqlAdapter, UserChange, UserEmail, VerificationToken,
};
use clearance::session::{
    Assurance, MemorySessionStore, SecretHash, SessionId, SessionRecord, SessionStore,
};
use clearance::testing::{ManualClock, check_adapter, check_session_adapter};
use clearance::{
    Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
};
use sqlx::AssertSqlSafe;

use crate::engines::{Database, Engine, TestPool, database, engine};
use crate::logs::Capture;

fn now() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn key(number: u8) -> Key {
    Key::from_bytes(&(0..32).map(|byte| byte ^ number).collect::<Vec<u8>>()).unwrap()
}

async fn kit() -> (Database, SqlAdapter) {
    let database = database("").await;
    database.db.migrate_accounts().await.unwrap();
    let adapter = SqlAdapter::new(&database.db, key(1)).unwrap();
    (database, adapter)
}

fn account(id: &str) -> Account {
    let id = AccountId::new("github", id).unwrap();
    Account::new(id, AccountKind::OAuth)
}

fn with_email(email: &str) -> NewUser {
    NewUser {
        email: Some(UserEmail::unverified(email.parse().unwrap())),
        ..NewUser::default()
    }
}

/// What a query of the test's own gives, one text a row.
#[expect(
    clippy::disallowed_methods,
    reason = "the test looks behind the library"
)]
async fn texts(pool: &TestPool, sql: &str) -> Vec<String> {
    let sql = || AssertSqlSafe(sql.to_owned());
    match pool {
        TestPool::Sqlite(pool) => sqlx::query_scalar(sql()).fetch_all(pool).await.unwrap(),
        TestPool::Postgres(pool) => sqlx::query_scalar(sql()).fetch_all(pool).await.unwrap(),
        TestPool::Mysql(pool) => sqlx::query_scalar(sql()).fetch_all(pool).await.unwrap(),
    }
}

async fn count(pool: &TestPool, table: &str) -> usize {
    let text = match engine() {
        Engine::Sqlite | Engine::Postgres => "TEXT",
        Engine::Mysql => "CHAR",
    };
    let sql = format!("SELECT CAST(COUNT(*) AS {text}) FROM {table}");
    texts(pool, &sql).await.remove(0).parse().unwrap()
}

#[tokio::test]
async fn ad_01_ad_02_ad_03_ad_05_ad_06_ad_07_ad_10_the_adapter_of_each_engine_keeps_the_contract() {
    let (_database, adapter) = kit().await;
    check_adapter(&adapter).await.unwrap();
}

#[tokio::test]
async fn ad_04_ad_07_sessions_beside_users_keep_the_contract() {
    let (_database, adapter) = kit().await;
    check_session_adapter(&adapter).await.unwrap();
}

#[tokio::test]
async fn ad_07_the_adapter_is_object_safe() {
    let (_database, adapter) = kit().await;
    let adapter: Arc<dyn Adapter> = Arc::new(adapter);
    let user = adapter
        .create_user(&NewUser::default(), now())
        .await
        .unwrap();
    assert_eq!(adapter.get_user(&user.id).await.unwrap(), Some(user));
}

#[tokio::test]
async fn sd_12_a_session_and_its_user_come_with_one_statement() {
    const STATEMENT: &str = "clearance::sql: statement=";

    let (database, adapter) = kit().await;
    let new = with_email("ada@example.com");
    let user = adapter.create_user(&new, now()).await.unwrap();
    let session = SessionRecord {
        id: SessionId::from_bytes([7; 16]),
        secret_hash: SecretHash::from_bytes([8; 32]),
        subject: user.id.clone(),
        created_at: now(),
        authenticated_at: now(),
        assurance: Assurance::Aal1,
        last_seen_at: now(),
        idle_expires_at: now() + TimeDelta::hours(1),
        expires_at: now() + TimeDelta::days(1),
        persistent: true,
        address: None,
        agent: None,
        claims: "{}".to_owned(),
    };
    adapter.create_session(&session).await.unwrap();

    let logs = Capture::start();
    let found = adapter.get_session_and_user(session.id, now()).await;
    assert_eq!(found.unwrap(), Some((session.clone(), user.clone())));
    assert_eq!(logs.count(STATEMENT), 1);

    let store = database.db.session_store().load(session.id, now()).await;
    assert_eq!(store.unwrap(), Some(session));
    assert_eq!(adapter.get_user(&user.id).await.unwrap(), Some(user));
    assert_eq!(logs.count(STATEMENT), 3, "apart they are two");
}

/// A suite that no adapter can fail would show nothing.
#[tokio::test]
async fn ad_07_the_contract_finds_an_adapter_that_gives_no_answer() {
    let (database, adapter) = kit().await;
    database.db.close().await;
    assert!(check_adapter(&adapter).await.is_err());
    assert!(check_session_adapter(&adapter).await.is_err());
}

#[tokio::test]
async fn ad_07_an_outage_is_unavailable_and_a_missing_table_is_an_error() {
    let database = database("").await;
    database.db.migrate().await.unwrap();
    let adapter = SqlAdapter::new(&database.db, key(1)).unwrap();
    let error = adapter.get_user(&Subject::new("ada")).await.unwrap_err();
    assert_eq!(clearance::Error::from(error).status(), 500);
    database.db.close().await;
    let error = adapter.get_user(&Subject::new("ada")).await.unwrap_err();
    assert_eq!(error, AdapterError::outage());
    assert!(clearance::Error::from(error).is_unavailable());
}

#[test]
fn ad_01_addresses_are_those_of_an_email_field() {
    let label = "a".repeat(63);
    let long = format!("{}@{label}.{label}.{}", "l".repeat(64), "a".repeat(61));
    assert_eq!(long.len(), 254);
    for valid in [
        "a@b",
        "Ada.Lovelace+tag@mail.example.co.uk",
        "!#$%&'*+/=?^_`{|}~-.@x-y.example",
        "a@1.2",
        &long,
    ] {
        assert_eq!(valid.parse::<Email>().unwrap().as_str(), valid);
    }
    for invalid in [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "ada@example..com",
        "ada@.example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@exa_mple.com",
        "ada@example.com.",
        " ada@example.com",
        "ada@example.com ",
        "a da@example.com",
        "ada@example.com\nbcc: eve@example.com",
        "ada@example.com,eve@example.com",
        "ada@eve@example.com",
        "<ada@example.com>",
        "\"ada\"@example.com",
        "ad\u{e4}@example.com",
        "ada@\u{212a}elvin.example",
        "ada@example.com\0",
        &format!("{}@example.com", "l".repeat(65)),
        &format!("ada@{}", "a".repeat(64)),
        &format!("l{long}"),
        &format!("{long}a"),
    ] {
        assert!(invalid.parse::<Email>().unwrap_err().is_invalid());
    }
}

/// The database itself says that they are one, also to who writes past the library.
#[tokio::test]
async fn ad_01_addresses_that_differ_in_case_are_one_in_the_database_itself() {
    let (database, adapter) = kit().await;
    let insert = |id: &str, email: &str| {
        format!("INSERT INTO clearance_users (id, email, created_at) VALUES ('{id}', '{email}', 0)")
    };
    database.pool.execute(&insert("1", "Ada@Example.com")).await;
    let user = adapter
        .get_user_by_email(&"aDA@example.COM".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user.id.as_str(), "1");
    assert_eq!(user.email.unwrap().address.as_str(), "Ada@Example.com");
    let again = insert("2", "ada@example.com");
    let pool = database.pool.clone();
    let refused = tokio::spawn(async move { pool.execute(&again).await }).await;
    assert!(refused.unwrap_err().is_panic());
    assert_eq!(count(&database.pool, "clearance_users").await, 1);
}

#[tokio::test]
async fn ad_01_a_new_address_does_not_take_over_that_the_old_one_was_verified() {
    let (_database, adapter) = kit().await;
    let new = NewUser {
        email: Some(UserEmail::verified(
            "ada@example.com".parse().unwrap(),
            now(),
        )),
        ..NewUser::default()
    };
    let user = adapter.create_user(&new, now()).await.unwrap();
    let change = UserChange {
        email: Some(with_email("eve@example.com").email),
        ..UserChange::default()
    };
    let user = adapter.update_user(&user.id, &change).await.unwrap();
    assert_eq!(user.unwrap().email.unwrap().verified_at, None);
}

#[tokio::test]
async fn rb_07_a_user_without_a_role_is_a_viewer_in_the_database_itself() {
    let (database, adapter) = kit().await;
    database
        .pool
        .execute("INSERT INTO clearance_users (id, created_at) VALUES ('ada', 0)")
        .await;
    let roles = texts(&database.pool, "SELECT role FROM clearance_users").await;
    assert_eq!(roles, ["viewer"]);
    let user = adapter.get_user(&Subject::new("ada")).await.unwrap();
    assert_eq!(user.unwrap().role, "viewer");
    let user = adapter
        .create_user(&NewUser::default(), now())
        .await
        .unwrap();
    assert_eq!(user.role, "viewer");
}

#[tokio::test]
async fn ad_06_accounts_go_with_a_user_who_is_deleted_behind_the_library() {
    let (database, adapter) = kit().await;
    for name in ["ada", "eve"] {
        adapter
            .find_or_create_user_by_account(&account(name), &NewUser::default(), now())
            .await
            .unwrap();
    }
    let eve = AccountId::new("github", "eve").unwrap();
    let kept = adapter.get_user_by_account(&eve).await.unwrap().unwrap();
    database
        .pool
        .execute(&format!(
            "DELETE FROM clearance_users WHERE id <> '{}'",
            kept.id
        ))
        .await;
    assert_eq!(count(&database.pool, "clearance_accounts").await, 1);
    assert_eq!(adapter.get_user_by_account(&eve).await.unwrap(), Some(kept));
}

struct Member(Subject);

impl Viewer for Member {
    fn subject(&self) -> Subject {
        self.0.clone()
    }
}

struct Members(SqlAdapter);

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        let user = self.0.get_user(subject).await?;
        Ok(user.map(|user| Member(user.id)))
    }
}

async fn verify(sessions: &Sessions<Member>, cookie: &http::HeaderValue) -> clearance::Result<()> {
    let mut headers = http::HeaderMap::new();
    headers.insert("cookie", cookie.clone());
    let context = RequestContext::new(sessions, &headers);
    context.verify_session::<Member>().await.map(drop)
}

fn sessions(store: impl SessionStore, adapter: &SqlAdapter) -> Sessions<Member> {
    Sessions::builder(key(1), store, Members(adapter.clone()))
        .app_url("https://app.example")
        .clock(ManualClock::at(now()))
        .build()
        .unwrap()
}

/// Where sessions are is not the adapter's to say.
#[tokio::test]
async fn ad_08_users_of_the_kit_sign_in_with_sessions_kept_anywhere() {
    let (database, adapter) = kit().await;
    for (number, sessions) in [
        sessions(database.db.session_store(), &adapter),
        sessions(MemorySessionStore::new(), &adapter),
    ]
    .into_iter()
    .enumerate()
    {
        let user = adapter
            .find_or_create_user_by_account(
                &account(&number.to_string()),
                &NewUser::default(),
                now(),
            )
            .await
            .unwrap()
            .into_user();
        let cookie = sessions
            .create(&user.id)
            .await
            .unwrap()
            .into_set_cookies()
            .remove(0);
        verify(&sessions, &cookie).await.unwrap();
        assert!(adapter.delete_user(&user.id, &sessions).await.unwrap());
        let refused = verify(&sessions, &cookie).await.unwrap_err();
        assert!(refused.is_unauthenticated());
    }
}

/// Signs the user in once more when they are gone, as a request that was slower does.
struct SlowSignIn<'a>(&'a Sessions<Member>);

#[async_trait]
impl EndsSessions for SlowSignIn<'_> {
    async fn end_sessions(&self, subject: &Subject) -> clearance::Result<()> {
        self.0.create(subject).await?;
        self.0.end_sessions(subject).await
    }
}

#[tokio::test]
async fn sd_63_whoever_is_deleted_is_signed_out_everywhere() {
    let (database, adapter) = kit().await;
    for (number, sessions) in [
        sessions(database.db.session_store(), &adapter),
        sessions(MemorySessionStore::new(), &adapter),
    ]
    .into_iter()
    .enumerate()
    {
        let sign_up = async |name: &str| {
            let (account, new) = (account(&format!("{name}-{number}")), NewUser::default());
            let user = adapter.find_or_create_user_by_account(&account, &new, now());
            user.await.unwrap().into_user().id
        };
        let (ada, eve) = (sign_up("ada").await, sign_up("eve").await);
        let mut cookies = Vec::new();
        for user in [&ada, &ada, &eve] {
            let session = sessions.create(user).await.unwrap();
            let cookie = session.into_set_cookies().remove(0);
            // From now on the cache knows it.
            verify(&sessions, &cookie).await.unwrap();
            cookies.push(cookie);
        }
        assert!(
            adapter
                .delete_user(&ada, &SlowSignIn(&sessions))
                .await
                .unwrap()
        );
        for cookie in &cookies[..2] {
            let refused = verify(&sessions, cookie).await.unwrap_err();
            assert!(refused.is_unauthenticated());
        }
        assert!(sessions.list(&ada).await.unwrap().is_empty());
        verify(&sessions, &cookies[2]).await.unwrap();
        assert_eq!(sessions.list(&eve).await.unwrap().len(), 1);
        // Who was gone before is not told apart from who is gone now.
        sessions.create(&ada).await.unwrap();
        assert!(!adapter.delete_user(&ada, &sessions).await.unwrap());
        assert!(sessions.list(&ada).await.unwrap().is_empty());
    }
}

#[test]
fn rf_9_rf_16_a_verification_token_is_random_and_not_printed() {
    let tokens: std::collections::HashSet<String> = (0..1_000)
        .map(|_| {
            let token = VerificationToken::generate().unwrap();
            assert!(!format!("{token:?}").contains(token.expose_text()));
            token.expose_text().to_owned()
        })
        .collect();
    assert_eq!(tokens.len(), 1_000);
}
