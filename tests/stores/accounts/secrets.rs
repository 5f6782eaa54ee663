//! What lies in the tables leads nowhere without the key.

use chrono::TimeDelta;
use clearance::Secret;
use clearance::account::{
    Account, AccountId, AccountKind, Adapter, AdapterError, NewUser, ProviderTokens, SqlAdapter,
    User, VerificationRecord, VerificationToken,
};
use clearance::token::KeyRing;
use sqlx::AssertSqlSafe;

use super::{key, kit, now};
use crate::engines::{Database, Engine, TestPool, engine};

const COLUMNS: [&str; 3] = ["access_token", "refresh_token", "id_token"];

fn plain(account: &str, column: &str) -> String {
    format!("the {column} of {account}")
}

async fn kit_and_user() -> (Database, SqlAdapter, User) {
    let (database, adapter) = kit().await;
    let user = adapter.create_user(&NewUser::default(), now()).await;
    (database, adapter, user.unwrap())
}

async fn linked(adapter: &SqlAdapter, user: &User, id: &str) -> AccountId {
    let id = AccountId::new("github", id).unwrap();
    let token = |column| Some(Secret::new(plain(id.provider_account_id(), column)));
    let account = Account {
        id: id.clone(),
        kind: AccountKind::Oidc,
        tokens: ProviderTokens {
            access_token: token(COLUMNS[0]),
            refresh_token: token(COLUMNS[1]),
            id_token: token(COLUMNS[2]),
            ..ProviderTokens::default()
        },
    };
    assert!(!format!("{account:?} {:?}", account.tokens).contains("the "));
    adapter.link_account(&user.id, &account).await.unwrap();
    id
}

/// A column of bytes of an account, as it lies in the table.
#[expect(
    clippy::disallowed_methods,
    reason = "the test looks behind the library"
)]
async fn raw(pool: &TestPool, account: &str, column: &str) -> Vec<u8> {
    let sql = AssertSqlSafe(format!(
        "SELECT {column} FROM clearance_accounts WHERE provider_account_id = '{account}'"
    ));
    match pool {
        TestPool::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        TestPool::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        TestPool::Mysql(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
    }
}

/// Writes bytes behind the library's back.
async fn write(pool: &TestPool, account: &str, column: &str, bytes: &[u8]) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let literal = match engine() {
        Engine::Sqlite | Engine::Mysql => format!("X'{hex}'"),
        Engine::Postgres => format!("'\\x{hex}'::bytea"),
    };
    let sql = format!(
        "UPDATE clearance_accounts SET {column} = {literal} WHERE provider_account_id = '{account}'"
    );
    pool.execute(&sql).await;
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

/// Of a type that has the trait there are two of these, and which one is meant is not known.
macro_rules! has_not {
    ($type:ty: $($bound:path),+) => {$({
        struct Has;
        trait Ambiguous<A> {
            fn one() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + $bound> Ambiguous<Has> for T {}
        <$type as Ambiguous<_>>::one();
    })+};
}

/// It compiles as long as it is so.
#[test]
fn ad_02_ad_07_what_an_adapter_gives_is_not_serialised_and_leaves_no_repository() {
    has_not!(User: serde::Serialize, clearance::Release);
    has_not!(Account: serde::Serialize, clearance::Release, std::fmt::Display);
    has_not!(ProviderTokens: serde::Serialize, clearance::Release, std::fmt::Display);
    has_not!(VerificationToken: serde::Serialize, clearance::Release, std::fmt::Display);
    has_not!(VerificationRecord: serde::Serialize, clearance::Release, std::fmt::Display);
}

#[tokio::test]
async fn ad_02_the_tables_hold_no_plain_token() {
    let (database, adapter, user) = kit_and_user().await;
    let id = linked(&adapter, &user, "ada").await;
    let mut seen = Vec::new();
    for column in COLUMNS {
        let stored = raw(&database.pool, "ada", column).await;
        let plain = plain("ada", column);
        // A version, the id of a key, a nonce, the token, and a tag.
        assert_eq!(stored.len(), 1 + 4 + 12 + plain.len() + 16);
        for part in [&plain, "the ", "token"] {
            assert!(!holds(&stored, part), "{column}");
        }
        seen.push(stored);
    }
    // One key for all, and never the same nonce.
    assert!(seen.iter().all(|stored| stored[..5] == seen[0][..5]));
    seen.dedup_by(|one, other| one[5..17] == other[5..17]);
    assert_eq!(seen.len(), 3);

    let account = adapter.get_account(&user.id, &id).await.unwrap().unwrap();
    let access = account.tokens.access_token.unwrap();
    assert_eq!(*access.expose_secret(), plain("ada", COLUMNS[0]));
}

#[tokio::test]
async fn ad_02_an_altered_or_cut_token_is_an_error() {
    let (database, adapter, user) = kit_and_user().await;
    let id = linked(&adapter, &user, "ada").await;
    for column in COLUMNS {
        let stored = raw(&database.pool, "ada", column).await;
        for position in 0..stored.len() {
            let mut altered = stored.clone();
            altered[position] ^= 1;
            write(&database.pool, "ada", column, &altered).await;
            let refused = adapter.get_account(&user.id, &id).await.unwrap_err();
            assert_eq!(refused, AdapterError::malformed(), "{position}");
        }
        for length in 0..stored.len() {
            write(&database.pool, "ada", column, &stored[..length]).await;
            let refused = adapter.get_account(&user.id, &id).await.unwrap_err();
            assert_eq!(refused, AdapterError::malformed(), "{length}");
        }
        write(&database.pool, "ada", column, &stored).await;
        assert!(adapter.get_account(&user.id, &id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn ad_02_a_token_that_is_moved_is_an_error() {
    let (database, adapter, user) = kit_and_user().await;
    let ada = linked(&adapter, &user, "ada").await;
    let eve = linked(&adapter, &user, "eve").await;
    for column in COLUMNS {
        let own = raw(&database.pool, "eve", column).await;
        let mut moved = vec![raw(&database.pool, "ada", column).await];
        for other in COLUMNS.into_iter().filter(|other| *other != column) {
            moved.push(raw(&database.pool, "eve", other).await);
        }
        for moved in moved {
            write(&database.pool, "eve", column, &moved).await;
            let refused = adapter.get_account(&user.id, &eve).await.unwrap_err();
            assert_eq!(refused, AdapterError::malformed());
        }
        write(&database.pool, "eve", column, &own).await;
    }
    assert!(adapter.get_account(&user.id, &eve).await.unwrap().is_some());

    // To another provider, whose accounts have the same ids.
    database
        .pool
        .execute(
            "UPDATE clearance_accounts SET provider = 'gitlab' WHERE provider_account_id = 'ada'",
        )
        .await;
    let moved = AccountId::new("gitlab", "ada").unwrap();
    let refused = adapter.get_account(&user.id, &moved).await.unwrap_err();
    assert_eq!(refused, AdapterError::malformed());
    assert!(adapter.get_account(&user.id, &ada).await.unwrap().is_none());
}

#[tokio::test]
async fn ad_02_another_key_opens_nothing() {
    let (database, adapter, user) = kit_and_user().await;
    let id = linked(&adapter, &user, "ada").await;
    let other = SqlAdapter::new(&database.db, key(2)).unwrap();
    let refused = other.get_account(&user.id, &id).await.unwrap_err();
    assert_eq!(refused, AdapterError::malformed());
    // Also where the id of the key is the same.
    let theirs = linked(&other, &user, "eve").await;
    let mut stored = raw(&database.pool, "ada", COLUMNS[0]).await;
    stored[1..5].copy_from_slice(&raw(&database.pool, "eve", COLUMNS[0]).await[1..5]);
    write(&database.pool, "eve", COLUMNS[0], &stored).await;
    let refused = other.get_account(&user.id, &theirs).await.unwrap_err();
    assert_eq!(refused, AdapterError::malformed());
    // Signing in needs no token.
    assert!(other.get_user_by_account(&id).await.unwrap().is_some());
    let same = SqlAdapter::new(&database.db, key(1)).unwrap();
    assert!(same.get_account(&user.id, &id).await.unwrap().is_some());
}

#[tokio::test]
async fn ad_02_a_retired_key_opens_and_seals_nothing_new() {
    let (database, adapter, user) = kit_and_user().await;
    let old = linked(&adapter, &user, "ada").await;
    let ring = KeyRing::new(key(2)).retired(key(1));
    let both = SqlAdapter::new(&database.db, ring).unwrap();
    assert!(both.get_account(&user.id, &old).await.unwrap().is_some());
    let new = linked(&both, &user, "eve").await;
    let refused = adapter.get_account(&user.id, &new).await.unwrap_err();
    assert_eq!(refused, AdapterError::malformed());
    let without = SqlAdapter::new(&database.db, key(2)).unwrap();
    assert!(without.get_account(&user.id, &new).await.unwrap().is_some());
    let refused = without.get_account(&user.id, &old).await.unwrap_err();
    assert_eq!(refused, AdapterError::malformed());
}

#[tokio::test]
async fn ad_05_the_table_of_verification_tokens_leads_to_no_token() {
    let (_database, adapter) = kit().await;
    let token = VerificationToken::generate().unwrap();
    let record = VerificationRecord {
        identifier: "verify:ada".to_owned(),
        token_hash: token.hash(),
        expires_at: now() + TimeDelta::hours(1),
    };
    adapter.create_verification_token(&record).await.unwrap();
    // Who has read the hash presents it in every form that a link could have.
    let stored = record.token_hash.as_bytes();
    let hex: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
    let latin: String = stored.iter().copied().map(char::from).collect();
    for presented in [hex, latin] {
        let hash = VerificationToken::from_text(&presented).hash();
        let redeemed = adapter
            .use_verification_token("verify:ada", hash, now())
            .await;
        assert!(!redeemed.unwrap());
    }
    let hash = VerificationToken::from_text(token.expose_text()).hash();
    let redeemed = adapter
        .use_verification_token("verify:ada", hash, now())
        .await;
    assert!(redeemed.unwrap());
}

/// The instants of two nodes: one made the token, the other redeems it.
#[tokio::test]
async fn sl_31_a_verification_token_ends_by_the_clock_of_the_node_that_is_asked() {
    let (_database, adapter) = kit().await;
    let (end, apart) = (now() + TimeDelta::hours(1), TimeDelta::seconds(30));
    // At the same instant: a clock that is ahead, the one that made the token, and one that is behind.
    for (shows, redeems) in [(end, false), (end - apart, true), (end - apart * 2, true)] {
        let token = VerificationToken::generate().unwrap();
        let record = VerificationRecord {
            identifier: "verify:ada".to_owned(),
            token_hash: token.hash(),
            expires_at: end,
        };
        adapter.create_verification_token(&record).await.unwrap();
        let redeemed = adapter.use_verification_token("verify:ada", token.hash(), shows);
        assert_eq!(redeemed.await.unwrap(), redeems, "{shows}");
    }
    // And half a minute after its end by the clock that is right.
    let token = VerificationToken::generate().unwrap();
    let record = VerificationRecord {
        identifier: "verify:eve".to_owned(),
        token_hash: token.hash(),
        expires_at: end,
    };
    adapter.create_verification_token(&record).await.unwrap();
    let behind = end - TimeDelta::seconds(1);
    let redeemed = adapter.use_verification_token("verify:eve", token.hash(), behind);
    assert!(redeemed.await.unwrap(), "later by the difference");
}
