//! Every store keeps the same contract.

use std::sync::Arc;

use clearance::session::{MemorySessionStore, SecretHash, SessionStore};
use clearance::testing::check_session_store;
use clearance::{Db, Subject};

use crate::support::{Rig, TestStore, count, sqlite_file, sqlite_url, start};

#[tokio::test]
async fn sd_02_sd_17_sd_18_rf_1_the_memory_store_keeps_the_contract() {
    check_session_store(&MemorySessionStore::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn sd_02_sd_17_sd_18_rf_1_the_sqlite_store_keeps_the_contract() {
    let (_directory, db) = sqlite_file().await;
    check_session_store(&db.session_store()).await.unwrap();
}

#[tokio::test]
async fn sd_02_sd_13_the_store_is_object_safe() {
    let store: Arc<dyn SessionStore> = Arc::new(MemorySessionStore::new());
    check_session_store(&store).await.unwrap();
}

/// A suite that no store can fail would show nothing.
#[tokio::test]
async fn sd_02_the_contract_finds_a_store_that_gives_no_answer() {
    let store = TestStore::over(MemorySessionStore::new());
    store.set_down(true);
    assert!(check_session_store(&*store).await.is_err());
}

#[tokio::test]
async fn sd_03_a_store_that_fails_sets_no_cookie() {
    let rig = Rig::new();
    rig.store.set_down(true);
    let error = rig.sessions.create(&Subject::new("ada")).await.unwrap_err();
    assert_eq!(error.status(), 503);

    let context = rig.request("");
    assert_eq!(
        context
            .sign_in(&Subject::new("ada"))
            .await
            .unwrap_err()
            .status(),
        503
    );
    let mut response = http::HeaderMap::new();
    context.finish(&mut response);
    assert!(!response.contains_key("set-cookie"));
}

#[tokio::test]
async fn sd_05_ids_and_credentials_are_unique() {
    let rig = Rig::new();
    let subject = Subject::new("ada");
    let mut ids = std::collections::HashSet::new();
    let mut cookies = std::collections::HashSet::new();
    for _ in 0..10_000 {
        let session = rig.sessions.create(&subject).await.unwrap();
        assert!(ids.insert(session.id()));
        assert!(cookies.insert(session.into_set_cookies().remove(0)));
    }
}

#[tokio::test]
async fn sd_05_a_copy_of_the_database_leads_to_no_session() {
    let (directory, db) = sqlite_file().await;
    let rig = Rig::over(db.session_store(), |builder| builder);
    let device = rig.device("ada").await;
    let dump: Vec<u8> = std::fs::read_dir(directory.path())
        .unwrap()
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    let found = |part: &[u8]| dump.windows(part.len()).any(|window| window == part);
    let record = rig.store.load(device.id, start()).await.unwrap().unwrap();
    assert!(found(record.secret_hash.as_bytes()), "the dump is complete");
    assert!(!found(device.value().as_bytes()));

    let hash: String = record
        .secret_hash
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for replayed in [
        device.id.to_string(),
        hash.clone(),
        format!("{}{hash}", device.id),
    ] {
        assert_eq!(rig.status(&format!("__Host-session={replayed}")).await, 401);
    }
}

#[tokio::test]
async fn sd_05_the_id_alone_leads_to_no_session() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let mut record = rig.store.load(device.id, start()).await.unwrap().unwrap();
    rig.store
        .inner
        .delete(device.id, &record.subject)
        .await
        .unwrap();
    record.secret_hash = SecretHash::from_bytes([7; 32]);
    record.subject = Subject::new("eve");
    rig.store.inner.create(&record, None).await.unwrap();
    assert_eq!(rig.status(&device.cookie).await, 401);
    // Nor does it end the session that has this id now.
    rig.request(&device.cookie).sign_out().await.unwrap();
    assert_eq!(rig.sessions.list(&record.subject).await.unwrap().len(), 1);
}

#[tokio::test]
async fn sd_17_a_repeated_id_gets_a_new_one_and_overwrites_nothing() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        let first = rig.device("ada").await;
        *rig.store.repeated_id.lock().unwrap() = Some(first.id);
        let second = rig.device("eve").await;
        assert_ne!(first.id, second.id);
        assert_eq!(
            rig.verify(&first.cookie).await.unwrap().subject().as_str(),
            "ada"
        );
        assert_eq!(
            rig.verify(&second.cookie).await.unwrap().subject().as_str(),
            "eve"
        );
    }
}

#[tokio::test]
async fn sd_18_an_expired_row_is_refused_and_swept() {
    let (_directory, db) = sqlite_file().await;
    for rig in [Rig::new(), Rig::over(db.session_store(), |builder| builder)] {
        let device = rig.device("ada").await;
        rig.clock
            .advance(std::time::Duration::from_secs(7 * 24 * 60 * 60));
        assert_eq!(rig.status(&device.cookie).await, 401);
        assert_eq!(rig.sessions.sweep().await.unwrap(), 1);
        assert_eq!(rig.sessions.sweep().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn sd_02_a_session_outlives_the_process_in_a_file() {
    let (directory, db) = sqlite_file().await;
    let device = {
        let rig = Rig::over(db.session_store(), |builder| builder);
        rig.device("ada").await
    };
    db.close().await;
    let db = Db::connect(&sqlite_url(&directory)).await.unwrap();
    let rig = Rig::over(db.session_store(), |builder| builder);
    assert_eq!(rig.status(&device.cookie).await, 200);
}

#[tokio::test]
async fn rf_6_a_closed_database_is_unavailable_and_an_unmigrated_one_is_an_error() {
    let (_directory, db) = sqlite_file().await;
    let rig = Rig::over(db.session_store(), |builder| builder);
    let device = rig.device("ada").await;
    db.close().await;
    assert_eq!(rig.status(&device.cookie).await, 503);
    assert_eq!(count(&rig.store.loads), 1);

    let bare = Db::connect("sqlite::memory:").await.unwrap();
    let unmigrated = Rig::over(bare.session_store(), |builder| builder);
    assert_eq!(unmigrated.status(&device.cookie).await, 500);
}
