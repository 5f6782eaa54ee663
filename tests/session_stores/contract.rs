//! The contract of the trait.

use clearance::session::{MemorySessionStore, RedisSessionStore, SessionStore as _};
use clearance::testing::check_session_store;

use crate::stores::{fresh, is_redis, redis_url, store};
use crate::support::{record, start};

#[tokio::test]
async fn sd_02_sd_13_sd_17_sd_18_sd_51_rf_1_every_store_keeps_the_contract() {
    check_session_store(&MemorySessionStore::new())
        .await
        .unwrap();
    let fresh = store().await;
    check_session_store(&*fresh.store).await.unwrap();
}

#[tokio::test]
async fn a_sweep_of_many_leaves_nothing_behind() {
    // More than one step of a store that takes them in steps.
    const MANY: u64 = 1_203;

    let fresh = store().await;
    for number in 0..MANY {
        let record = record(number, "ada");
        fresh.store.create(&record, None).await.unwrap();
    }
    let end = record(0, "ada").expires_at;
    assert_eq!(fresh.store.sweep(start()).await.unwrap(), 0);
    assert_eq!(fresh.store.sweep(end).await.unwrap(), MANY);
    assert_eq!(fresh.store.sweep(end).await.unwrap(), 0);
}

#[tokio::test]
async fn a_malformed_url_says_what_is_wrong_and_never_the_password() {
    for url in ["redis://:hunter2@[", "postgres://:hunter2@localhost"] {
        let error = RedisSessionStore::connect(url).await.unwrap_err();
        assert!(error.is_configuration(), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    // A port that nobody can listen on.
    let nobody = RedisSessionStore::connect("redis://:hunter2@127.0.0.1:0/").await;
    let error = nobody.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn applications_that_share_a_server_do_not_share_sessions() {
    if !is_redis() {
        let (one, other) = (store().await, store().await);
        one.store.create(&record(1, "ada"), None).await.unwrap();
        return assert_eq!(other.store.delete_everyone().await.unwrap(), 0);
    }
    let connected = RedisSessionStore::connect(&redis_url()).await.unwrap();
    let (one, other) = (
        connected.clone().with_prefix(fresh("one")),
        connected.with_prefix(fresh("other")),
    );
    one.create(&record(1, "ada"), None).await.unwrap();
    assert_eq!(other.delete_everyone().await.unwrap(), 0);
    assert_eq!(one.delete_everyone().await.unwrap(), 1);
}
